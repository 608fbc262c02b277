//! What the data plane of a host should be, in plain values.
//!
//! The agent computes a [`Desired`] from what masters told it; the data plane
//! is level-triggered: it reads what the kernel has and applies the difference.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use contiv_policy::TenantPolicy;
use ipnet::{Ipv4Net, Ipv6Net};

/// Everything that concerns the tenants of this host.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Networks of one tenant are routed to each other when set, else separate.
    pub routing: bool,
    /// By tenant number.
    pub tenants: BTreeMap<u32, TenantSpec>,
    /// By network number.
    pub networks: BTreeMap<u32, NetworkSpec>,
    /// Endpoints of this host, by id.
    pub local: BTreeMap<String, EndpointSpec>,
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

/// The names of an endpoint's links, derived from its id alone.
///
/// The host keeps `cvXXXXXXXXXXXXX`, the container is given `ccXXXXXXXXXXXXX`
/// (13 digits of the endpoint's id; interface names have at most 15 bytes).
pub fn link_names(endpoint_id: &str) -> (String, String) {
    let digits: String = endpoint_id.chars().filter(char::is_ascii_alphanumeric).take(13).collect();
    (format!("cv{digits}"), format!("cc{digits}"))
}
