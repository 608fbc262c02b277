//! The compiled tables against the reference evaluator.

mod lookups;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use contiv_datapath_abi::policy::{Action, Direction, Query, TCP, Verdict, evaluate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRunner};

use crate::strategies::{self, Case, SPINE_V4, SPINE_V6, around, case, leave, mapped};
use crate::{
    Build, HostTables, Limits, PolicyRule, Rows, TenantPolicy, compile, compile_within,
    evaluate_reference, explain_side,
};

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn tables_say_what_the_reference_says(case in case(14, 16)) {
        check(&case);
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn many_rules_change_nothing(case in case(120, 100)) {
        check(&case);
    }
}

/// The life of a host: tenants' policies change in small and in large steps, and what is in
/// force answers right at every moment: before a change is written, when it is written, when
/// it is in force, when it is settled. Nothing is left when all have gone.
///
/// A case is a change, of which each life has a dozen: thousands.
#[test]
fn changes_are_whole_at_every_moment() {
    let lives = (
        vec(strategies::history(10, 8), 1..4),
        vec(0..10u8, 30),
        case(0, 24),
        1..4usize,
    );
    let changes = Cell::new(0);
    let outcome = TestRunner::new(cases(200)).run(&lives, |(histories, fates, case, wide)| {
        let queries = case.queries;
        let mut host = HostTables::within(
            0,
            Limits {
                wide,
                ..Limits::default()
            },
        );
        let mut kernel = Rows::default();
        let mut in_force: BTreeMap<u32, (u32, TenantPolicy)> = BTreeMap::new();
        let longest = histories.iter().map(Vec::len).max().unwrap_or(0);
        let steps = (0..longest).flat_map(|step| {
            let next = |(tenant, history): (u32, &Vec<TenantPolicy>)| {
                Some((tenant, history.get(step)?.clone()))
            };
            (1..).zip(&histories).filter_map(next).collect::<Vec<_>>()
        });
        for ((tenant, policy), fate) in steps.zip(fates.into_iter().cycle()) {
            changes.set(changes.get() + 1);
            let Build { root, write } = host.prepare(tenant, &policy).unwrap();
            kernel.add(write);
            all_agree(&in_force, &kernel, &queries);
            if fate == 0 && host.is_pending(tenant) {
                kernel.remove(&host.abandon(tenant));
                all_agree(&in_force, &kernel, &queries);
                continue;
            }
            in_force.insert(tenant, (root, policy));
            all_agree(&in_force, &kernel, &queries);
            if fate == 1 {
                continue;
            }
            let settling = host.settle(tenant);
            let before = kernel.len();
            kernel.add(settling.write);
            prop_assert_eq!(kernel.len(), before, "what is settled has been written");
            kernel.remove(&settling.delete);
            prop_assert_eq!(
                kernel.len() + settling.delete.len(),
                before,
                "a row was not there"
            );
            all_agree(&in_force, &kernel, &queries);
        }
        for tenant in in_force.into_keys() {
            let settling = host.settle(tenant);
            kernel.add(settling.write);
            kernel.remove(&settling.delete);
        }
        let tenants: Vec<u32> = host.tenants().collect();
        for tenant in tenants {
            kernel.remove(&host.forget(tenant));
        }
        prop_assert_eq!(kernel, Rows::default());
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} changes", changes.get());
    assert!(changes.get() > 1_000, "{} are few", changes.get());
}

proptest! {
    #![proptest_config(cases(300))]

    /// Changing costs rows, never meaning: after any history the tables say what those of the
    /// last policy alone say, and there are as many of them.
    #[test]
    fn a_change_leads_where_a_start_leads(
        history in strategies::history(12, 12),
        wide in 1..4usize,
    ) {
        let limits = Limits { wide, ..Limits::default() };
        let mut host = HostTables::within(0, limits);
        let mut kernel = Rows::default();
        for policy in &history {
            kernel.add(host.prepare(1, policy).unwrap().write);
            let settling = host.settle(1);
            kernel.add(settling.write);
            kernel.remove(&settling.delete);
            let alone = compile_within(policy, limits).unwrap().write;
            prop_assert_eq!(sizes(&kernel), sizes(&alone));
        }
        kernel.remove(&host.forget(1));
        prop_assert_eq!(kernel, Rows::default());
    }
}

/// Rows per table. Profiles that became equal by changes in place are shared as from a start.
fn sizes(rows: &Rows) -> [usize; 5] {
    [
        rows.subjects.len(),
        rows.own_addresses.len(),
        rows.peer_groups.len(),
        rows.peer_prefixes.len(),
        rows.decisions.len(),
    ]
}

fn all_agree(in_force: &BTreeMap<u32, (u32, TenantPolicy)>, kernel: &Rows, queries: &[Query]) {
    for (root, policy) in in_force.values() {
        for query in queries {
            agree(
                policy,
                kernel,
                &Query {
                    root: *root,
                    ..*query
                },
            );
        }
    }
}

fn check(case: &Case) {
    // Layers of prefixes are met by few of them now and then.
    let wide = [1, 2, 64][case.policy.rules.len() % 3];
    let limits = Limits {
        wide,
        decisions: usize::MAX,
        prefixes: usize::MAX,
        ..Limits::default()
    };
    let build = HostTables::within(7, limits).prepare(1, &case.policy);
    let Build { root, write } = build.unwrap();
    for query in &case.queries {
        agree(&case.policy, &write, &Query { root, ..*query });
    }
}

fn agree(policy: &TenantPolicy, rows: &Rows, query: &Query) {
    let reference = evaluate_reference(policy, query);
    assert_eq!(evaluate(rows, query), reference, "{query:?}");
    let explained = explain_side(policy, *query);
    assert_eq!(explained.verdict, reference, "{explained:#?}");
}

/// Proptest's own generator is a cipher, and takes most of the time where unoptimised.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_algorithm: RngAlgorithm::XorShift,
        failure_persistence: None,
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
            let Build { root, write: rows } = compile(&policy).unwrap();
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
        ports: vec![port.into()],
        ..any_rule()
    });
    let deny = PolicyRule {
        action: Action::Deny,
        ..any_rule()
    };
    let policy = numbered(open.chain([deny]).collect());
    let Build { root, write: rows } = compile(&policy).unwrap();
    assert_eq!(rows.len(), 1 + 10_002);
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

#[test]
fn without_root_or_group_the_default_holds() {
    let policy = numbered(vec![PolicyRule {
        action: Action::Deny,
        ..any_rule()
    }]);
    let Build { root, write: rows } = compile(&policy).unwrap();
    let denied = evaluate(&rows, &Query { root, ..query() });
    assert_eq!(
        denied,
        Verdict {
            action: Action::Deny,
            rule: 16,
            ..Verdict::DEFAULT
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
            root: root + 2,
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
    PolicyRule::new(0, "p", Direction::In, Action::Allow)
}

/// Group 1 has the one policy `p` with these rules.
fn numbered(rules: Vec<PolicyRule>) -> TenantPolicy {
    let rules = (16..).zip(rules).map(|(number, rule)| {
        Arc::new(PolicyRule {
            number,
            id: number.to_string(),
            ..rule
        })
    });
    TenantPolicy {
        groups: [(1, ["p".to_owned()].into())].into(),
        rules: rules.collect(),
        ..TenantPolicy::default()
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
