//! The reference evaluator: the meaning of a policy, by walking every rule.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::policy::{Action, ICMP, ICMPV6, Query, TCP, UDP, Verdict};
use contiv_model::agent::AddressRange;

use crate::{PolicyRule, TenantPolicy, Tier};

/// Judges a query, whose `root` it does not read.
///
/// 1. Rules in force are those of all policies of the subject's group that are not staged.
/// 2. Of those, the ones that match the query take part, see `matches`.
/// 3. Tiers are asked in order: admin, normal, baseline. In a tier the policy of the highest
///    order wins; then the highest priority; then deny over pass over allow; then the smallest
///    number. If it allows or denies, that is the verdict.
/// 4. If it passes, or none takes part, the next tier is asked; after the last one the group's
///    default decides, by a built-in rule.
/// 5. The same with staged policies among the others is the staged verdict. It is told where its
///    action or its rule is another one.
pub fn evaluate_reference(policy: &TenantPolicy, query: &Query) -> Verdict {
    let verdict = judge(policy, query, false);
    let with_staged = judge(policy, query, true).outcome();
    Verdict {
        staged: (with_staged != verdict.outcome()).then_some(with_staged),
        ..verdict
    }
}

fn judge(policy: &TenantPolicy, query: &Query, with_staged: bool) -> Verdict {
    if query.subject_group == 0 {
        return Verdict::DEFAULT;
    }
    for tier in Tier::ALL {
        let winner = policy
            .rules
            .iter()
            .filter(|rule| {
                let place = policy.placement(&rule.policy);
                place.tier == tier && (with_staged || !place.staged)
            })
            .filter(|rule| is_attached(policy, query.subject_group, rule))
            .filter(|rule| matches(rule, query))
            .max_by_key(|rule| {
                (
                    policy.placement(&rule.policy).order,
                    rule.priority,
                    strength(rule.action),
                    Reverse(rule.number),
                )
            });
        match winner {
            Some(rule) if rule.action != Action::Pass => {
                return Verdict {
                    action: rule.action,
                    rule: rule.number,
                    log: rule.log,
                    keep: rule.keep_established && rule.action == Action::Allow,
                    staged: None,
                };
            }
            _ => {}
        }
    }
    let (action, rule) = policy
        .defaults_of(query.subject_group)
        .decide(query.direction);
    Verdict {
        action,
        rule,
        ..Verdict::DEFAULT
    }
}

/// Of equals in order and priority, the one that opens less wins.
fn strength(action: Action) -> u8 {
    match action {
        Action::Allow => 0,
        Action::Pass => 1,
        Action::Deny => 2,
    }
}

fn is_attached(policy: &TenantPolicy, group: u32, rule: &PolicyRule) -> bool {
    policy
        .groups
        .get(&group)
        .is_some_and(|policies| policies.contains(&rule.policy))
}

fn matches(rule: &PolicyRule, query: &Query) -> bool {
    rule.direction == query.direction
        && rule
            .peer_group
            .is_none_or(|group| group != 0 && group == query.peer_group)
        && (rule.peer_addresses.is_empty() || holds(&rule.peer_addresses, query.peer_address))
        && !holds(&rule.peer_except, query.peer_address)
        && (rule.own_addresses.is_empty() || holds(&rule.own_addresses, query.own_address))
        && protocol_matches(rule, query.protocol)
        && port_matches(rule, query)
        && icmp_matches(rule, query)
}

/// A range holds addresses of its own family.
fn holds(ranges: &[AddressRange], address: [u8; 16]) -> bool {
    let address = Ipv6Addr::from(address).to_canonical();
    ranges
        .iter()
        .any(|range| match (range.first, address, range.last) {
            (IpAddr::V4(first), IpAddr::V4(a), IpAddr::V4(last)) => first <= a && a <= last,
            (IpAddr::V6(first), IpAddr::V6(a), IpAddr::V6(last)) => first <= a && a <= last,
            _ => false,
        })
}

/// Whoever says ICMP, and no type, means that of both families.
fn protocol_matches(rule: &PolicyRule, packet: u8) -> bool {
    match rule.protocol {
        None => true,
        Some(ICMP) if rule.icmp.is_empty() => packet == ICMP || packet == ICMPV6,
        Some(protocol) => protocol == packet,
    }
}

/// A rule with ports is about TCP and UDP, and about nothing else.
fn port_matches(rule: &PolicyRule, query: &Query) -> bool {
    let has_port = matches!(query.protocol, TCP | UDP);
    let within = |range: &crate::PortRange| range.first <= query.port && query.port <= range.last;
    rule.ports.is_empty() || has_port && rule.ports.iter().any(within)
}

/// A rule with ICMP messages is about the protocol that it names, ICMP or ICMPv6.
fn icmp_matches(rule: &PolicyRule, query: &Query) -> bool {
    let has_type = matches!(rule.protocol, Some(ICMP | ICMPV6));
    let [kind, code] = query.port.to_be_bytes();
    let is = |message: &crate::IcmpMessage| {
        message.kind == kind && message.code.is_none_or(|wanted| wanted == code)
    };
    rule.icmp.is_empty() || has_type && rule.icmp.iter().any(is)
}

#[cfg(test)]
mod tests;
