//! What flannel sets up on a host for VXLAN, by hand.
//!
//! ```text
//! container 10.244.N.2 ── cni0 10.244.N.1 ── flannel.1 10.244.N.0 ── eth0
//! ```
//!
//! The other host's subnet is routed to its `flannel.1`, whose link address and tunnel end are
//! entered by hand, as flanneld does (flannel, `pkg/backend/vxlan`).

use std::sync::Arc;

use anyhow::Result;
use contiv_testbed::{Host, Netns, World};

use crate::load::Ends;

/// Flannel's own, and Linux's number of the port.
const DEVICE: &str = "flannel.1 type vxlan id 1 dstport 8472 nolearning";

/// What the tunnel leaves of 1500 bytes.
const MTU: u32 = 1450;

pub(super) struct Pair {
    pub(super) ends: Ends,
    hosts: [Host; 2],
    _world: Arc<World>,
}

impl Pair {
    pub(super) fn new() -> Result<Pair> {
        let world = Arc::new(World::new()?);
        let hosts = [Host::new("flannel")?, Host::new("flannel")?];
        let mut ends = Vec::new();
        for host in &hosts {
            ends.push(world.attach(host)?);
        }
        let containers = [Netns::new()?, Netns::new()?];
        for (at, host) in hosts.iter().enumerate() {
            let (own, other) = (at + 1, 2 - at);
            let (netns, container) = (host.netns()?, &containers[at]);
            netns.run("sysctl -qw net.ipv4.ip_forward=1")?;
            netns.ip(&format!("link add {DEVICE} local {} dev eth0", ends[at]))?;
            netns.ip("link add cni0 type bridge")?;
            netns.veth("port", container, "eth0")?;
            let there = mac(other);
            for line in [
                format!("link set flannel.1 address {} mtu {MTU} up", mac(own)),
                format!("addr add 10.244.{own}.0/32 dev flannel.1"),
                format!("link set cni0 mtu {MTU} up"),
                format!("addr add 10.244.{own}.1/24 dev cni0"),
                format!("link set port mtu {MTU} master cni0"),
                format!("route add 10.244.{other}.0/24 via 10.244.{other}.0 dev flannel.1 onlink"),
                format!("neigh add 10.244.{other}.0 lladdr {there} nud permanent dev flannel.1"),
            ] {
                netns.ip(&line)?;
            }
            let end = ends[1 - at];
            netns.run(&format!("bridge fdb add {there} dev flannel.1 dst {end}"))?;
            container.ip(&format!("link set eth0 mtu {MTU}"))?;
            container.ip(&format!("addr add 10.244.{own}.2/24 dev eth0"))?;
            container.ip(&format!("route add default via 10.244.{own}.1"))?;
        }
        let [client, server] = containers;
        let ends = Ends {
            client,
            server,
            target: [10, 244, 2, 2].into(),
        };
        Ok(Pair {
            ends,
            hosts,
            _world: world,
        })
    }

    /// Packets that have left by the first host's tunnel.
    pub(super) fn tunnelled(&self) -> Result<u64> {
        super::sent(&self.hosts[0].netns()?, "flannel.1")
    }
}

fn mac(host: usize) -> String {
    format!("0a:00:00:00:00:0{host}")
}
