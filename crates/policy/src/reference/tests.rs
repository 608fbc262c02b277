use Action::{Allow, Deny};
use contiv_datapath_abi::policy::Direction;
use std::sync::Arc;

use super::*;

/// Denied or allowed, by which rule: of these, for TCP port 80 from group 2 at
/// 10.1.1.1 to a member of group 1 at 10.2.2.2.
fn verdict(rules: impl IntoIterator<Item = PolicyRule>) -> (Action, u32) {
    ask(rules, query())
}

fn ask(rules: impl IntoIterator<Item = PolicyRule>, query: Query) -> (Action, u32) {
    let policy = TenantPolicy {
        groups: [
            (1, ["p".to_owned(), "q".to_owned()].into()),
            (3, ["p".to_owned()].into()),
        ]
        .into(),
        rules: rules.into_iter().map(Arc::new).collect(),
        ..TenantPolicy::default()
    };
    let Verdict { action, rule, .. } = evaluate_reference(&policy, &query);
    (action, rule)
}

fn query() -> Query {
    Query {
        root: 1,
        subject_group: 1,
        own_address: mapped("10.2.2.2"),
        direction: Direction::In,
        peer_group: 2,
        peer_address: mapped("10.1.1.1"),
        protocol: TCP,
        port: 80,
    }
}

fn rule(number: u32, priority: u32, action: Action) -> PolicyRule {
    PolicyRule {
        priority,
        ..PolicyRule::new(number, "p", Direction::In, action)
    }
}

fn mapped(address: &str) -> [u8; 16] {
    match address.parse().unwrap() {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

fn range(first: &str, last: &str) -> Vec<AddressRange> {
    vec![AddressRange {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
    }]
}

const DEFAULT: (Action, u32) = (Allow, 1);

#[test]
fn nothing_matches_so_it_is_allowed() {
    assert_eq!(verdict([]), DEFAULT);
    let other = PolicyRule {
        policy: "unattached".to_owned(),
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([other]), DEFAULT);
    let out = PolicyRule {
        direction: Direction::Out,
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([out]), DEFAULT);
}

#[test]
fn the_higher_priority_wins_whatever_it_says() {
    assert_eq!(
        verdict([rule(16, 10, Deny), rule(17, 100, Allow)]),
        (Allow, 17)
    );
    assert_eq!(
        verdict([rule(16, 100, Deny), rule(17, 10, Allow)]),
        (Deny, 16)
    );
}

#[test]
fn deny_wins_ties_then_the_smaller_number() {
    assert_eq!(
        verdict([rule(16, 5, Allow), rule(17, 5, Deny), rule(18, 5, Deny)]),
        (Deny, 17)
    );
    assert_eq!(
        verdict([rule(18, 5, Allow), rule(17, 5, Allow)]),
        (Allow, 17)
    );
}

#[test]
fn policies_of_a_group_are_one_set() {
    let of_q = PolicyRule {
        policy: "q".to_owned(),
        ..rule(17, 9, Deny)
    };
    assert_eq!(verdict([rule(16, 8, Allow), of_q.clone()]), (Deny, 17));
    let member_of_3 = Query {
        subject_group: 3,
        ..query()
    };
    assert_eq!(ask([rule(16, 8, Allow), of_q], member_of_3), (Allow, 16));
}

#[test]
fn an_unknown_group_is_met_by_nobody() {
    let unknown = PolicyRule {
        peer_group: Some(0),
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([unknown.clone()]), DEFAULT);
    assert_eq!(
        ask(
            [unknown],
            Query {
                peer_group: 0,
                ..query()
            }
        ),
        DEFAULT
    );
}

#[test]
fn group_and_addresses_must_both_hold() {
    let both = |group, ranges| PolicyRule {
        peer_group: Some(group),
        peer_addresses: ranges,
        ..rule(16, 1, Deny)
    };
    assert_eq!(
        verdict([both(2, range("10.1.1.0", "10.1.1.9"))]),
        (Deny, 16)
    );
    assert_eq!(verdict([both(2, range("10.1.1.2", "10.1.1.9"))]), DEFAULT);
    assert_eq!(verdict([both(4, range("10.1.1.0", "10.1.1.9"))]), DEFAULT);
}

#[test]
fn families_keep_apart() {
    let all_v6 = PolicyRule {
        peer_addresses: range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([all_v6.clone()]), DEFAULT);
    assert_eq!(
        ask(
            [all_v6],
            Query {
                peer_address: mapped("fd00::1"),
                ..query()
            }
        ),
        (Deny, 16)
    );
}

#[test]
fn a_rule_may_be_for_one_own_address() {
    let own = |a| PolicyRule {
        own_addresses: range(a, a),
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([own("10.2.2.2")]), (Deny, 16));
    assert_eq!(verdict([own("10.2.2.3")]), DEFAULT);
}

#[test]
fn ports_are_those_of_tcp_and_udp() {
    let port = |protocol| PolicyRule {
        protocol,
        ports: vec![80.into()],
        ..rule(16, 1, Deny)
    };
    let packet = |protocol, port| Query {
        protocol,
        port,
        ..query()
    };
    assert_eq!(ask([port(Some(TCP))], packet(TCP, 80)), (Deny, 16));
    assert_eq!(ask([port(Some(TCP))], packet(TCP, 81)), DEFAULT);
    assert_eq!(ask([port(Some(TCP))], packet(UDP, 80)), DEFAULT);
    assert_eq!(ask([port(None)], packet(UDP, 80)), (Deny, 16));
    assert_eq!(ask([port(None)], packet(132, 80)), DEFAULT);
    assert_eq!(ask([port(Some(ICMP))], packet(ICMP, 80)), DEFAULT);
}

#[test]
fn icmp_is_that_of_both_families() {
    let icmp = |protocol| PolicyRule {
        protocol: Some(protocol),
        ..rule(16, 1, Deny)
    };
    let packet = |protocol| Query {
        protocol,
        port: 0,
        ..query()
    };
    assert_eq!(ask([icmp(ICMP)], packet(ICMP)), (Deny, 16));
    assert_eq!(ask([icmp(ICMP)], packet(ICMPV6)), (Deny, 16));
    assert_eq!(ask([icmp(ICMPV6)], packet(ICMP)), DEFAULT);
    assert_eq!(ask([icmp(ICMP)], packet(TCP)), DEFAULT);
}

/// As `ask`, with places of policies; `p` and `q` are group 1's.
fn placed(
    rules: impl IntoIterator<Item = PolicyRule>,
    places: &[(&str, Tier, u16, bool)],
) -> Verdict {
    let place = |&(name, tier, order, staged): &(&str, Tier, u16, bool)| {
        let place = crate::Placement {
            tier,
            order,
            staged,
        };
        (name.to_owned(), place)
    };
    let policy = TenantPolicy {
        groups: [(1, ["p".to_owned(), "q".to_owned()].into())].into(),
        policies: places.iter().map(place).collect(),
        rules: rules.into_iter().map(Arc::new).collect(),
        ..TenantPolicy::default()
    };
    evaluate_reference(&policy, &query())
}

fn of_q(rule: PolicyRule) -> PolicyRule {
    PolicyRule {
        policy: "q".to_owned(),
        ..rule
    }
}

#[test]
fn an_earlier_tier_decides_unless_it_passes() {
    let places = [("q", Tier::Admin, 0, false)];
    let rules = |action| [rule(16, 100, Deny), of_q(rule(17, 1, action))];
    assert_eq!(placed(rules(Allow), &places).rule, 17);
    assert_eq!(placed(rules(Action::Pass), &places).rule, 16);
    let baseline = [("q", Tier::Baseline, 0, false)];
    assert_eq!(placed(rules(Allow), &baseline).rule, 16);
    assert_eq!(
        placed([of_q(rule(17, 1, Action::Pass))], &places),
        Verdict::DEFAULT
    );
}

#[test]
fn the_order_of_policies_goes_before_priorities() {
    let rules = [rule(16, 100, Deny), of_q(rule(17, 1, Allow))];
    let places = [("q", Tier::Normal, 7, false)];
    assert_eq!(placed(rules, &places).rule, 17);
}

#[test]
fn staged_policies_are_told_and_not_enforced() {
    let places = [("q", Tier::Normal, 0, true)];
    let verdict = placed([rule(16, 1, Allow), of_q(rule(17, 9, Deny))], &places);
    assert_eq!((verdict.action, verdict.rule), (Allow, 16));
    let staged = verdict.staged.unwrap();
    assert_eq!((staged.action, staged.rule), (Deny, 17));
    let weaker = placed([rule(16, 10, Allow), of_q(rule(17, 9, Deny))], &places);
    assert_eq!(weaker.staged, None);
}

#[test]
fn types_of_icmp_are_those_of_one_family() {
    let ping = PolicyRule {
        protocol: Some(ICMP),
        icmp: vec![crate::IcmpMessage {
            kind: 8,
            code: None,
        }],
        ..rule(16, 1, Deny)
    };
    let packet = |protocol, kind: u8, code: u8| Query {
        protocol,
        port: u16::from_be_bytes([kind, code]),
        ..query()
    };
    assert_eq!(ask([ping.clone()], packet(ICMP, 8, 3)), (Deny, 16));
    assert_eq!(ask([ping.clone()], packet(ICMP, 0, 0)), DEFAULT);
    assert_eq!(ask([ping], packet(ICMPV6, 8, 3)), DEFAULT);
}

#[test]
fn a_group_may_deny_what_nothing_matches() {
    let mut policy = TenantPolicy::default();
    let defaults = crate::Defaults {
        receiving: Deny,
        ..crate::Defaults::default()
    };
    policy.defaults.insert(1, defaults);
    let verdict = evaluate_reference(&policy, &query());
    assert_eq!((verdict.action, verdict.rule), (Deny, 3));
    let out = Query {
        direction: Direction::Out,
        ..query()
    };
    assert_eq!(evaluate_reference(&policy, &out), Verdict::DEFAULT);
}

#[test]
fn exceptions_are_taken_out() {
    let except = |a| PolicyRule {
        peer_except: range(a, a),
        ..rule(16, 1, Deny)
    };
    assert_eq!(verdict([except("10.1.1.1")]), DEFAULT);
    assert_eq!(verdict([except("10.1.1.2")]), (Deny, 16));
}
