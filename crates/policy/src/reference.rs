//! The reference evaluator: the meaning of a policy, by walking every rule.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::policy::{Action, ICMP, ICMPV6, Query, TCP, UDP, Verdict};
use contiv_model::agent::AddressRange;

use crate::{PolicyRule, TenantPolicy};

/// Judges a query, whose `root` it does not read.
///
/// 1. Rules in force are those of all policies of the subject's group.
/// 2. Of those, the ones that match the query take part, see `matches`.
/// 3. The highest order wins; then the highest priority; then deny over allow;
///    then the smallest number.
/// 4. When none takes part the connection is allowed, by the default rule.
pub fn evaluate_reference(policy: &TenantPolicy, query: &Query) -> Verdict {
    let Some(policies) = policy
        .groups
        .get(&query.subject_group)
        .filter(|_| query.subject_group != 0)
    else {
        return Verdict::DEFAULT;
    };
    policy
        .rules
        .iter()
        .filter(|rule| policies.contains(&rule.policy))
        .filter(|rule| matches(rule, query))
        .max_by_key(|r| {
            (
                r.order,
                r.priority,
                r.action == Action::Deny,
                Reverse(r.number),
            )
        })
        .map_or(Verdict::DEFAULT, |rule| Verdict {
            action: rule.action,
            rule: rule.number,
        })
}

fn matches(rule: &PolicyRule, query: &Query) -> bool {
    rule.direction == query.direction
        && rule
            .peer_group
            .is_none_or(|group| group != 0 && group == query.peer_group)
        && holds(&rule.peer_addresses, query.peer_address)
        && holds(&rule.own_addresses, query.own_address)
        && protocol_matches(rule.protocol, query.protocol)
        && port_matches(rule.port, query)
}

/// An empty list holds every address; a range holds addresses of its own family.
fn holds(ranges: &[AddressRange], address: [u8; 16]) -> bool {
    let address = Ipv6Addr::from(address).to_canonical();
    let within = |range: &AddressRange| match (range.first, address, range.last) {
        (IpAddr::V4(first), IpAddr::V4(a), IpAddr::V4(last)) => first <= a && a <= last,
        (IpAddr::V6(first), IpAddr::V6(a), IpAddr::V6(last)) => first <= a && a <= last,
        _ => false,
    };
    ranges.is_empty() || ranges.iter().any(within)
}

/// Whoever says ICMP means that of both families.
fn protocol_matches(rule: Option<u8>, packet: u8) -> bool {
    match rule {
        None => true,
        Some(ICMP) => packet == ICMP || packet == ICMPV6,
        Some(protocol) => protocol == packet,
    }
}

/// A rule with a port is about TCP and UDP, and about nothing else.
fn port_matches(rule: Option<u16>, query: &Query) -> bool {
    rule.is_none_or(|port| matches!(query.protocol, TCP | UDP) && port == query.port)
}

#[cfg(test)]
mod tests;
