//! Policies of any size, all of one kind: what a group's members say to each other is allowed, all
//! else is denied, and the rest of the rules are about single ports of subnets.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use contiv_model::agent::AddressRange;
use contiv_policy::{Action, Direction, PolicyRule, PortRange, TenantPolicy};

/// The group of both ends.
pub(crate) const GROUP: u32 = 1;

const POLICY: &str = "bench";

/// A policy to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    Rules(usize),
    /// The least that asks for all that larger ones ask for.
    OfEachKind,
    /// So many prefixes, in a hundred rules.
    Prefixes(usize),
}

impl Size {
    /// Group and any peer, in and out, and a port of a subnet in and out.
    pub(crate) const OF_EACH_KIND: usize = 6;

    pub(crate) fn title(self) -> String {
        match self {
            Size::Rules(0) => "no rules".to_owned(),
            Size::Rules(1) => "1 rule".to_owned(),
            Size::Rules(count) => format!("{} rules", thousands(count)),
            Size::OfEachKind => format!("{} rules, one of each kind", Size::OF_EACH_KIND),
            Size::Prefixes(count) => format!("{} CIDRs", thousands(count)),
        }
    }

    pub(crate) fn policy(self) -> TenantPolicy {
        let mut rules = Vec::new();
        match self {
            Size::Rules(0) => {}
            Size::Rules(count) => {
                rules.push(within(16, Direction::In));
                let basis = [
                    within(17, Direction::Out),
                    closed(18, Direction::In),
                    closed(19, Direction::Out),
                ];
                rules.extend(basis.into_iter().take(count - 1));
                rules.extend((4..count).map(|number| one_port(number as u32)));
            }
            Size::OfEachKind => return Size::Rules(Size::OF_EACH_KIND).policy(),
            Size::Prefixes(count) => {
                rules.extend([within(16, Direction::In), within(17, Direction::Out)]);
                let each = count / 100;
                rules.extend((0..100).map(|rule| prefixes(rule, each)));
            }
        }
        let mut policy = TenantPolicy::default();
        policy
            .groups
            .insert(GROUP, BTreeSet::from([POLICY.to_owned()]));
        policy.rules = rules.into_iter().map(Arc::new).collect();
        policy
    }
}

fn thousands(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        _ => format!("{},{:03}", count / 1_000, count % 1_000),
    }
}

fn within(number: u32, direction: Direction) -> PolicyRule {
    PolicyRule {
        priority: 50,
        peer_group: Some(GROUP),
        ..PolicyRule::new(number, POLICY, direction, Action::Allow)
    }
}

fn closed(number: u32, direction: Direction) -> PolicyRule {
    PolicyRule::new(number, POLICY, direction, Action::Deny)
}

/// The subnet and the port of a rule; the first subnet is that of the ends.
pub(crate) fn place(number: u32) -> (Ipv4Addr, u16) {
    let at = number.saturating_sub(4);
    let subnet = Ipv4Addr::new(10, 1 + (at / 250) as u8, 1 + (at % 250) as u8, 0);
    (subnet, 8_000 + (number % 20_000) as u16)
}

/// A rule on one port of a /24.
pub(crate) fn one_port(number: u32) -> PolicyRule {
    let (subnet, port) = place(number);
    let direction = match number % 2 {
        0 => Direction::In,
        _ => Direction::Out,
    };
    PolicyRule {
        priority: 2 + number % 40,
        peer_addresses: vec![prefix(subnet, 24)],
        protocol: Some(6),
        ports: vec![PortRange::from(port)],
        ..PolicyRule::new(16 + number, POLICY, direction, Action::Deny)
    }
}

fn prefixes(rule: usize, each: usize) -> PolicyRule {
    let first = (rule * each) as u32;
    let all =
        (first..first + each as u32).map(|at| prefix(Ipv4Addr::from(0x0a01_0100 + 16 * at), 28));
    PolicyRule {
        priority: 2 + (rule % 40) as u32,
        peer_addresses: all.collect(),
        protocol: Some(6),
        ports: vec![PortRange::from(8_000 + rule as u16)],
        ..PolicyRule::new(18 + rule as u32, POLICY, Direction::In, Action::Deny)
    }
}

/// A rule on the /8 around all others' subnets.
pub(crate) fn around(number: u32) -> PolicyRule {
    PolicyRule {
        priority: 1,
        peer_addresses: vec![prefix(Ipv4Addr::new(10, 0, 0, 0), 8)],
        protocol: Some(6),
        ports: vec![PortRange::from(22)],
        ..PolicyRule::new(number, POLICY, Direction::In, Action::Deny)
    }
}

fn prefix(base: Ipv4Addr, bits: u32) -> AddressRange {
    let rest = u32::MAX >> bits;
    AddressRange {
        first: base.into(),
        last: Ipv4Addr::from(u32::from(base) | rest).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use contiv_datapath_abi::mapped;
    use contiv_datapath_abi::policy::{
        Decision, DecisionKey, Peer, PeerKey, PolicyTables, Query, RuleSet, Sides, Subject,
        SubjectKey, evaluate,
    };
    use contiv_policy::{Rows, compile};

    use super::*;

    #[test]
    fn policies_have_the_size_that_they_say_and_can_be_compiled() {
        for count in [0, 1, 100, 1_000, 10_000] {
            let policy = Size::Rules(count).policy();
            assert_eq!(policy.rules.len(), count);
            assert_eq!(compile(&policy).unwrap().root == 0, count == 0);
        }
        let policy = Size::Prefixes(100_000).policy();
        let all: usize = policy
            .rules
            .iter()
            .map(|rule| rule.peer_addresses.len())
            .sum();
        assert_eq!(all, 100_000);
        compile(&policy).unwrap();
    }

    /// Counts what is asked.
    struct Counted<'a>(&'a Rows, Cell<usize>);

    impl<'a> Counted<'a> {
        fn rows(&self) -> &'a Rows {
            self.1.set(self.1.get() + 1);
            self.0
        }
    }

    impl PolicyTables for Counted<'_> {
        fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
            self.rows().subject(key)
        }

        fn own_address(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<RuleSet>> {
            self.rows().own_address(set, scope, address)
        }

        fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
            self.rows().peer_group(key)
        }

        fn peer_prefix(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<u32>> {
            self.rows().peer_prefix(set, scope, address)
        }

        fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
            self.rows().decision(key)
        }
    }

    /// Look-ups of a datagram between the two ends, at the sender and at the receiver.
    fn asked(size: Size) -> [usize; 2] {
        let build = compile(&size.policy()).unwrap();
        let ends = [mapped([10, 1, 1, 1]), mapped([10, 1, 1, 2])];
        [Direction::Out, Direction::In].map(|direction| {
            let [peer, own] = match direction {
                Direction::In => ends,
                Direction::Out => [ends[1], ends[0]],
            };
            let query = Query {
                root: build.root,
                subject_group: GROUP,
                peer_group: GROUP,
                own_address: own,
                peer_address: peer,
                direction,
                protocol: 17,
                port: 53,
            };
            let counted = Counted(&build.write, Cell::new(0));
            evaluate(&counted, &query);
            counted.1.get()
        })
    }

    #[test]
    fn rules_of_the_same_kinds_ask_for_the_same_however_many_they_are() {
        let few = asked(Size::OfEachKind);
        for count in [100, 1_000, 10_000] {
            assert_eq!(asked(Size::Rules(count)), few, "{count}");
        }
        assert!(asked(Size::Rules(1)) < few, "{few:?}");
    }
}
