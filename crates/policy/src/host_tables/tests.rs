use std::sync::Arc;

use contiv_datapath_abi::policy::{Action, Direction, TCP};
use contiv_model::agent::AddressRange;

use super::*;
use crate::{Placement, PolicyRule};

fn rule(number: u32, policy: &str, port: u16) -> PolicyRule {
    PolicyRule {
        protocol: Some(TCP),
        ports: vec![port.into()],
        id: format!("r{number}"),
        ..PolicyRule::new(number, policy, Direction::In, Action::Deny)
    }
}

/// Group 1 with policy `p`, group 2 with policy `q`; a rule per port in each.
fn policy(p: &[u16], q: &[u16]) -> TenantPolicy {
    let of = |first: u32, policy, ports: &[u16]| -> Vec<PolicyRule> {
        let rules = (first..).zip(ports);
        rules.map(|(n, port)| rule(n, policy, *port)).collect()
    };
    with(of(100, "p", p).into_iter().chain(of(200, "q", q)))
}

fn with(rules: impl IntoIterator<Item = PolicyRule>) -> TenantPolicy {
    TenantPolicy {
        groups: [(1, ["p".to_owned()].into()), (2, ["q".to_owned()].into())].into(),
        rules: rules.into_iter().map(Arc::new).collect(),
        ..TenantPolicy::default()
    }
}

fn peer(first: [u8; 4], last: [u8; 4]) -> Vec<AddressRange> {
    vec![AddressRange {
        first: first.into(),
        last: last.into(),
    }]
}

#[test]
fn only_what_changed_is_written() {
    let mut host = HostTables::after(0);
    let first = host.prepare(1, &policy(&[1, 2, 3], &[4])).unwrap();
    assert_eq!(first.write.subjects.len(), 2);
    assert_eq!(first.write.decisions.len(), 4 + 2, "a port each, and TCP");
    assert!(host.is_pending(1) && !host.is_replacing(1));
    assert_eq!(host.settle(1), Settling::default());

    let second = host.prepare(1, &policy(&[1, 2, 3], &[4, 5])).unwrap();
    assert_eq!(
        second.root,
        first.root ^ 1,
        "the other side of the same rows"
    );
    assert_eq!(second.write.len(), 1, "port 5");
    assert!(
        second
            .write
            .decisions
            .values()
            .all(|sides| sides.left.0 == 0)
    );
    assert!(host.is_replacing(1));
    let settling = host.settle(1);
    assert_eq!((settling.write.len(), settling.delete.len()), (1, 0));

    let same = host.prepare(1, &policy(&[1, 2, 3], &[4, 5])).unwrap();
    assert_eq!((same.root, same.write.len()), (second.root, 0));
    assert!(!host.is_pending(1));

    let third = host.prepare(1, &policy(&[1, 2], &[4, 5])).unwrap();
    assert_eq!(third.root, first.root);
    assert_eq!(host.settle(1).delete.len(), 1);
    assert_eq!(host.forget(1).len(), 2 + 4 + 2);
    assert_eq!(host.forget(1), Rows::default());
}

#[test]
fn a_build_that_was_given_up_leaves_the_old_one_in_force() {
    let mut host = HostTables::after(0);
    let first = host.prepare(1, &policy(&[1], &[2])).unwrap();
    let mut kernel = first.write;
    host.settle(1);
    let before = kernel.len();
    kernel.add(host.prepare(1, &policy(&[1], &[2, 3])).unwrap().write);
    kernel.remove(&host.abandon(1));
    assert_eq!(kernel.len(), before);

    let again = host.prepare(1, &policy(&[1], &[2, 3])).unwrap();
    assert_ne!(again.root >> 1, first.root >> 1, "rows of their own");
    kernel.add(again.write);
    kernel.remove(&host.settle(1).delete);
    assert_eq!(kernel.len(), before + 1);
}

#[test]
fn what_was_refused_leaves_the_old_one_in_force() {
    let limits = Limits {
        decisions: 3,
        ..Limits::default()
    };
    let mut host = HostTables::within(0, limits);
    let mut kernel = host.prepare(1, &policy(&[1], &[2])).unwrap().write;
    host.settle(1);
    let before = kernel.clone();
    assert!(host.prepare(1, &policy(&[1, 5, 6], &[2])).is_err());
    assert_eq!(host.settle(1), Settling::default());
    kernel.add(host.prepare(1, &policy(&[1], &[3])).unwrap().write);
    kernel.remove(&host.settle(1).delete);
    assert_eq!(kernel.len(), before.len());
    assert!(
        kernel
            .decisions
            .keys()
            .all(|key| !before.decisions.contains_key(key))
    );
}

#[test]
fn numbers_of_a_predecessor_are_not_met() {
    let Build { root, write } = HostTables::after(41)
        .prepare(1, &policy(&[1], &[2]))
        .unwrap();
    assert_eq!(root, 42 << 1);
    assert!(write.decisions.keys().all(|key| key.profile > 41));
    assert!(write.subjects.values().all(|s| s.left.receiving.set > 41));
}

/// The name of the rule that was refused, and what there was too much of.
fn refused(rules: Vec<PolicyRule>, limits: Limits) -> (String, &'static str) {
    match compile_within(&with(rules), limits) {
        Err(PolicyError::TooLarge { rule, what, .. }) => (rule, what),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn the_rule_that_does_not_fit_is_named() {
    let limits = Limits {
        decisions: 2,
        prefixes: 3,
        peer_groups: 1,
        ..Limits::default()
    };
    let port = |number: u32| rule(number, "p", number as u16);
    assert!(compile_within(&with([port(16), port(17)]), limits).is_ok());
    let ports = vec![port(16), port(17), port(18)];
    assert_eq!(refused(ports, limits), ("r18".to_owned(), "entries"));

    let wide = PolicyRule {
        peer_addresses: peer([10, 0, 0, 1], [10, 0, 0, 14]),
        ..port(16)
    };
    assert_eq!(
        refused(vec![wide], limits),
        ("r16".to_owned(), "address prefixes")
    );

    let of = |number, group| PolicyRule {
        peer_group: Some(group),
        ..port(number)
    };
    assert!(compile_within(&with([of(16, 3), of(17, 3)]), limits).is_ok());
    assert_eq!(
        refused(vec![of(16, 3), of(17, 4)], limits),
        ("r17".to_owned(), "peer groups")
    );
}

#[test]
fn what_enclosing_prefixes_add_counts_too() {
    let around = |number| PolicyRule {
        peer_addresses: peer([10, 0, 0, 0], [10, 255, 255, 255]),
        ..rule(number, "p", number as u16)
    };
    let inner = PolicyRule {
        peer_addresses: peer([10, 1, 0, 0], [10, 1, 255, 255]),
        ..rule(30, "p", 30)
    };
    let rules = vec![around(16), around(17), around(18), inner];
    let limits = |decisions| Limits {
        decisions,
        ..Limits::default()
    };
    // Three for the outer prefix, and four for the inner one.
    assert!(compile_within(&with(rules.clone()), limits(7)).is_ok());
    assert_eq!(
        refused(rules.clone(), limits(6)),
        ("r30".to_owned(), "entries")
    );
    // In a layer of its own the outer prefix is not repeated.
    let apart = Limits {
        wide: 1,
        ..limits(4)
    };
    assert!(compile_within(&with(rules), apart).is_ok());
}

#[test]
fn numbers_priorities_and_orders_are_checked() {
    let number = |n| PolicyError::Number {
        policy: "p".into(),
        rule: format!("r{n}"),
        number: n,
    };
    assert_eq!(compile(&with([rule(15, "p", 1)])), Err(number(15)));
    let twice = with([rule(20, "p", 1), rule(20, "p", 2)]);
    assert_eq!(compile(&twice), Err(number(20)));
    let high = PolicyRule {
        priority: 256,
        ..rule(16, "p", 1)
    };
    assert_eq!(
        compile(&with([high])).unwrap_err().to_string(),
        "rule r16 of policy p: priority 256 is above 255"
    );
    let mut far = with([]);
    let place = Placement {
        order: 16_384,
        ..Placement::default()
    };
    far.policies.insert("p".to_owned(), place);
    assert_eq!(
        compile(&far).unwrap_err().to_string(),
        "policy p: order 16384 is above 16383"
    );
}

#[test]
fn groups_with_the_same_policies_share_their_rules() {
    let mut policy = with([rule(16, "p", 80)]);
    policy.groups.insert(4, ["p".to_owned()].into());
    policy.groups.insert(0, ["p".to_owned()].into());
    let rows = compile(&policy).unwrap().write;
    let subjects: Vec<_> = rows.subjects.iter().collect();
    let [(one, rules), (four, same)] = subjects[..] else {
        panic!("two groups have rules: {subjects:?}");
    };
    assert_eq!((one.group, four.group), (1, 4));
    assert_eq!(rules, same);
    assert_eq!(rules.left.sending.set, 0);
}

#[test]
fn a_rule_that_nothing_can_match_leaves_nothing() {
    let unknown_group = PolicyRule {
        peer_group: Some(0),
        ..rule(16, "p", 80)
    };
    let no_ports = PolicyRule {
        protocol: Some(1),
        ..rule(17, "p", 80)
    };
    let backwards = PolicyRule {
        peer_addresses: peer([10, 0, 0, 2], [10, 0, 0, 1]),
        ..rule(18, "p", 80)
    };
    let nowhere = PolicyRule {
        peer_addresses: peer([10, 0, 0, 2], [10, 0, 0, 2]),
        peer_except: peer([10, 0, 0, 0], [10, 0, 0, 9]),
        ..rule(19, "p", 80)
    };
    let build = compile(&with([unknown_group, no_ports, backwards, nowhere])).unwrap();
    assert_eq!(build, Build::default());
}
