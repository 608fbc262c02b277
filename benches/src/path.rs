//! The ways between two ends that are compared.

use anyhow::{Context, Result};
use contiv_testbed::{Engine, Host, Netns, World};

use crate::load::Ends;

/// ```text
/// client 192.0.2.1 ── 192.0.2.2 server
/// ```
pub(crate) fn veth() -> Result<Ends> {
    let (client, server) = (Netns::new()?, Netns::new()?);
    client.veth("right", &server, "left")?;
    address(&client, "right", 1)?;
    address(&server, "left", 2)?;
    Ok(ends(client, server))
}

/// ```text
/// client 192.0.2.1 ── bridge ── 192.0.2.2 server
/// ```
pub(crate) fn bridge() -> Result<Bridge> {
    let (client, server, middle) = (Netns::new()?, Netns::new()?, Netns::new()?);
    middle.ip("link add bridge type bridge")?;
    middle.ip("link set bridge up")?;
    for (end, port, last) in [(&client, "port1", 1), (&server, "port2", 2)] {
        middle.veth(port, end, "eth0")?;
        middle.ip(&format!("link set {port} master bridge"))?;
        address(end, "eth0", last)?;
    }
    Ok(Bridge {
        ends: ends(client, server),
        _middle: middle,
    })
}

/// Two ends, and the namespace of the bridge between them.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) ends: Ends,
    _middle: Netns,
}

/// ```text
/// client 198.51.100.11 ── eth0 ── bridge ── eth0 ── 198.51.100.12 server
/// ```
pub(crate) fn underlay() -> Result<Underlay> {
    let (world, hosts) = (World::new()?, [Host::new("bare")?, Host::new("bare")?]);
    world.attach(&hosts[0])?;
    let target = world.attach(&hosts[1])?.into();
    let ends = Ends {
        client: hosts[0].netns()?,
        server: hosts[1].netns()?,
        target,
    };
    Ok(Underlay {
        ends,
        _hosts: hosts,
        _world: world,
    })
}

/// Two hosts as they are, and what joins them.
#[derive(Debug)]
pub(crate) struct Underlay {
    pub(crate) ends: Ends,
    _hosts: [Host; 2],
    _world: World,
}

/// Two containers, `NAME-client` and `NAME-server`, on a Docker network.
pub(crate) fn containers(engine: &Engine, network: &str, name: &str) -> Result<Ends> {
    let client = engine.run(&format!("{name}-client"), network, &[])?;
    let server = engine.run(&format!("{name}-server"), network, &[])?;
    Ok(Ends {
        client: client.netns()?,
        server: server.netns()?,
        target: server.ip_on(network)?,
    })
}

/// The MTU of the client's link; a path's throughput depends on it.
pub(crate) fn mtu(ends: &Ends) -> Result<u32> {
    let links = ends.client.ip("-o link show up type veth")?;
    let mut words = links.split_whitespace();
    let mtu = words.find(|word| *word == "mtu").and_then(|_| words.next());
    mtu.context("the client has no link")?
        .parse()
        .context("a link's MTU")
}

fn address(end: &Netns, link: &str, last: u8) -> Result<()> {
    end.ip(&format!("addr add 192.0.2.{last}/24 dev {link}"))?;
    Ok(())
}

fn ends(client: Netns, server: Netns) -> Ends {
    Ends {
        client,
        server,
        target: [192, 0, 2, 2].into(),
    }
}
