use contiv_datapath_abi::policy::Action;
use contiv_model::agent::AddressRange;

use super::*;

fn rule(number: u32) -> PolicyRule {
    PolicyRule {
        number,
        policy: "web".to_owned(),
        id: format!("r{number}"),
        direction: Direction::In,
        order: 0,
        priority: 1,
        action: Action::Allow,
        peer_group: None,
        peer_addresses: vec![],
        own_addresses: vec![],
        protocol: Some(TCP),
        port: Some(number as u16),
    }
}

fn policy(rules: Vec<PolicyRule>) -> TenantPolicy {
    TenantPolicy {
        groups: [(1, ["web".to_owned()].into())].into(),
        rules,
    }
}

fn peer(first: [u8; 4], last: [u8; 4]) -> Vec<AddressRange> {
    vec![AddressRange {
        first: first.into(),
        last: last.into(),
    }]
}

/// The name of the rule that was refused, and what there was too much of.
fn refused(rules: Vec<PolicyRule>, limits: Limits) -> (String, &'static str) {
    match compile_within(&policy(rules), limits) {
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
    };
    assert!(compile_within(&policy(vec![rule(16), rule(17)]), limits).is_ok());
    let ports = vec![rule(16), rule(17), rule(18)];
    assert_eq!(refused(ports, limits), ("r18".to_owned(), "entries"));

    let wide = PolicyRule {
        peer_addresses: peer([10, 0, 0, 1], [10, 0, 0, 14]),
        ..rule(16)
    };
    assert_eq!(
        refused(vec![wide], limits),
        ("r16".to_owned(), "address prefixes")
    );

    let of = |number, group| PolicyRule {
        peer_group: Some(group),
        ..rule(number)
    };
    assert!(compile_within(&policy(vec![of(16, 3), of(17, 3)]), limits).is_ok());
    assert_eq!(
        refused(vec![of(16, 3), of(17, 4)], limits),
        ("r17".to_owned(), "peer groups")
    );
}

#[test]
fn what_enclosing_prefixes_add_counts_too() {
    let outer = |number| PolicyRule {
        peer_addresses: peer([10, 0, 0, 0], [10, 255, 255, 255]),
        ..rule(number)
    };
    let inner = PolicyRule {
        peer_addresses: peer([10, 1, 0, 0], [10, 1, 255, 255]),
        ..rule(30)
    };
    let rules = vec![outer(16), outer(17), outer(18), inner];
    let limits = |decisions| Limits {
        decisions,
        ..Limits::default()
    };
    // Three for the outer prefix, and four for the inner one.
    assert!(compile_within(&policy(rules.clone()), limits(7)).is_ok());
    assert_eq!(refused(rules, limits(6)), ("r30".to_owned(), "entries"));
}

#[test]
fn numbers_and_priorities_are_checked() {
    let number = |n| PolicyError::Number {
        policy: "web".into(),
        rule: format!("r{n}"),
        number: n,
    };
    assert_eq!(compile(&policy(vec![rule(15)])), Err(number(15)));
    assert_eq!(compile(&policy(vec![rule(20), rule(20)])), Err(number(20)));
    let high = PolicyRule {
        priority: 256,
        ..rule(16)
    };
    let error = compile(&policy(vec![high])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rule r16 of policy web: priority 256 is above 255"
    );
}

#[test]
fn groups_with_the_same_policies_share_their_rules() {
    let mut policy = policy(vec![rule(16)]);
    policy.groups.insert(2, ["web".to_owned()].into());
    policy.groups.insert(3, ["other".to_owned()].into());
    policy.groups.insert(0, ["web".to_owned()].into());
    let compiled = compile(&policy).unwrap();
    assert_eq!(compiled.groups.keys().collect::<Vec<_>>(), [&1, &2]);
    assert!(Arc::ptr_eq(
        &compiled.groups[&1].receiving,
        &compiled.groups[&2].receiving
    ));
    assert!(compiled.groups[&1].sending.is_empty());
}

#[test]
fn a_rule_that_nothing_can_match_leaves_nothing() {
    let unknown_group = PolicyRule {
        peer_group: Some(0),
        ..rule(16)
    };
    let no_ports = PolicyRule {
        protocol: Some(ICMP),
        ..rule(17)
    };
    let backwards = PolicyRule {
        peer_addresses: peer([10, 0, 0, 2], [10, 0, 0, 1]),
        ..rule(18)
    };
    let compiled = compile(&policy(vec![unknown_group, no_ports, backwards])).unwrap();
    assert_eq!(compiled, CompiledPolicy::default());
}
