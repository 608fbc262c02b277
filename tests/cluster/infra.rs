//! Hosts have interfaces of their own in `infra` networks: by them their processes reach containers
//! of all hosts, and each other.

use std::net::IpAddr;

use anyhow::{Context, ensure};
use contiv_testbed::{Netns, wait_for};

use crate::actor::{Actor, Talk, accepted, barred, reaches};
use crate::stage::{HOSTS, Result, SOON, Stage, story};

const PORT: u16 = 8000;

/// The addresses of all hosts in a network, as a master lists them: IPv4, then IPv6.
fn interfaces(stage: &Stage, network: &str) -> Result<Vec<Vec<IpAddr>>> {
    let of_host = |host: usize| {
        let name = format!("h{}", host + 1);
        let entry = stage.nodes[0].host_entry(&name)?;
        let all = entry["interfaces"].as_array().context("interfaces")?;
        let ours = all.iter().find(|one| one["network"] == network);
        let ours = ours.with_context(|| format!("{name} in {network}: {entry}"))?;
        let addresses = ours["ipAddress"].as_array().context("addresses")?.iter();
        let parsed = addresses.map(|a| Ok(a.as_str().unwrap_or_default().parse()?));
        parsed.collect()
    };
    (0..HOSTS).map(of_host).collect()
}

fn netns(stage: &Stage, host: usize) -> Result<Netns> {
    stage.nodes[host].host.netns()
}

/// What the kernels of all hosts have of interfaces of this name.
fn links(stage: &Stage, name: &str) -> Result<String> {
    let shown = (0..HOSTS).map(|host| {
        let shown = netns(stage, host)?.run("ip -o link");
        let shown = shown?;
        let ours: Vec<&str> = shown.lines().filter(|line| line.contains(name)).collect();
        Ok(ours.join("\n"))
    });
    Ok(shown
        .collect::<Result<Vec<_>>>()?
        .join("\n")
        .trim()
        .to_owned())
}

/// Every host reaches every container and every other host, and each of these every host.
fn all_meet(stage: &Stage, actors: &[Actor], own: &[Vec<IpAddr>]) -> Result<()> {
    for host in 0..HOSTS {
        let here = netns(stage, host)?;
        let name = format!("h{}", host + 1);
        for actor in actors {
            for ip in [Some(actor.ip), actor.ipv6].into_iter().flatten() {
                reaches(&here, &name, ip)?;
            }
            for ip in &own[host] {
                actor.pings(*ip)?;
            }
        }
        for ip in own.iter().flatten() {
            reaches(&here, &name, *ip)?;
        }
    }
    Ok(())
}

#[test]
fn hosts_reach_containers_of_all_hosts_and_each_other() -> Result<()> {
    story(|stage| {
        for (name, third) in [("one", 1), ("two", 2)] {
            stage.netctl(&format!(
                "net create {name} -s 10.{third}.0.0/16 -g 10.{third}.1.254 \
                 --subnetv6 fd00:{third}::/120 --gatewayv6 fd00:{third}::fe"
            ))?;
        }
        stage.netctl("net create -n infra contivh1 -s 10.99.0.0/24 --subnetv6 fd00:99::/120")?;
        let own = interfaces(stage, "contivh1.default")?;
        let distinct: std::collections::BTreeSet<&IpAddr> = own.iter().flatten().collect();
        ensure!(distinct.len() == 2 * HOSTS, "one address each: {own:?}");
        let mut actors = stage.start_everywhere("a", "one")?;
        actors.push(stage.start(1, "b1", "two")?);
        all_meet(stage, &actors, &own)?;
        let first = netns(stage, 0)?;
        for actor in &actors {
            let _server = actor.listens(PORT)?;
            accepted(&first, "h1", (actor.ip, PORT).into())?;
            let large = first.ping_with(actor.ip, 1, &["-s", "4000"])?;
            ensure!(large.all(), "{}: {large:?}", actor.name);
        }
        let _host = first.tcp_echo((own[0][0], PORT).into())?;
        for actor in &actors {
            actor.connects(own[0][0], PORT)?;
        }
        // Containers of separate networks are no nearer to each other for it.
        actors[0].pings_in_vain(actors[3].ip)?;

        // Killed agents change nothing, and the next ones find the same addresses.
        let _server = actors[2].listens(PORT)?;
        let mut talk = Talk::open(&first, (actors[2].ip, PORT).into())?;
        for node in &mut stage.nodes {
            node.kill_agent();
        }
        all_meet(stage, &actors, &own)?;
        for host in 0..HOSTS {
            stage.start_agent(host)?;
        }
        ensure!(interfaces(stage, "contivh1.default")? == own);
        all_meet(stage, &actors, &own)?;
        talk.is_heard()?;

        // With the network its interfaces go, and each host reaches its own containers alone.
        stage.netctl("net rm contivh1")?;
        ensure!(links(stage, "contivh1")?.is_empty());
        reaches(&first, "h1", actors[0].ip)?;
        let pings = first.ping(actors[2].ip, 1)?;
        ensure!(pings.received == 0, "h1 reaches {}", actors[2].ip);
        Ok(())
    })
}

#[test]
fn policies_hold_for_hosts_and_conflicts_are_refused() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("net create -n infra contivh1 -s 10.99.0.0/24")?;
        stage.netctl("policy create guard")?;
        stage.netctl(&format!(
            "policy rule-add guard 1 -d in -l tcp -P {PORT} -j deny"
        ))?;
        stage.netctl("group create one web -p guard")?;
        let web = stage.start(2, "w1", "web")?;
        let first = netns(stage, 0)?;
        let (_guarded, _open) = (web.listens(PORT)?, web.listens(PORT + 1)?);
        accepted(&first, "h1", (web.ip, PORT + 1).into())?;
        barred(&first, "h1", (web.ip, PORT).into())?;
        let own = interfaces(stage, "contivh1.default")?;
        // A rule that names the hosts' network is about them.
        stage.netctl(&format!(
            "policy rule-add guard 2 -d in -l tcp -P {} -j deny -n contivh1",
            PORT + 1
        ))?;
        wait_for(SOON, "the hosts' network to be denied", || {
            barred(&first, "h1", (web.ip, PORT + 1).into())
        })?;

        // Tenants may have equal addresses, but not where hosts have a route to both.
        stage.netctl("tenant create blue")?;
        stage.netctl("net create -t blue mine -s 10.1.0.0/17 -g 10.1.1.254")?;
        for (line, why) in [
            (
                "net create -t blue -n infra theirs -s 10.1.200.0/24",
                "default:one",
            ),
            (
                "net create -t blue -n infra contivh1 -s 10.98.0.0/24",
                "default:contivh1",
            ),
            (
                "net create -n infra much-too-long-name -s 10.98.0.0/24",
                "15 bytes",
            ),
            (
                "net create -t blue -n infra eth -s 198.51.100.0/25",
                "198.51.100.0/24",
            ),
        ] {
            let output = stage.nodes[0].try_netctl(line)?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(
                !output.status.success() && said.contains(why),
                "{line}: {said}"
            );
        }

        // By one of its own another tenant's containers are not reached, nor do they reach hosts.
        stage.netctl("net create -t blue -n infra blue-hosts -s 10.98.0.0/24")?;
        let theirs = interfaces(stage, "blue-hosts.blue")?;
        for ip in theirs.iter().flatten() {
            reaches(&first, "h1", *ip)?;
        }
        let blue = stage.start(1, "x1", "mine/blue")?;
        let _listener = first.tcp_echo((theirs[0][0], PORT).into())?;
        blue.is_barred(theirs[0][0], PORT)?;
        blue.is_barred(own[0][0], PORT)?;
        accepted(&netns(stage, 2)?, "h3", (theirs[0][0], PORT).into())
    })
}

#[test]
fn a_host_keeps_its_address_in_each_boot_and_loses_it_with_itself() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("net create -n infra contivh1 -s 10.99.0.0/29")?;
        let own = interfaces(stage, "contivh1.default")?;
        let actor = stage.start(0, "a1", "one")?;
        stage.reboot(2)?;
        wait_for(SOON, "the host to be back with its address", || {
            ensure!(interfaces(stage, "contivh1.default")? == own);
            reaches(&netns(stage, 2)?, "h3", actor.ip)?;
            actor.pings(own[2][0])
        })?;

        // Nobody but the network and the host itself takes it.
        let listed = stage.nodes[0].get("/api/v1/inspect/networks/default:contivh1/")?;
        let count = listed["Oper"]["numEndpoints"].clone();
        ensure!(count == HOSTS, "{listed}");
        stage.nodes[2].stop_agent()?;
        stage.netctl("host rm --force h3")?;
        wait_for(SOON, "the address to be free", || {
            let used = stage.addresses_in_use(0)?;
            ensure!(!used.contains(&own[2][0].to_string()), "{used:?}");
            Ok(())
        })?;
        let token = stage.nodes[0].join_token("h3")?;
        stage.nodes[2].launch_agent(None, &["--join-token", &token])?;
        wait_for(SOON, "the host to have an address again", || {
            let own = interfaces(stage, "contivh1.default")?;
            actor.pings(own[2][0])
        })
    })
}
