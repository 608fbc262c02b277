//! The compiled tables against the reference evaluator.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_datapath_abi::policy::{
    Action, Decision, DecisionKey, Direction, OwnKey, PeerKey, PolicyTables, PrefixKey, Query,
    RuleSet, Subject, SubjectKey, TCP, Verdict, evaluate,
};
use proptest::prelude::*;
use proptest::test_runner::RngAlgorithm;

use crate::strategies::{self, Case, SPINE_V4, SPINE_V6, around, case, leave, mapped};
use crate::{HostTables, PolicyRule, Rows, TenantPolicy, compile, evaluate_reference};

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn tables_say_what_the_reference_says(case in case(24, 24)) {
        check(&case);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn many_rules_change_nothing(case in case(300, 100)) {
        check(&case);
    }

    /// The life of a host: tenants' builds come into force and go, and every build
    /// that is in force answers right after every step.
    #[test]
    fn builds_come_and_go_side_by_side(
        steps in prop::collection::vec((0..3usize, strategies::tenant_policy(8)), 1..12),
        Case { queries, .. } in case(0, 20),
    ) {
        let mut host = HostTables::after(0);
        let mut kernel = Rows::default();
        let mut in_force: BTreeMap<usize, (u32, TenantPolicy)> = BTreeMap::new();
        for (tenant, policy) in steps {
            let (root, added) = host.install(&compile(&policy).unwrap());
            let before = kernel.len() + added.len();
            kernel.add(added);
            prop_assert_eq!(kernel.len(), before, "a row was written over another one");
            if let Some((old, _)) = in_force.insert(tenant, (root, policy)) {
                let removed = host.remove(old);
                let before = kernel.len() - removed.len();
                kernel.remove(&removed);
                prop_assert_eq!(kernel.len(), before, "a row to be removed was not there");
            }
            for (root, policy) in in_force.values() {
                for query in &queries {
                    agree(policy, &kernel, &Query { root: *root, ..*query });
                }
            }
        }
        for (root, _) in in_force.into_values() {
            kernel.remove(&host.remove(root));
        }
        prop_assert_eq!(kernel, Rows::default());
    }
}

fn check(case: &Case) {
    let (root, rows) = HostTables::after(7).install(&compile(&case.policy).unwrap());
    for query in &case.queries {
        agree(&case.policy, &rows, &Query { root, ..*query });
    }
}

fn agree(policy: &TenantPolicy, rows: &Rows, query: &Query) {
    assert_eq!(
        evaluate(rows, query),
        evaluate_reference(policy, query),
        "{query:?}"
    );
}

/// Proptest's own generator is a cipher, and takes most of the time where unoptimised.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

/// Every length of prefix of both families has a rule of its own, with priorities
/// that rise, fall and tie on the way in; every way off the spines is tried.
#[test]
fn prefixes_nested_as_deep_as_there_are_bits() {
    type Priority = fn(u32) -> u32;
    let courses: [Priority; 4] = [|_| 5, |bits| bits, |bits| 200 - bits, |bits| bits * 37 % 50];
    for priority in courses {
        for group in [None, Some(2)] {
            let spines = [(IpAddr::from(SPINE_V4), 32), (IpAddr::from(SPINE_V6), 128)];
            let nested = spines.into_iter().flat_map(|(spine, length)| {
                (0..=length).map(move |bits| PolicyRule {
                    priority: priority(bits),
                    peer_group: group,
                    peer_addresses: vec![around(spine, bits)],
                    action: if bits % 2 == 0 {
                        Action::Deny
                    } else {
                        Action::Allow
                    },
                    ..any_rule()
                })
            });
            let policy = numbered(nested.collect());
            let (root, rows) = HostTables::after(0).install(&compile(&policy).unwrap());
            for (spine, length) in spines {
                let peers = (0..length).map(|bit| leave(spine, bit)).chain([spine]);
                for peer_address in peers.map(mapped) {
                    for (peer_group, protocol) in [(0, TCP), (2, TCP), (2, 47), (3, 47)] {
                        let query = Query {
                            root,
                            peer_address,
                            peer_group,
                            protocol,
                            ..query()
                        };
                        agree(&policy, &rows, &query);
                    }
                }
            }
        }
    }
}

/// A long list of ports against rules for any port: the shape of most real policies.
#[test]
fn a_default_deny_with_ten_thousand_open_ports() {
    let open = (1..=10_000).map(|port| PolicyRule {
        priority: 10,
        protocol: Some(TCP),
        port: Some(port),
        ..any_rule()
    });
    let deny = PolicyRule {
        action: Action::Deny,
        ..any_rule()
    };
    let policy = numbered(open.chain([deny]).collect());
    let (root, rows) = HostTables::after(0).install(&compile(&policy).unwrap());
    assert_eq!(rows.len(), 1 + 10_001);
    for port in [0, 1, 9_999, 10_000, 10_001] {
        agree(
            &policy,
            &rows,
            &Query {
                root,
                port,
                ..query()
            },
        );
    }
}

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
    fn subject(&self, key: &SubjectKey) -> Option<Subject> {
        self.count(self.rows.subject(key))
    }
    fn own_address(&self, key: &OwnKey) -> Option<RuleSet> {
        self.count(self.rows.own_address(key))
    }
    fn peer_group(&self, key: &PeerKey) -> Option<u32> {
        self.count(self.rows.peer_group(key))
    }
    fn peer_prefix(&self, key: &PrefixKey) -> Option<u32> {
        self.count(self.rows.peer_prefix(key))
    }
    fn decision(&self, key: &DecisionKey) -> Option<Decision> {
        self.count(self.rows.decision(key))
    }
}

/// The bounds that the documents state, met by the worst policy there is.
#[test]
fn the_number_of_lookups_is_bounded() {
    let lookups = |rules: Vec<PolicyRule>| {
        let policy = numbered(rules);
        let (root, rows) = HostTables::after(0).install(&compile(&policy).unwrap());
        let counted = Counted {
            rows: &rows,
            lookups: 0.into(),
        };
        evaluate(
            &counted,
            &Query {
                root,
                peer_group: 2,
                ..query()
            },
        );
        counted.lookups.get()
    };
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
                ..any_rule()
            })
    };
    assert_eq!(lookups(vec![]), 1);
    assert_eq!(lookups(vec![any_rule()]), 4);
    assert_eq!(lookups(worst(vec![]).to_vec()), 16);
    assert_eq!(lookups([worst(vec![]), worst(spine())].concat()), 32);
}

#[test]
fn without_root_or_group_the_default_holds() {
    let policy = numbered(vec![PolicyRule {
        action: Action::Deny,
        ..any_rule()
    }]);
    let (root, rows) = HostTables::after(0).install(&compile(&policy).unwrap());
    let denied = evaluate(&rows, &Query { root, ..query() });
    assert_eq!(
        denied,
        Verdict {
            action: Action::Deny,
            rule: 16
        }
    );
    for query in [
        Query { root: 0, ..query() },
        Query {
            root,
            subject_group: 0,
            ..query()
        },
        Query {
            root,
            subject_group: 9,
            ..query()
        },
        Query {
            root: root + 1,
            ..query()
        },
        Query {
            root,
            direction: Direction::Out,
            ..query()
        },
    ] {
        assert_eq!(evaluate(&rows, &query), Verdict::DEFAULT);
    }
}

/// Incoming, for everybody, allowed, of policy `p`.
fn any_rule() -> PolicyRule {
    PolicyRule {
        number: 0,
        policy: "p".to_owned(),
        id: String::new(),
        direction: Direction::In,
        order: 0,
        priority: 1,
        action: Action::Allow,
        peer_group: None,
        peer_addresses: vec![],
        own_addresses: vec![],
        protocol: None,
        port: None,
    }
}

/// Group 1 has the one policy `p` with these rules.
fn numbered(mut rules: Vec<PolicyRule>) -> TenantPolicy {
    for (number, rule) in (16..).zip(&mut rules) {
        rule.number = number;
        rule.id = number.to_string();
    }
    TenantPolicy {
        groups: [(1, ["p".to_owned()].into())].into(),
        rules,
    }
}

/// Group 1 receives TCP to port 80 on the IPv4 spine.
fn query() -> Query {
    Query {
        root: 0,
        subject_group: 1,
        own_address: mapped(SPINE_V4.into()),
        direction: Direction::In,
        peer_group: 0,
        peer_address: mapped(SPINE_V4.into()),
        protocol: TCP,
        port: 80,
    }
}
