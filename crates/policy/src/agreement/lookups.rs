//! How often tables are asked.

use contiv_datapath_abi::policy::{
    Action, Decision, DecisionKey, Peer, PeerKey, PolicyTables, Query, RuleSet, Sides, Subject,
    SubjectKey, TCP, UDP, evaluate,
};

use super::{agree, any_rule, numbered, query};
use crate::strategies::{SPINE_V4, around};
use crate::{Build, PolicyRule, Rows, compile};

/// Counts the look-ups of a verdict.
struct Counted<'a> {
    rows: &'a Rows,
    lookups: std::cell::Cell<u32>,
}

impl Counted<'_> {
    fn count<T>(&self, found: T) -> T {
        self.lookups.set(self.lookups.get() + 1);
        found
    }
}

impl PolicyTables for Counted<'_> {
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
        self.count(self.rows.subject(key))
    }
    fn own_address(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<RuleSet>> {
        self.count(self.rows.own_address(set, scope, address))
    }
    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
        self.count(self.rows.peer_group(key))
    }
    fn peer_prefix(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<u32>> {
        self.count(self.rows.peer_prefix(set, scope, address))
    }
    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
        self.count(self.rows.decision(key))
    }
}

/// The look-ups of TCP to port 80 from a member of group 2.
fn lookups(rules: Vec<PolicyRule>) -> u32 {
    let policy = numbered(rules);
    let Build { root, write: rows } = compile(&policy).unwrap();
    let counted = Counted {
        rows: &rows,
        lookups: 0.into(),
    };
    let query = Query {
        root,
        peer_group: 2,
        ..query()
    };
    agree(&policy, &rows, &query);
    evaluate(&counted, &query);
    counted.lookups.get()
}

/// The bounds that the documents state, met by the worst policy there is.
#[test]
fn the_number_of_lookups_is_bounded() {
    // Every kind of peer, each with an entry that is found last.
    let spine = || vec![around(SPINE_V4.into(), 8)];
    let kinds = [
        (None, vec![]),
        (Some(2), vec![]),
        (None, spine()),
        (Some(2), spine()),
    ];
    let worst = |own: Vec<_>| {
        kinds
            .clone()
            .map(|(peer_group, peer_addresses)| PolicyRule {
                peer_group,
                peer_addresses,
                own_addresses: own.clone(),
                protocol: Some(TCP),
                ports: vec![80.into()],
                ..any_rule()
            })
    };
    assert_eq!(lookups(vec![]), 0);
    assert_eq!(lookups(vec![any_rule()]), 2);
    assert_eq!(lookups(worst(vec![]).to_vec()), 12);
    assert_eq!(lookups([worst(vec![]), worst(spine())].concat()), 25);
}

/// What cannot change the answer is not asked for: a rule for a group costs the same alone and
/// above ten thousand others.
#[test]
fn what_cannot_win_is_not_looked_up() {
    let to_port = |priority, protocol, peer_addresses| PolicyRule {
        priority,
        protocol: Some(protocol),
        ports: vec![80.into()],
        peer_addresses,
        ..any_rule()
    };
    let of_group = |priority| PolicyRule {
        priority,
        peer_group: Some(2),
        ..any_rule()
    };
    let spine = || vec![around(SPINE_V4.into(), 8)];
    let deny = PolicyRule {
        action: Action::Deny,
        ..any_rule()
    };
    // The subject, and the group.
    assert_eq!(lookups(vec![of_group(9)]), 2);
    assert_eq!(lookups(vec![of_group(9), deny.clone()]), 2);
    let below = to_port(3, TCP, spine());
    assert_eq!(lookups(vec![of_group(9), deny.clone(), below]), 2);
    // One of addresses may win: the prefix, the protocol and the port. The last is not asked.
    let above = to_port(10, TCP, spine());
    assert_eq!(lookups(vec![of_group(9), deny.clone(), above]), 5);
    // Profiles say that they have nothing for TCP; the rule for any peer may win.
    let other = to_port(10, UDP, spine());
    let any = PolicyRule {
        priority: 20,
        ..deny
    };
    assert_eq!(lookups(vec![of_group(9), other, any]), 4);
}
