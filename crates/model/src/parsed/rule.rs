//! Rules.

mod addresses;
mod protocol;

pub use addresses::Addresses;
pub use protocol::protocol;

use super::Ports;
use super::choice::choice;
use crate::agent::{Action, AddressRange, Direction};
use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Rule};

const HIGHEST_PRIORITY: u32 = 100;
const LONGEST_DESCRIPTION: usize = 256;

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
    /// The peer's addresses without the exceptions; empty means any.
    pub peer_addresses: Vec<AddressRange>,
    /// The own address that an incoming rule is limited to; empty means any.
    pub own_addresses: Vec<AddressRange>,
    /// ICMP (1) stands for ICMPv6 (58) too, unless a type is given.
    pub protocol: Option<u8>,
    /// Destination ports of TCP and UDP; none means every one.
    pub ports: Ports,
    pub icmp_type: Option<u8>,
    /// Only with a type.
    pub icmp_code: Option<u8>,
    pub log: bool,
    pub keep_established: bool,
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
        let from = side(
            ("fromIpAddress", &self.from_ip_address),
            ("fromIpExcept", &self.from_ip_except),
        )?;
        let to = side(
            ("toIpAddress", &self.to_ip_address),
            ("toIpExcept", &self.to_ip_except),
        )?;
        let (peer_addresses, own_addresses) = match direction {
            Direction::In => (from, to),
            Direction::Out => (to, Vec::new()),
        };
        let protocol = protocol::protocol(&self.protocol)?;
        let (icmp_type, icmp_code) = protocol::icmp(self, protocol)?;
        description(&self.description)?;
        let words = [
            ("allow", Action::Allow),
            ("deny", Action::Deny),
            ("pass", Action::Pass),
        ];
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
            ports: protocol::ports(self, protocol)?,
            icmp_type,
            icmp_code,
            log: self.log,
            keep_established: self.keep_established,
        })
    }

    /// Refuses what contradicts itself:
    ///
    /// 1. an incoming rule with a destination group or network,
    /// 2. an outgoing rule with any source,
    /// 3. a peer that is given by its network and by its addresses or its group as well,
    /// 4. exceptions of a network: they are taken out of addresses alone.
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
                ("fromIpExcept", &self.from_ip_except, "toIpExcept"),
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
        let (network, group, address, except) = match direction {
            Direction::In => (
                ("fromNetwork", &self.from_network),
                ("fromEndpointGroup", &self.from_endpoint_group),
                ("fromIpAddress", &self.from_ip_address),
                ("fromIpExcept", &self.from_ip_except),
            ),
            Direction::Out => (
                ("toNetwork", &self.to_network),
                ("toEndpointGroup", &self.to_endpoint_group),
                ("toIpAddress", &self.to_ip_address),
                ("toIpExcept", &self.to_ip_except),
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
        if !network.1.is_empty() && !except.1.is_empty() {
            return Err(Invalid::new(
                except.0,
                format!(
                    "{:?} cannot be taken out of a network; give the subnets of {} {:?} as {} \
                     instead of it",
                    except.1, network.0, network.1, address.0
                ),
            ));
        }
        Ok(())
    }
}

fn side(
    listed: (&'static str, &str),
    exceptions: (&'static str, &str),
) -> Result<Vec<AddressRange>, Invalid> {
    let all = Addresses::parse(listed.0, listed.1)?;
    Ok(all.without(listed, exceptions)?.ranges().collect())
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

/// What people write about an object, in one line of a moderate length.
pub(super) fn description(text: &str) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length > LONGEST_DESCRIPTION {
        let message =
            format!("has {length} characters; {LONGEST_DESCRIPTION} are the most, say it shorter");
        return Err(Invalid::new("description", message));
    }
    if text.chars().any(char::is_control) {
        let message = format!("{text:?} has a control character in it; write one line of text");
        return Err(Invalid::new("description", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
