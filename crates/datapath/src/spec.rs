//! What the data plane of a host should be, in plain values.
//!
//! The agent computes a [`Desired`] from what masters told it; the data plane
//! is level-triggered: it reads what the kernel has and applies the difference.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

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
    pub mtu: u32,
    /// Set when the host itself uses an overlapping prefix: no route is installed here.
    pub unreachable_from_host: bool,
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
