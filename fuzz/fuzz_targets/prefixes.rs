//! Sets of prefixes within each other: the compiled tables say of every edge what a walk over the
//! rules says, when they are new and when they have changed.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use contiv_model::agent::AddressRange;
use contiv_policy::{
    Action, Direction, HostTables, PolicyRule, Query, Rows, TenantPolicy, evaluate,
    evaluate_reference,
};
use libfuzzer_sys::fuzz_target;

const GROUP: u32 = 1;
/// Bytes that make a rule.
const RULE: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let rules: Vec<PolicyRule> = (16..)
        .zip(bytes.chunks_exact(RULE).take(48))
        .map(|(number, bytes)| rule(number, bytes))
        .collect();
    let edges: Vec<IpAddr> = rules.iter().flat_map(edges).collect();
    let (mut host, mut rows) = (HostTables::after(0), Rows::default());
    // All of them, then each second one, then all again: rows come and go.
    for step in 0..3 {
        let some = rules.iter().filter(|r| step != 1 || r.number % 2 == 0);
        let policy = TenantPolicy {
            groups: [(GROUP, ["p".to_owned()].into())].into(),
            rules: some.cloned().map(Arc::new).collect(),
            ..TenantPolicy::default()
        };
        let Ok(build) = host.prepare(1, &policy) else {
            return;
        };
        rows.add(build.write);
        for peer in &edges {
            for port in [80, 81] {
                let query = query(build.root, *peer, port);
                let expected = evaluate_reference(&policy, &query);
                assert_eq!(evaluate(&rows, &query), expected, "{peer} {port} {policy:?}");
            }
        }
        let settling = host.settle(1);
        rows.add(settling.write);
        rows.remove(&settling.delete);
    }
});

/// From eight bytes: options, a prefix's length, an exception's length, and an address.
fn rule(number: u32, bytes: &[u8]) -> PolicyRule {
    let &[options, bits, except, priority, a, b, c, d] = bytes else {
        unreachable!("rules have eight bytes");
    };
    let v6 = options & 1 != 0;
    let mut rule = PolicyRule::new(number, "p", Direction::In, match options >> 1 & 3 {
        0 => Action::Allow,
        1 => Action::Pass,
        _ => Action::Deny,
    });
    rule.priority = u32::from(priority % 4) + 1;
    rule.peer_addresses = vec![range(v6, [a, b, c, d], bits)];
    if options & 8 != 0 {
        rule.peer_except = vec![range(v6, [a, b, c, d], except)];
    }
    if options & 16 != 0 {
        rule.protocol = Some(6);
        rule.ports = vec![80.into()];
    }
    rule
}

/// All addresses that begin with the same bits. In IPv6 the four bytes stand between two others.
fn range(v6: bool, bytes: [u8; 4], bits: u8) -> AddressRange {
    let number = u32::from_be_bytes(bytes);
    if !v6 {
        let mask = u32::MAX.checked_shr(u32::from(bits % 33)).unwrap_or(0);
        return AddressRange {
            first: Ipv4Addr::from(number & !mask).into(),
            last: Ipv4Addr::from(number | mask).into(),
        };
    }
    let number = 0xfd00_u128 << 112 | u128::from(number) << 48;
    let mask = u128::MAX.checked_shr(u32::from(bits % 129)).unwrap_or(0);
    AddressRange {
        first: Ipv6Addr::from(number & !mask).into(),
        last: Ipv6Addr::from(number | mask).into(),
    }
}

/// The ends of a rule's ranges, and what lies beside them.
fn edges(rule: &PolicyRule) -> Vec<IpAddr> {
    let ranges = rule.peer_addresses.iter().chain(&rule.peer_except);
    let ends = ranges.flat_map(|range| [range.first, range.last]);
    ends.flat_map(|end| match end {
        IpAddr::V4(ip) => [-1, 0, 1].map(|n| {
            IpAddr::from(Ipv4Addr::from(u32::from(ip).wrapping_add_signed(n)))
        }),
        IpAddr::V6(ip) => [-1, 0, 1].map(|n| {
            IpAddr::from(Ipv6Addr::from(u128::from(ip).wrapping_add_signed(n)))
        }),
    })
    .collect()
}

fn query(root: u32, peer: IpAddr, port: u16) -> Query {
    let mapped = |ip| match ip {
        IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    Query {
        root,
        subject_group: GROUP,
        peer_group: 0,
        own_address: mapped(IpAddr::from([10, 0, 0, 1])),
        peer_address: mapped(peer),
        direction: Direction::In,
        protocol: 6,
        port,
    }
}
