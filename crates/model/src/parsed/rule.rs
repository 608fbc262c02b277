//! Rules.

mod addresses;

use super::choice::choice;
use super::subnet::decimal;
use crate::agent::{Action, AddressRange, Direction};
use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Rule};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const HIGHEST_PRIORITY: u32 = 100;

/// A [`Rule`] in typed values. The peer is the other side than the policy's group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedRule {
    pub tenant: Name,
    pub policy: Name,
    pub id: Name,
    pub direction: Direction,
    /// 1 to 100, the higher number wins.
    pub priority: u32,
    pub action: Action,
    pub peer_group: Option<Name>,
    /// The peer is in this network; its subnets stand for it.
    pub peer_network: Option<Name>,
    /// The peer's addresses; empty means any.
    pub peer_addresses: Vec<AddressRange>,
    /// The own address that an incoming rule is limited to; empty means any.
    pub own_addresses: Vec<AddressRange>,
    /// ICMP (1) stands for ICMPv6 (58) too.
    pub protocol: Option<u8>,
    /// Destination port of TCP and UDP.
    pub port: Option<u16>,
}

impl Rule {
    /// The rule in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedRule, Invalid> {
        self.check_key()?;
        let words = [("in", Direction::In), ("out", Direction::Out)];
        let direction = choice("direction", &self.direction, &words)?;
        self.check_sides(direction)?;
        let tenant = Name::required("tenantName", &self.tenant_name)?;
        let policy = Name::required("policyName", &self.policy_name)?;
        let id = Name::required("ruleId", &self.rule_id)?;
        let from_group = Name::optional("fromEndpointGroup", &self.from_endpoint_group)?;
        let to_group = Name::optional("toEndpointGroup", &self.to_endpoint_group)?;
        let from_network = Name::optional("fromNetwork", &self.from_network)?;
        let to_network = Name::optional("toNetwork", &self.to_network)?;
        let from = addresses::parse("fromIpAddress", &self.from_ip_address)?;
        let to = addresses::parse("toIpAddress", &self.to_ip_address)?;
        let (peer_addresses, own_addresses) = match direction {
            Direction::In => (from, to),
            Direction::Out => (to, Vec::new()),
        };
        let protocol = protocol(&self.protocol)?;
        let words = [("allow", Action::Allow), ("deny", Action::Deny)];
        Ok(ParsedRule {
            tenant,
            policy,
            id,
            direction,
            priority: priority(self.priority)?,
            action: choice("action", &self.action, &words)?,
            peer_group: from_group.or(to_group),
            peer_network: from_network.or(to_network),
            peer_addresses,
            own_addresses,
            protocol,
            port: port(self.port, protocol, &self.protocol)?,
        })
    }

    /// Refuses what contradicts itself:
    ///
    /// 1. an incoming rule with a destination group or network,
    /// 2. an outgoing rule with any source,
    /// 3. a peer that is given by its network and by its addresses or its group as well.
    ///
    /// A peer's group and its addresses may be given together; both must match then.
    fn check_sides(&self, direction: Direction) -> Result<(), Invalid> {
        let wrong_side = match direction {
            Direction::In => &[
                (
                    "toEndpointGroup",
                    &self.to_endpoint_group,
                    "fromEndpointGroup",
                ),
                ("toNetwork", &self.to_network, "fromNetwork"),
            ][..],
            Direction::Out => &[
                (
                    "fromEndpointGroup",
                    &self.from_endpoint_group,
                    "toEndpointGroup",
                ),
                ("fromNetwork", &self.from_network, "toNetwork"),
                ("fromIpAddress", &self.from_ip_address, "toIpAddress"),
            ],
        };
        for (field, value, instead) in wrong_side {
            if !value.is_empty() {
                return Err(Invalid::new(
                    field,
                    format!(
                        "{value:?} makes no sense with direction {}; give {instead}, or the other \
                         direction",
                        self.direction
                    ),
                ));
            }
        }
        let (network, group, address) = match direction {
            Direction::In => (
                ("fromNetwork", &self.from_network),
                ("fromEndpointGroup", &self.from_endpoint_group),
                ("fromIpAddress", &self.from_ip_address),
            ),
            Direction::Out => (
                ("toNetwork", &self.to_network),
                ("toEndpointGroup", &self.to_endpoint_group),
                ("toIpAddress", &self.to_ip_address),
            ),
        };
        for (other, value) in [group, address] {
            if !network.1.is_empty() && !value.is_empty() {
                return Err(Invalid::new(
                    network.0,
                    format!(
                        "{:?} and {other} {value:?} exclude each other; give one of them",
                        network.1
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn priority(priority: u32) -> Result<u32, Invalid> {
    match priority {
        0 => Ok(1),
        1..=HIGHEST_PRIORITY => Ok(priority),
        _ => Err(Invalid::new(
            "priority",
            format!("{priority} is too high; priorities go from 1 to {HIGHEST_PRIORITY}"),
        )),
    }
}

fn protocol(text: &str) -> Result<Option<u8>, Invalid> {
    match text {
        "" => return Ok(None),
        "tcp" => return Ok(Some(TCP)),
        "udp" => return Ok(Some(UDP)),
        "icmp" => return Ok(Some(ICMP)),
        "icmpv6" | "icmp6" => return Ok(Some(ICMPV6)),
        _ => {}
    }
    match decimal(text) {
        Some(number) => Ok(Some(number)),
        None => Err(Invalid::new(
            "protocol",
            format!(
                "{text:?} is not known; give tcp, udp, icmp, icmpv6, a number from 0 to 255, or \
                 nothing for every protocol"
            ),
        )),
    }
}

fn port(port: u32, protocol: Option<u8>, text: &str) -> Result<Option<u16>, Invalid> {
    if port == 0 {
        return Ok(None);
    }
    let Ok(number) = u16::try_from(port) else {
        return Err(Invalid::new(
            "port",
            format!("{port} is too high; ports go from 1 to 65535, and 0 means every port"),
        ));
    };
    match protocol {
        None | Some(TCP | UDP) => Ok(Some(number)),
        Some(_) => Err(Invalid::new(
            "port",
            format!("{port} makes no sense with protocol {text}, which has no ports; leave it out"),
        )),
    }
}

#[cfg(test)]
mod tests;
