use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Weights;
use crate::strategies::tenant_policy;
use crate::{Action, Direction, HostTables, Limits, PolicyRule, TenantPolicy, compile_within};

fn sets(policy: &TenantPolicy) -> BTreeSet<BTreeSet<&str>> {
    let sets = policy.groups.values();
    sets.map(|set| set.iter().map(String::as_str).collect())
        .collect()
}

fn surely_fit(
    weights: &Weights,
    more: &[PolicyRule],
    policy: &TenantPolicy,
    limits: Limits,
) -> bool {
    let staged = |name: &str| policy.placement(name).staged;
    weights.surely_fit(more, &sets(policy), staged, limits)
}

fn of<'a>(rules: impl IntoIterator<Item = &'a Arc<PolicyRule>>) -> Weights {
    let mut weights = Weights::default();
    rules.into_iter().for_each(|rule| weights.put(rule));
    weights
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..400usize, 1..100usize, 1..20usize, 1..4usize).prop_map(
        |(decisions, prefixes, peer_groups, wide)| Limits {
            decisions,
            prefixes,
            peer_groups,
            wide,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// What surely fits is compiled, when it is asked of all rules and when it is asked of some
    /// with the others put beside them.
    #[test]
    fn what_passes_is_compiled(
        policy in tenant_policy(12),
        limits in limits(),
        later in 0..12usize,
    ) {
        let compiled = compile_within(&policy, limits);
        let all = of(&policy.rules);
        let (first, more) = policy.rules.split_at(policy.rules.len().saturating_sub(later));
        let more: Vec<PolicyRule> = more.iter().map(|rule| (**rule).clone()).collect();
        for passes in [
            surely_fit(&all, &[], &policy, limits),
            surely_fit(&of(first), &more, &policy, limits),
        ] {
            prop_assert!(!passes || compiled.is_ok(), "{compiled:?}");
        }
    }

    /// The bound is that of the rules that there are, whatever there was before.
    #[test]
    fn what_went_counts_no_more(
        one in tenant_policy(10),
        other in tenant_policy(10),
        order in vec(any::<bool>(), 10),
    ) {
        let mut weights = of(&one.rules);
        for (rule, first) in other.rules.iter().zip(&order) {
            if *first {
                weights.remove(rule.number);
            }
            weights.put(rule);
        }
        for rule in &one.rules {
            if !other.rules.iter().any(|kept| kept.number == rule.number) {
                weights.remove(rule.number);
            }
        }
        prop_assert_eq!(weights.clone(), of(&other.rules));
        for rule in &other.rules {
            weights.remove(rule.number);
        }
        prop_assert_eq!(weights, Weights::default());
    }
}

fn rule(number: u32, policy: &str) -> PolicyRule {
    PolicyRule {
        protocol: Some(6),
        ports: vec![((number % 60_000) as u16).into()],
        ..PolicyRule::new(number, policy, Direction::In, Action::Allow)
    }
}

fn at(address: u32, bits: u32) -> contiv_model::agent::AddressRange {
    crate::strategies::around(std::net::Ipv4Addr::from_bits(address).into(), bits)
}

#[test]
fn a_rule_counts_once_in_the_set_of_an_own_address_whatever_it_names_around_it() {
    let range = |first: &str, last: &str| contiv_model::agent::AddressRange {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
    };
    let all = range("fd00::", "fd00::ffff");
    let within = range("fd00::7", "fd00::7");
    let limits = Limits {
        decisions: 2,
        ..Limits::default()
    };
    for own_addresses in [vec![all], vec![all, within], vec![within, all, within]] {
        let mut policy = TenantPolicy::default();
        policy.groups.insert(1, ["p".to_owned()].into());
        policy.rules.push(Arc::new(PolicyRule {
            own_addresses,
            peer_addresses: vec![at(1, 32), at(7, 32)],
            ..PolicyRule::new(16, "p", Direction::In, Action::Allow)
        }));
        compile_within(&policy, limits).unwrap();
    }
}

/// What people write is far from the limits, and nothing has to be compiled to know it.
#[test]
fn large_policies_pass_without_the_compiler() {
    let mut policy = TenantPolicy::default();
    for group in 1..200 {
        let set = if group % 2 == 0 { "p" } else { "q" };
        policy
            .groups
            .insert(group, BTreeSet::from([set.to_owned()]));
    }
    let rules = (0..10_000).map(|n| PolicyRule {
        peer_addresses: match n {
            0 => vec![at(0x0a00_0000, 8)],
            n => vec![at(0x0a00_0000 + (n << 8), 24)],
        },
        ..rule(16 + n, if n % 2 == 0 { "p" } else { "q" })
    });
    policy.rules = rules.map(Arc::new).collect();
    let weights = of(&policy.rules);
    assert!(surely_fit(&weights, &[], &policy, Limits::default()));
    let ports = (0..10_000).map(|n| PolicyRule {
        peer_group: Some(n % 100),
        ..rule(20_016 + n, "p")
    });
    let ports: Vec<PolicyRule> = ports.collect();
    assert!(surely_fit(&weights, &ports, &policy, Limits::default()));
}

/// A change that is larger on its way than at its end is compiled all the same.
#[test]
fn a_change_is_judged_by_its_end() {
    let limits = Limits {
        decisions: 3,
        ..Limits::default()
    };
    let with = |rules: [PolicyRule; 3]| TenantPolicy {
        groups: [
            (1, BTreeSet::from(["a".to_owned()])),
            (2, BTreeSet::from(["b".to_owned()])),
        ]
        .into(),
        rules: rules.map(Arc::new).into(),
        ..TenantPolicy::default()
    };
    let mut host = HostTables::within(0, limits);
    host.prepare(1, &with([rule(16, "a"), rule(17, "b"), rule(18, "b")]))
        .unwrap();
    host.settle(1);
    let next = with([rule(16, "a"), rule(17, "a"), rule(18, "b")]);
    host.prepare(1, &next).unwrap();
}
