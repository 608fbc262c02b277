//! A rule made ready for the tables: its place in the order, and the packets that it is about.

use std::sync::Arc;

use contiv_datapath_abi::policy::{Action, Decision, ICMP, ICMPV6, Selector, TCP, UDP};
use contiv_model::agent::AddressRange;

use crate::prefix::{everything_but, prefixes_of};
use crate::{PolicyRule, PortRange, Prefix};

/// What the compiler keeps of a rule.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) rule: Arc<PolicyRule>,
    /// Of the rule's policy.
    pub(crate) order: u16,
    pub(crate) decision: Decision,
    /// None for ports of a protocol that has no ports.
    pub(crate) selectors: Vec<Selector>,
}

impl Term {
    /// The rule's number and priority have been checked.
    pub(crate) fn new(rule: &Arc<PolicyRule>, order: u16) -> Term {
        let priority = u8::try_from(rule.priority).unwrap_or(u8::MAX);
        let mut decision = Decision::new(order, priority, rule.action, rule.number);
        if rule.log {
            decision = decision.logged();
        }
        if rule.keep_established && rule.action == Action::Allow {
            decision = decision.kept();
        }
        Term {
            rule: Arc::clone(rule),
            order,
            decision,
            selectors: selectors(rule),
        }
    }

    /// The peer's addresses; `None` when any will do.
    pub(crate) fn peer_prefixes(&self) -> Option<Vec<Prefix>> {
        let rule = &self.rule;
        if !rule.names_peer_addresses() {
            return None;
        }
        let ranges: Vec<AddressRange> = if rule.peer_except.is_empty() {
            return Some(prefixes_of(&rule.peer_addresses).into_iter().collect());
        } else {
            everything_but(&rule.peer_addresses, &rule.peer_except)
        };
        Some(prefixes_of(&ranges).into_iter().collect())
    }
}

/// The packets that a rule is about.
fn selectors(rule: &PolicyRule) -> Vec<Selector> {
    match (rule.protocol, rule.ports.is_empty(), rule.icmp.is_empty()) {
        (None, true, true) => vec![Selector::ALL],
        (Some(ICMP), true, true) => vec![Selector::protocol(ICMP), Selector::protocol(ICMPV6)],
        (Some(protocol), true, true) => vec![Selector::protocol(protocol)],
        (None, false, true) => {
            let mut selectors = blocks(TCP, rule.ports.iter().copied());
            selectors.extend(blocks(UDP, rule.ports.iter().copied()));
            selectors
        }
        (Some(protocol @ (TCP | UDP)), false, true) => blocks(protocol, rule.ports.iter().copied()),
        (Some(protocol @ (ICMP | ICMPV6)), true, false) => {
            let messages = rule.icmp.iter().map(|message| PortRange {
                first: u16::from_be_bytes([message.kind, message.code.unwrap_or(0)]),
                last: u16::from_be_bytes([message.kind, message.code.unwrap_or(u8::MAX)]),
            });
            blocks(protocol, messages)
        }
        _ => vec![],
    }
}

/// The fewest aligned blocks that hold the same ports: of a range at most 104.
fn blocks(protocol: u8, ranges: impl Iterator<Item = PortRange>) -> Vec<Selector> {
    let mut blocks = Vec::new();
    for range in ranges {
        let (mut first, end) = (u32::from(range.first), u32::from(range.last) + 1);
        while first < end {
            let size = (0..Selector::SIZES)
                .rev()
                .find(|size| first % (1 << (4 * size)) == 0 && first + (1 << (4 * size)) <= end)
                .unwrap_or(0);
            blocks.push(Selector::block(protocol, first as u16, size));
            first += 1 << (4 * size);
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: u16, last: u16) -> Vec<(u16, u8)> {
        let blocks = blocks(TCP, [PortRange { first, last }].into_iter());
        blocks.iter().map(|b| (b.port, b.scope - 2)).collect()
    }

    #[test]
    fn a_range_is_the_fewest_blocks() {
        assert_eq!(of(80, 80), [(80, 0)]);
        assert_eq!(of(81, 80), []);
        assert_eq!(of(0, 65_535).len(), 16);
        assert_eq!(of(1, 65_534).len(), 104);
        assert_eq!(
            of(0x1ffe, 0x2110),
            [
                (0x1ffe, 0),
                (0x1fff, 0),
                (0x2000, 2),
                (0x2100, 1),
                (0x2110, 0)
            ]
        );
    }
}
