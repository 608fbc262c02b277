//! What lies beyond a host: a bridge with an address, and whatever the test serves there.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Result;

use crate::{Host, Netns};

/// An underlay in a namespace of its own, 198.51.100.0/24 (RFC 5737), itself at `.1`.
#[derive(Debug)]
pub struct World {
    netns: Netns,
    hosts: AtomicU8,
}

impl World {
    /// The world's own address, the default gateway of its hosts.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

    /// Makes a world without hosts.
    pub fn new() -> Result<Self> {
        let netns = Netns::new()?;
        netns.ip("link add underlay type bridge")?;
        netns.ip(&format!("addr add {}/24 dev underlay", Self::ADDRESS))?;
        netns.ip("link set underlay up")?;
        Ok(Self {
            netns,
            hosts: AtomicU8::new(0),
        })
    }

    /// The namespace, to start servers and probes in.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Gives `host` an `eth0` with an address of the underlay, which is returned, and a default
    /// route to the world.
    pub fn attach(&self, host: &Host) -> Result<Ipv4Addr> {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::new(198, 51, 100, 11 + number);
        self.plug(host, address)?;
        Ok(address)
    }

    /// Gives a host that was rebooted the `eth0` with the address that it had.
    pub fn attach_again(&self, host: &Host, address: Ipv4Addr) -> Result<()> {
        // The link went with the other end's namespace, or is about to.
        let port = port(address);
        self.netns.ip(&format!("link del {port}")).ok();
        self.plug(host, address)
    }

    fn plug(&self, host: &Host, address: Ipv4Addr) -> Result<()> {
        let port = port(address);
        let inside = host.netns()?;
        self.netns.veth(&port, &inside, "eth0")?;
        self.netns.ip(&format!("link set {port} master underlay"))?;
        inside.ip(&format!("addr add {address}/24 dev eth0"))?;
        inside.ip(&format!("route add default via {}", Self::ADDRESS))?;
        Ok(())
    }
}

/// The bridge's end of the link to a host.
fn port(address: Ipv4Addr) -> String {
    format!("host{}", address.octets()[3])
}
