//! Masters serve writes at the same time: no address is given twice, and nothing leaks.

use std::collections::BTreeSet;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, ensure};
use contiv_testbed::{Node, wait_for};
use serde_json::{Value, json};

use crate::stage::{HOSTS, Result, SOON, Stage, story, tables};

/// Containers that are started on each host.
const EACH: usize = 5;

/// Endpoints of the churn that are there at a time on each host, and how often all are replaced.
const AT_A_TIME: usize = 20;
const ROUNDS: usize = 17;

/// Descriptors that pools of connections may keep open between two looks.
const CONNECTIONS: usize = 24;

/// Has each host's agent ask the master beside it first.
fn each_asks_its_own_master(stage: &mut Stage, own: bool) -> Result<()> {
    for host in 0..HOSTS {
        stage.nodes[host].asks_own_master = own;
        stage.nodes[host].stop_agent()?;
        stage.start_agent(host)?;
    }
    Ok(())
}

/// Does the same on all hosts at the same time; what each gave, in their order.
fn on_each<T: Send>(stage: &Stage, act: impl Fn(&Node) -> Result<T> + Sync) -> Result<Vec<T>> {
    let act = &act;
    thread::scope(|scope| {
        let nodes = stage.nodes.iter();
        let threads: Vec<_> = nodes.map(|node| scope.spawn(move || act(node))).collect();
        let join = threads.into_iter().map(ScopedJoinHandle::join);
        join.map(|end| end.expect("a thread that does not panic"))
            .collect()
    })
}

/// What each host and its programs hold, to be compared later.
struct Holdings {
    tables: Vec<std::collections::BTreeMap<String, usize>>,
    descriptors: Vec<usize>,
    memory: Vec<u64>,
}

impl Holdings {
    fn of(stage: &Stage) -> Result<Self> {
        let (mut descriptors, mut memory) = (Vec::new(), Vec::new());
        for node in &stage.nodes {
            for daemon in [node.agent()?, node.master()?] {
                descriptors.push(daemon.open_files()?);
                memory.push(daemon.resident_kib()?);
            }
        }
        Ok(Self {
            tables: stage.nodes.iter().map(tables).collect::<Result<_>>()?,
            descriptors,
            memory,
        })
    }

    /// Waits until tables are as full as before, and no more descriptors are open.
    fn come_back(&self, stage: &Stage) -> Result<Self> {
        wait_for(SOON, "tables and descriptors to be as before", || {
            let now = Self::of(stage)?;
            for (host, (before, now)) in self.tables.iter().zip(&now.tables).enumerate() {
                ensure!(
                    before == now,
                    "tables of host {host}: {before:?}, now {now:?}"
                );
            }
            let pairs = self.descriptors.iter().zip(&now.descriptors);
            for (before, open) in pairs {
                let most = before + CONNECTIONS;
                ensure!(
                    *open <= most,
                    "{:?}, now {:?}",
                    self.descriptors,
                    now.descriptors
                );
            }
            Ok(now)
        })
    }
}

#[test]
fn three_masters_give_addresses_of_one_network_at_once() -> Result<()> {
    story(|stage| {
        each_asks_its_own_master(stage, true)?;
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        // What is made once for a network is there already.
        stage.start_everywhere("first", "wide")?;
        let before = Holdings::of(stage)?;
        let started = on_each(stage, |node| {
            let run = |n: usize| {
                let container = node
                    .engine
                    .run(&format!("{}-{n}", node.name), "wide", &[])?;
                container.ip()
            };
            (0..EACH).map(run).collect::<Result<Vec<_>>>()
        })?;
        let all: Vec<_> = started.into_iter().flatten().collect();
        let different: BTreeSet<_> = all.iter().collect();
        ensure!(different.len() == HOSTS * EACH, "given twice: {all:?}");
        wait_for(SOON, "masters to agree on who has what", || {
            let lists = (0..HOSTS).map(|master| stage.addresses_in_use(master));
            let lists = lists.collect::<Result<Vec<_>>>()?;
            let right = |list: &Vec<String>| list.len() == HOSTS * (EACH + 1) && *list == lists[0];
            ensure!(lists.iter().all(right), "{lists:?}");
            Ok(())
        })?;
        on_each(stage, |node| {
            let names: Vec<String> = (0..EACH).map(|n| format!("{}-{n}", node.name)).collect();
            let mut words = vec!["rm", "-f"];
            words.extend(names.iter().map(String::as_str));
            node.engine.docker(&words)
        })?;
        wait_for(SOON, "addresses to come back", || {
            let used = stage.addresses_in_use(0)?;
            ensure!(used.len() == HOSTS, "{used:?}");
            Ok(())
        })?;
        before.come_back(stage)?;
        each_asks_its_own_master(stage, false)
    })
}

#[test]
#[ignore = "slow: a thousand endpoints"]
fn a_thousand_endpoints_come_and_go() -> Result<()> {
    story(|stage| {
        each_asks_its_own_master(stage, true)?;
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.start_everywhere("first", "wide")?;
        churn(stage, 0)?;
        wait_until_few(stage)?;
        let before = Holdings::of(stage)?;
        for round in 1..=ROUNDS {
            let given = churn(stage, round)?;
            let different: BTreeSet<_> = given.iter().collect();
            ensure!(
                different.len() == HOSTS * AT_A_TIME,
                "given twice: {given:?}"
            );
        }
        wait_until_few(stage)?;
        let after = before.come_back(stage)?;
        println!(
            "{} endpoints; of agent and master of each host: resident KiB {:?}, then {:?}; \
             descriptors {:?}, then {:?}",
            HOSTS * AT_A_TIME * ROUNDS,
            before.memory,
            after.memory,
            before.descriptors,
            after.descriptors
        );
        for (before, after) in before.memory.iter().zip(&after.memory) {
            // An allocator keeps what it has once had; an endpoint that leaks does so each time.
            let most = before + before / 2 + 16 * 1024;
            ensure!(*after < most, "{before} KiB became {after}");
        }
        each_asks_its_own_master(stage, false)
    })
}

fn wait_until_few(stage: &Stage) -> Result<()> {
    wait_for(SOON, "addresses to come back", || {
        for master in 0..HOSTS {
            let used = stage.addresses_in_use(master)?;
            ensure!(used.len() == HOSTS, "{used:?}");
        }
        Ok(())
    })
}

/// An endpoint of the churn: its id, and its address with prefix length.
type Made = (String, String);

/// Makes endpoints on each host, all of which are there at once, and deletes them; answers with
/// their addresses.
fn churn(stage: &Stage, round: usize) -> Result<Vec<String>> {
    let made = on_each(stage, |node| make(node, round))?;
    on_each(stage, |node| {
        let host = stage.nodes.iter().position(|other| other.name == node.name);
        unmake(node, &made[host.context("a host of the stage")?])
    })?;
    let all = made.into_iter().flatten();
    Ok(all.map(|(_, address)| address).collect())
}

/// Makes endpoints as an engine does.
fn make(node: &Node, round: usize) -> Result<Vec<Made>> {
    let network = network_of(node)?;
    let mut made = Vec::new();
    for number in 0..AT_A_TIME {
        let pool = json!({"PoolID": "default/wide|v4", "Address": "", "Options": {}});
        let granted = call(node, "IpamDriver.RequestAddress", &pool)?;
        let address = granted["Address"].as_str().context("an address")?;
        let id = format!(
            "{:0>64}",
            format!("{}{round:04}{number:04}", &node.name[1..])
        );
        let interface = json!({"Address": address});
        let endpoint = json!({"NetworkID": network, "EndpointID": id, "Interface": interface,
                              "Options": {}});
        call(node, "NetworkDriver.CreateEndpoint", &endpoint)?;
        let sandbox = json!({"NetworkID": network, "EndpointID": id, "SandboxKey": id,
                             "Options": {}});
        call(node, "NetworkDriver.Join", &sandbox)?;
        made.push((id, address.to_owned()));
    }
    Ok(made)
}

/// Deletes endpoints as an engine does.
fn unmake(node: &Node, made: &[Made]) -> Result<()> {
    let network = network_of(node)?;
    for (id, address) in made {
        let end = json!({"NetworkID": network, "EndpointID": id});
        call(node, "NetworkDriver.Leave", &end)?;
        call(node, "NetworkDriver.DeleteEndpoint", &end)?;
        let (bare, _) = address.split_once('/').context("a prefix length")?;
        let release = json!({"PoolID": "default/wide|v4", "Address": bare});
        call(node, "IpamDriver.ReleaseAddress", &release)?;
    }
    Ok(())
}

/// The engine's id of the network.
fn network_of(node: &Node) -> Result<String> {
    let words = ["network", "inspect", "-f", "{{.Id}}", "wide"];
    node.engine.docker(&words)
}

/// A call of the driver that must succeed.
fn call(node: &Node, call: &str, body: &Value) -> Result<Value> {
    let reply = node.driver_call(call, body)?;
    let well = reply.status == 200 && reply.body["Err"].as_str().is_none_or(str::is_empty);
    let (name, status) = (&node.name, reply.status);
    ensure!(well, "{name} {call}: {status} {}", reply.text);
    Ok(reply.body)
}
