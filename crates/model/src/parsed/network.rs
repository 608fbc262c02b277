//! Networks.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use super::Subnet;
use super::choice::choice;
use super::global::{LAST_VLAN, LAST_VXLAN, ParsedGlobal};
use crate::agent::Encap;
use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Network};

/// Names that an engine keeps for networks of its own.
const FORBIDDEN: [&str; 4] = ["host", "bridge", "none", "default"];

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkType {
    /// For containers.
    Data,
    /// For hosts.
    Infra,
}

/// A [`Network`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedNetwork {
    pub tenant: Name,
    pub name: Name,
    pub nw_type: NetworkType,
    pub encap: Encap,
    /// The tag that was asked for; the lowest free one otherwise.
    pub tag: Option<u32>,
    pub subnet: Subnet,
    pub gateway: Option<Ipv4Addr>,
    pub ipv6_subnet: Option<Ipv6Net>,
    pub ipv6_gateway: Option<Ipv6Addr>,
    pub cfgd_tag: Option<Name>,
}

/// Whether a network bears a name that is given to those made for a Docker network,
/// which then have no second one.
pub fn is_automatic(name: &str) -> bool {
    name.strip_prefix("docker-")
        .is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Network {
    /// The network in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedNetwork, Invalid> {
        self.check_key()?;
        let tenant = Name::required("tenantName", &self.tenant_name)?;
        let name = docker_name("networkName", &self.network_name)?;
        let nw_type = choice(
            "nwType",
            match self.nw_type.as_str() {
                "" => "data",
                text => text,
            },
            &[("data", NetworkType::Data), ("infra", NetworkType::Infra)],
        )?;
        let words = [("vlan", Encap::Vlan), ("vxlan", Encap::Vxlan)];
        let encap = choice("encap", &self.encap, &words)?;
        let subnet = Subnet::parse(&self.subnet)?;
        let ipv6_subnet = ipv6_subnet(&self.ipv6_subnet)?;
        Ok(ParsedNetwork {
            tenant,
            name,
            nw_type,
            encap,
            tag: tag(encap, self.pkt_tag)?,
            subnet,
            gateway: gateway(&self.gateway, &subnet)?,
            ipv6_subnet,
            ipv6_gateway: ipv6_gateway(&self.ipv6_gateway, ipv6_subnet)?,
            cfgd_tag: Name::tag("cfgdTag", &self.cfgd_tag)?,
        })
    }
}

impl ParsedNetwork {
    /// The tag that Docker networks of Swarm mode are mapped by.
    pub fn network_tag(&self) -> String {
        match &self.cfgd_tag {
            Some(tag) => tag.to_string(),
            None => format!("{}.{}", self.name, self.tenant),
        }
    }

    /// Refuses a network that shares addresses with another one of its tenant: one range with
    /// another, a gateway with the other's range, or IPv6 subnets. Ranges of one subnet that do
    /// not meet are fine, and so is one gateway for both.
    pub fn check_apart_from(&self, other: &ParsedNetwork) -> Result<(), Invalid> {
        let refuse = |field, value: &str, shared: &str| {
            let ParsedNetwork { tenant, name, .. } = other;
            Err(Invalid::new(
                field,
                format!(
                    "{value} shares {shared} with network {tenant}:{name}; choose addresses that \
                     no other network of the tenant has"
                ),
            ))
        };
        let (ours, theirs) = (self.subnet.claimed(), other.subnet.claimed());
        if let Some(shared) = ours.shared_with(&theirs) {
            return refuse("subnet", &self.subnet.to_string(), &shared.to_string());
        }
        if let Some(gateway) = self.gateway.filter(|g| theirs.contains(*g)) {
            return refuse("gateway", &gateway.to_string(), "the address");
        }
        if let Some(gateway) = other.gateway.filter(|g| ours.contains(*g)) {
            let shared = format!("{gateway}, the gateway,");
            return refuse("subnet", &self.subnet.to_string(), &shared);
        }
        if let (Some(ours), Some(theirs)) = (self.ipv6_subnet, other.ipv6_subnet) {
            let narrower = if ours.prefix_len() >= theirs.prefix_len() {
                ours
            } else {
                theirs
            };
            if ours.contains(&theirs) || theirs.contains(&ours) {
                return refuse("ipv6Subnet", &ours.to_string(), &narrower.to_string());
            }
        }
        Ok(())
    }

    /// Refuses a tag that was asked for and is outside of the global range for its encapsulation.
    pub fn check_tag(&self, global: &ParsedGlobal) -> Result<(), Invalid> {
        let (range, what, field) = match self.encap {
            Encap::Vlan => (global.vlans, "VLAN tag", "vlans"),
            Encap::Vxlan => (global.vxlans, "VNI", "vxlans"),
        };
        match self.tag {
            Some(tag) if !range.contains(tag) => Err(Invalid::new(
                "pktTag",
                format!(
                    "{what} {tag} is outside of {range}; choose one of these, or widen {field} of \
                     the global object"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The name of an object that gets a Docker network.
pub(super) fn docker_name(field: &'static str, text: &str) -> Result<Name, Invalid> {
    let name = Name::required(field, text)?;
    if FORBIDDEN.contains(&name.as_str()) {
        return Err(Invalid::new(
            field,
            format!("{text:?} is the name of one of Docker's own networks; choose another"),
        ));
    }
    Ok(name)
}

fn tag(encap: Encap, tag: u32) -> Result<Option<u32>, Invalid> {
    let (last, what) = match encap {
        Encap::Vlan => (LAST_VLAN, "VLAN tags"),
        Encap::Vxlan => (LAST_VXLAN, "VNIs"),
    };
    match tag {
        0 => Ok(None),
        tag if tag <= last => Ok(Some(tag)),
        tag => Err(Invalid::new(
            "pktTag",
            format!("{tag} is too high; {what} go from 1 to {last}, and 0 lets netmaster choose"),
        )),
    }
}

fn gateway(text: &str, subnet: &Subnet) -> Result<Option<Ipv4Addr>, Invalid> {
    let refuse = |why: String| Err(Invalid::new("gateway", format!("{text:?} {why}")));
    if text.is_empty() {
        return Ok(None);
    }
    let Ok(gateway) = text.parse::<Ipv4Addr>() else {
        return refuse("is not an IPv4 address; write one such as 10.1.2.254".to_owned());
    };
    let net = subnet.net;
    if !net.contains(&gateway) {
        return refuse(format!(
            "is outside of {net}; choose an address of the subnet"
        ));
    }
    if !subnet.has_host(gateway) {
        return refuse(format!(
            "is the first or the last address of {net}; choose one between them"
        ));
    }
    Ok(Some(gateway))
}

fn ipv6_subnet(text: &str) -> Result<Option<Ipv6Net>, Invalid> {
    let refuse = |why: &str| Err(Invalid::new("ipv6Subnet", format!("{text:?} {why}")));
    if text.is_empty() {
        return Ok(None);
    }
    let Ok(net) = text.parse::<Ipv6Net>() else {
        return refuse("is not an IPv6 subnet; write one such as 2001:db8:1::/64");
    };
    let net = net.trunc();
    if !(1..=127).contains(&net.prefix_len()) {
        return refuse("has a prefix length that networks cannot have; choose one from 1 to 127");
    }
    for (special, what) in [
        ("::/8", "which is reserved"),
        ("fe80::/10", "which every link has for itself"),
        ("ff00::/8", "which is for multicast"),
    ] {
        let special: Ipv6Net = special.parse().expect("the table holds subnets");
        if special.contains(&net) || net.contains(&special) {
            return refuse(&format!(
                "overlaps {special}, {what}; choose another subnet"
            ));
        }
    }
    Ok(Some(net))
}

fn ipv6_gateway(text: &str, net: Option<Ipv6Net>) -> Result<Option<Ipv6Addr>, Invalid> {
    let refuse = |why: String| Err(Invalid::new("ipv6Gateway", format!("{text:?} {why}")));
    if text.is_empty() {
        return Ok(None);
    }
    let Ok(gateway) = text.parse::<Ipv6Addr>() else {
        return refuse("is not an IPv6 address; write one such as 2001:db8:1::1".to_owned());
    };
    let Some(net) = net else {
        return refuse("has no subnet; give ipv6Subnet as well".to_owned());
    };
    if !net.contains(&gateway) {
        return refuse(format!(
            "is outside of {net}; choose an address of the subnet"
        ));
    }
    if gateway == net.network() && net.prefix_len() < 127 {
        return refuse(format!(
            "is the first address of {net}; choose a higher one"
        ));
    }
    Ok(Some(gateway))
}

#[cfg(test)]
mod tests;
