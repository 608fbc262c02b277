//! What the data plane of a host should be, in plain values.
//!
//! The agent computes a [`Desired`] from what masters told it; the data plane
//! is level-triggered: it reads what the kernel has and applies the difference.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use contiv_policy::TenantPolicy;
use ipnet::{Ipv4Net, Ipv6Net};

pub use crate::names::link_names;

/// Everything that concerns the tenants of this host.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Private addresses of endpoints are taken from here, unless the host uses it.
    pub private_subnet: Ipv4Net,
    /// Networks of one tenant are routed to each other when set, else separate.
    pub routing: bool,
    /// By tenant number.
    pub tenants: BTreeMap<u32, TenantSpec>,
    /// By network number.
    pub networks: BTreeMap<u32, NetworkSpec>,
    /// Endpoints of this host, by id.
    pub local: BTreeMap<String, EndpointSpec>,
    /// Those of them that are interfaces of the host itself, by id, and what these are called.
    pub footholds: BTreeMap<String, String>,
    /// How this host meets others; none for a host on its own.
    pub underlay: Option<UnderlaySpec>,
    /// The other hosts, by name.
    pub hosts: BTreeMap<String, HostSpec>,
    /// Endpoints of other hosts, by id. What is handed over again as it was is not looked through
    /// again, and costs nothing however long it is.
    pub remote: Arc<BTreeMap<String, RemoteSpec>>,
    /// What is sent to all of a network goes to its members on other hosts, too.
    pub flood: bool,
}

impl Default for Desired {
    fn default() -> Self {
        let subnet = Ipv4Net::new(Ipv4Addr::new(172, 19, 0, 0), 16);
        Desired {
            private_subnet: subnet.expect("16 is a prefix length"),
            routing: false,
            tenants: BTreeMap::new(),
            networks: BTreeMap::new(),
            local: BTreeMap::new(),
            footholds: BTreeMap::new(),
            underlay: None,
            hosts: BTreeMap::new(),
            remote: Arc::default(),
            flood: false,
        }
    }
}

/// A tenant that has something on this host.
#[derive(Clone, Debug)]
pub struct TenantSpec {
    /// The host itself is an endpoint of the default tenant.
    pub is_default: bool,
    /// Groups and rules, as the policy compiler takes them.
    pub policy: TenantPolicy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    pub tenant: u32,
    pub subnet: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    pub ipv6_subnet: Option<Ipv6Net>,
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Largest packet of an endpoint. Where the underlay takes less, endpoints get less.
    pub mtu: u32,
    /// The network's number on the wire between hosts; 0 for one that is not carried by VXLAN.
    pub vni: u32,
    /// Set when the host itself uses an overlapping prefix: no route is installed here.
    pub unreachable_from_host: bool,
    /// Set when a connection to an IPv4 address that nobody has is refused, and not just lost.
    pub refuses: bool,
    /// Set for the network by which hosts reach all networks of the tenant.
    pub of_hosts: bool,
}

/// One interface of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    pub tenant: u32,
    pub network: u32,
    /// 0 for none.
    pub group: u32,
    pub ipv4: Ipv4Addr,
    pub ipv6: Option<Ipv6Addr>,
    pub mac: [u8; 6],
}

/// The tunnel's end on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderlaySpec {
    /// Where other hosts send to, and what they know this one by.
    pub address: IpAddr,
    /// Of all hosts; 4789 is VXLAN's own.
    pub udp_port: u16,
    /// The lowest largest packet of any host's link to the others, as far as anybody knows; that
    /// of this host's own link counts in any case.
    pub mtu: Option<u32>,
}

/// Another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its end of the tunnel, of the family of this host's.
    pub address: IpAddr,
}

/// One interface of one container on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSpec {
    pub tenant: u32,
    pub network: u32,
    /// 0 for none.
    pub group: u32,
    pub ipv4: Ipv4Addr,
    pub ipv6: Option<Ipv6Addr>,
    pub mac: [u8; 6],
    /// The name of the host that holds it.
    pub host: String,
}
