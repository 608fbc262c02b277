//! Services on Contiv's networks, from their creation to the last address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contiv_testbed::{BUSYBOX_IMAGE, wait_for};

use crate::stage::{Result, SOON, Swarm, Task};

/// Every task reaches every other one by its address, whatever hosts they are on.
fn all_reach_each_other(tasks: &[Task]) -> Result<()> {
    for from in tasks {
        for to in tasks.iter().filter(|to| to.ip != from.ip) {
            let what = format!("{} of {} to {} of {}", from.ip, from.host, to.ip, to.host);
            wait_for(Duration::from_secs(5), &what, || {
                let pings = from.netns.ping(to.ip, 1)?;
                ensure!(pings.all(), "{pings:?}");
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn hosts(tasks: &[Task]) -> BTreeSet<usize> {
    tasks.iter().map(|task| task.host).collect()
}

fn ips(tasks: &[Task]) -> BTreeSet<IpAddr> {
    tasks.iter().map(|task| task.ip).collect()
}

fn ids(tasks: &[Task]) -> BTreeSet<String> {
    let ids = tasks.iter().map(|task| task.container.id.clone());
    ids.collect()
}

/// A Swarm with a network for the group `web`; afterwards no address is left.
fn played(play: impl FnOnce(&mut Swarm) -> Result<()>) -> Result<()> {
    let mut swarm = Swarm::start()?;
    swarm.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
    swarm.netctl("policy create guard")?;
    swarm.netctl("policy rule-add guard 1 -d in -l tcp -P 8001 -j deny")?;
    swarm.netctl("group create one web -p guard")?;
    swarm.network("swarm-web", "web.default")?;
    play(&mut swarm)?;
    swarm.until_free()?;
    swarm.docker("network rm swarm-web")?;
    swarm.netctl("group rm web").map(drop)
}

#[test]
#[ignore = "slow: a Swarm takes its time for each thing that it is told"]
fn tasks_of_many_hosts_come_go_and_move_with_their_addresses() -> Result<()> {
    played(|swarm| {
        in_dnsrr(swarm)?;
        swarm.docker("service rm web")?;
        swarm.until_free()?;
        as_a_stack(swarm)
    })
}

#[test]
fn a_service_s_own_address_is_kept_for_it_and_refuses_at_once() -> Result<()> {
    played(|swarm| {
        in_vip(swarm)?;
        swarm.until_free()?;
        without_agent(swarm)
    })
}

fn in_dnsrr(swarm: &Swarm) -> Result<()> {
    swarm.service("web", "swarm-web", "--endpoint-mode dnsrr --replicas 4")?;
    let tasks = swarm.until_tasks("web", "swarm-web", 4)?;
    ensure!(hosts(&tasks).len() == 2 && ips(&tasks).len() == 4);
    all_reach_each_other(&tasks)?;
    the_policy_of_the_group_holds(&tasks)?;

    swarm.docker("service scale --detach web=6")?;
    all_reach_each_other(&swarm.until_tasks("web", "swarm-web", 6)?)?;
    swarm.docker("service scale --detach web=2")?;
    let before = ids(&swarm.until_tasks("web", "swarm-web", 2)?);
    swarm.docker("service update --detach --force --update-delay 0s web")?;
    wait_for(SOON, "other tasks in the place of both", || {
        let tasks = swarm.tasks("web", "swarm-web")?;
        ensure!(tasks.len() == 2 && ids(&tasks).is_disjoint(&before));
        Ok(())
    })?;

    let name = swarm.cluster.nodes[1].host.name().to_owned();
    swarm.docker(&format!("node update --availability drain {name}"))?;
    wait_for(SOON, "all tasks to be on one host", || {
        let tasks = swarm.tasks("web", "swarm-web")?;
        ensure!(tasks.len() == 2 && hosts(&tasks) == [0].into());
        all_reach_each_other(&tasks)
    })?;
    swarm.docker(&format!("node update --availability active {name}"))?;
    Ok(())
}

/// A file of Docker Compose, whose network is there already.
fn as_a_stack(swarm: &Swarm) -> Result<()> {
    let file = format!(
        r#"
version: "3.8"
services:
  app:
    image: {BUSYBOX_IMAGE}
    command: sleep 1000000
    stop_grace_period: 0s
    networks: [ours]
    deploy: {{ replicas: 2, endpoint_mode: dnsrr }}
networks:
  ours: {{ external: true, name: swarm-web }}
"#
    );
    let path = swarm.lead().host.dir().join("stack.yml");
    std::fs::write(&path, file)?;
    let path = path.display();
    swarm.docker(&format!(
        "stack deploy --detach=true --resolve-image never -c {path} shop"
    ))?;
    all_reach_each_other(&swarm.until_tasks("shop_app", "swarm-web", 2)?)?;
    swarm.docker("stack rm shop").map(drop)
}

fn the_policy_of_the_group_holds(tasks: &[Task]) -> Result<()> {
    let to = &tasks[0];
    let _open = to.netns.tcp_echo((to.ip, 8000).into())?;
    let _shut = to.netns.tcp_echo((to.ip, 8001).into())?;
    for from in &tasks[1..] {
        let within = Duration::from_secs(1);
        let (open, shut) = ((to.ip, 8000).into(), (to.ip, 8001).into());
        from.netns.tcp_open(open, within).context("port 8000")?;
        ensure!(from.netns.tcp_open(shut, within).is_err(), "port 8001");
    }
    Ok(())
}

/// What a Swarm balances is refused, since nothing does it; its address is no other's.
fn in_vip(swarm: &mut Swarm) -> Result<()> {
    swarm.service("vip", "swarm-web", "--replicas 2")?;
    let tasks = swarm.until_tasks("vip", "swarm-web", 2)?;
    let service = swarm.lead().engine.api_ok("GET", "/services/vip", None)?;
    let vip = service["Endpoint"]["VirtualIPs"][0]["Addr"].as_str();
    let vip = vip.and_then(|vip| vip.split('/').next()?.parse().ok());
    let vip: IpAddr = vip.with_context(|| service.to_string())?;
    ensure!(!ips(&tasks).contains(&vip));
    all_reach_each_other(&tasks)?;
    ensure!(swarm.addresses()?[&vip] == "reserved");
    for task in &tasks {
        let started = Instant::now();
        let refused = task
            .netns
            .tcp_open((vip, 80).into(), Duration::from_secs(3));
        let error = refused.err().context("somebody serves the service")?;
        let took = started.elapsed();
        ensure!(took < Duration::from_secs(1), "{took:?}: {error:#}");
        ensure!(format!("{error:#}").contains("refused"), "{error:#}");
    }
    // Whoever wants the address for himself does not get it.
    let line = format!("run -d --network swarm-web --ip {vip} {BUSYBOX_IMAGE} true");
    ensure!(
        swarm.docker(&line).is_err(),
        "the service's address is given"
    );

    // The manager that starts reserves what it has, and nothing twice.
    let before = swarm.addresses()?;
    swarm.cluster.nodes[0].engine.restart()?;
    swarm.until_tasks("vip", "swarm-web", 2)?;
    ensure!(
        swarm
            .addresses()?
            .get(&vip)
            .is_some_and(|s| s == "reserved"),
        "{before:?}"
    );
    swarm.docker("service scale --detach vip=4")?;
    let tasks = swarm.until_tasks("vip", "swarm-web", 4)?;
    ensure!(ips(&tasks).len() == 4 && !ips(&tasks).contains(&vip));
    swarm.docker("service rm vip").map(drop)
}

/// A call that finds no agent fails soon, and says why; the plugin needs nothing to go on.
fn without_agent(swarm: &mut Swarm) -> Result<()> {
    let call = "NetworkDriver.GetCapabilities";
    let answer = swarm.plugin_call(0, call)?;
    ensure!(answer.body["Scope"] == "global", "{}", answer.text);
    swarm.cluster.nodes[0].kill_agent();
    let started = Instant::now();
    let answer = swarm.plugin_call(0, call)?;
    let took = started.elapsed();
    let reason = answer.body["Err"].as_str().unwrap_or_default();
    ensure!(
        answer.status == 500 && reason.contains("netplugin is not running on this host"),
        "{}",
        answer.text
    );
    ensure!(took < Duration::from_secs(1), "{took:?}");
    swarm.cluster.start_agent(0)?;
    swarm
        .docker(&format!(
            "run --rm --network swarm-web {BUSYBOX_IMAGE} true"
        ))
        .map(drop)
}
