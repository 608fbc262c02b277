//! Containers and what lies beyond their networks: the world, the host, other tenants' host.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use contiv_testbed::{World, wait_for};

use crate::actor::{Talk, accepted, at_once, barred, reaches};
use crate::stage::{Result, SOON, Stage, story};

/// The host's address in the world.
const HOST: [u8; 4] = [198, 51, 100, 11];

fn two_tenants(stage: &Stage) -> Result<()> {
    stage.netctl("tenant create blue")?;
    stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
    stage.netctl("net create -t blue one -s 10.1.0.0/24 -g 10.1.0.254")?;
    Ok(())
}

#[test]
fn containers_of_every_tenant_reach_the_world_as_the_host() -> Result<()> {
    story(|stage| {
        two_tenants(stage)?;
        let (ours, theirs) = (
            stage.start("ours", "one")?,
            stage.start("theirs", "one/blue")?,
        );
        assert_eq!(ours.ip, theirs.ip);
        let world: IpAddr = World::ADDRESS.into();
        let server = stage.world.netns().tcp_echo((world, 7000).into())?;
        let _udp = stage.world.netns().udp_echo((world, 7000).into())?;
        // At the same time, from equal addresses, and each hears its own answers.
        let mut talks = [ours.talks_to(world, 7000)?, theirs.talks_to(world, 7000)?];
        for talk in &mut talks {
            talk.is_heard()?;
        }
        assert_eq!(server.accepted(), 2);
        for actor in [&ours, &theirs] {
            actor.pings(world)?;
            actor.asks(world, 7000)?;
        }
        let listener = stage.world.netns().tcp_listen((world, 7001).into())?;
        let _talk = ours.talks_to(world, 7001)?;
        let (_, peer) = listener.accept().context("the world accepts")?;
        assert_eq!(peer.ip(), IpAddr::from(HOST), "the world sees the host");
        Ok(())
    })
}

#[test]
fn the_world_does_not_get_into_containers() -> Result<()> {
    story(|stage| {
        two_tenants(stage)?;
        let ours = stage.start("ours", "one")?;
        let _server = ours.listens(8000)?;
        let world = stage.world.netns();
        world.ip("route add 10.1.0.0/24 via 198.51.100.11")?;
        let met = barred(world, "the world", (ours.ip, 8000).into());
        let pinged = world.ping(ours.ip, 1)?;
        world.ip("route del 10.1.0.0/24")?;
        met?;
        assert_eq!(pinged.received, 0);
        Ok(())
    })
}

#[test]
fn the_host_and_containers_of_the_default_tenant_reach_each_other() -> Result<()> {
    story(|stage| {
        two_tenants(stage)?;
        let ours = stage.start("ours", "one")?;
        let host = stage.host_netns()?;
        let _server = ours.listens(8000)?;
        let _udp = ours.answers(8000)?;
        reaches(&host, "the host", ours.ip)?;
        accepted(&host, "the host", (ours.ip, 8000).into())?;
        let _on_host = host.tcp_echo(([0, 0, 0, 0], 7007).into())?;
        let _udp_on_host = host.udp_echo((HOST, 7007).into())?;
        ours.connects(HOST.into(), 7007)?;
        ours.asks(HOST.into(), 7007)?;
        ours.pings(HOST.into())
    })
}

#[test]
fn other_tenants_reach_their_gateway_and_not_the_hosts_listeners() -> Result<()> {
    story(|stage| {
        two_tenants(stage)?;
        let theirs = stage.start("theirs", "one/blue")?;
        let host = stage.host_netns()?;
        let server = host.tcp_echo(([0, 0, 0, 0], 7007).into())?;
        let _udp = host.udp_echo(([0, 0, 0, 0], 7007).into())?;
        let gateway: IpAddr = [10, 1, 0, 254].into();
        theirs.pings(gateway)?;
        // Every address of the host, and the gateway's that it might answer for.
        let mut addresses = host_addresses(stage)?;
        addresses.push(gateway);
        at_once(&addresses, |address| theirs.is_barred(*address, 7007))?;
        at_once(&addresses, |address| theirs.asks_in_vain(*address, 7007))?;
        assert_eq!(server.accepted(), 0);
        Ok(())
    })
}

#[test]
fn the_host_tells_tenants_apart_by_private_addresses() -> Result<()> {
    story(|stage| {
        two_tenants(stage)?;
        let (ours, theirs) = (
            stage.start("ours", "one")?,
            stage.start("theirs", "one/blue")?,
        );
        let servers = [ours.listens(8000)?, theirs.listens(8000)?];
        let host = stage.host_netns()?;
        Talk::open(&host, (ours.ip, 8000).into())?.is_heard()?;
        assert_eq!((servers[0].accepted(), servers[1].accepted()), (1, 0));
        let private = wait_for(SOON, "the private address to be shown", || {
            let shown = stage.get("/api/v1/inspect/endpoints/theirs/")?;
            let text = shown["Oper"]["privateAddress"].as_str().map(str::to_owned);
            let text = text.with_context(|| shown.to_string())?;
            Ok::<IpAddr, anyhow::Error>(text.parse()?)
        })?;
        Talk::open(&host, SocketAddr::new(private, 8000))?.is_heard()?;
        assert_eq!((servers[0].accepted(), servers[1].accepted()), (1, 1));
        Ok(())
    })
}

#[test]
fn policy_judges_the_world_and_the_host_as_peers_without_a_group() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add p 2 -d out -l tcp -s 198.51.100.1 -j deny")?;
        stage.netctl("group create one guarded -p p")?;
        let inside = stage.start("inside", "guarded")?;
        let plain = stage.start("plain", "one")?;
        let world: IpAddr = World::ADDRESS.into();
        let _server = stage.world.netns().tcp_echo((world, 7000).into())?;
        let _inside = inside.listens(8000)?;
        plain.connects(world, 7000)?;
        inside.is_barred(world, 7000)?;
        inside.pings(world)?;
        barred(&stage.host_netns()?, "the host", (inside.ip, 8000).into())?;
        reaches(&stage.host_netns()?, "the host", inside.ip)
    })
}

fn host_addresses(stage: &Stage) -> Result<Vec<IpAddr>> {
    let listed = stage.host_netns()?.ip("-4 -br addr")?;
    let words = listed.split_whitespace();
    let addresses = words.filter_map(|word| word.split_once('/')?.0.parse::<IpAddr>().ok());
    Ok(addresses.filter(|address| !address.is_loopback()).collect())
}
