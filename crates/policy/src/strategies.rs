//! Generators of policies and of queries that meet them, for property tests.
//!
//! Everything comes from small pools, so that rules overlap, prefixes lie in each
//! other, priorities tie and queries hit. Addresses branch off two *spines*, one
//! per family: prefixes of a spine nest as deep as there are bits, and a query
//! leaves the spine at any of them.

mod edits;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use contiv_datapath_abi::policy::{Action, Direction, FIRST_RULE, ICMP, ICMPV6, Query, TCP, UDP};
use contiv_model::agent::AddressRange;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

pub use edits::history;

use crate::{Defaults, IcmpMessage, Placement, PolicyRule, PortRange, TenantPolicy, Tier};

/// All generated IPv4 addresses and prefixes branch off this address.
pub const SPINE_V4: Ipv4Addr = Ipv4Addr::new(10, 170, 85, 90);
/// All generated IPv6 addresses and prefixes branch off this address.
pub const SPINE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xaaaa, 0x5555, 0, 0xffff, 0xa5a5, 1);

/// Group numbers in use, 0 (none) to this one.
pub const LAST_GROUP: u32 = 5;

const PORTS: [u16; 4] = [22, 80, 443, 65_535];
const PROTOCOLS: [u8; 6] = [ICMP, TCP, UDP, 47, ICMPV6, 132];

/// A policy with questions that come close to its rules.
#[derive(Clone, Debug)]
pub struct Case {
    pub policy: TenantPolicy,
    /// Their root is 0, for the test to set. Both addresses are of one family.
    pub queries: Vec<Query>,
}

/// Cases with at most `rules` rules and exactly `queries` queries.
pub fn case(rules: usize, queries: usize) -> impl Strategy<Value = Case> {
    tenant_policy(rules).prop_flat_map(move |policy| {
        let edges = edges(&policy);
        vec(query(edges), queries).prop_map(move |queries| Case {
            policy: policy.clone(),
            queries,
        })
    })
}

/// A policy of at most `rules` rules in six policies.
pub fn tenant_policy(rules: usize) -> impl Strategy<Value = TenantPolicy> {
    let names = || select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(str::to_owned);
    let groups = vec(btree_set(names(), 0..5), 1 + LAST_GROUP as usize);
    let places = prop_oneof![
        1 => Just(BTreeMap::new()),
        2 => prop::collection::btree_map(names(), placement(), 0..5),
    ];
    let defaults = prop_oneof![
        1 => Just(BTreeMap::new()),
        1 => prop::collection::btree_map(1..=LAST_GROUP, defaults(), 0..4),
    ];
    (groups, places, defaults, vec(rule(names()), 0..=rules)).prop_map(
        |(groups, policies, defaults, rules)| TenantPolicy {
            groups: (0..).zip(groups).collect(),
            defaults,
            policies,
            rules: numbered(rules),
        },
    )
}

/// Numbers are unique; their order is not that of the list.
fn numbered(rules: Vec<PolicyRule>) -> Vec<Arc<PolicyRule>> {
    let numbers = (0..).map(|index: u32| FIRST_RULE + index * 7 % 1009);
    let rules = numbers.zip(rules).map(|(number, rule)| PolicyRule {
        number,
        id: number.to_string(),
        ..rule
    });
    rules.map(Arc::new).collect()
}

fn placement() -> impl Strategy<Value = Placement> {
    let tier = select(vec![
        Tier::Admin,
        Tier::Normal,
        Tier::Normal,
        Tier::Baseline,
    ]);
    let order = prop_oneof![3 => Just(0u16), 1 => 1..3u16, 1 => Just(16_383)];
    (tier, order, prop::bool::weighted(0.2)).prop_map(|(tier, order, staged)| Placement {
        tier,
        order,
        staged,
    })
}

fn defaults() -> impl Strategy<Value = Defaults> {
    let action = || select(vec![Action::Allow, Action::Deny]);
    (action(), action()).prop_map(|(receiving, sending)| Defaults { receiving, sending })
}

fn rule(policy: impl Strategy<Value = String>) -> impl Strategy<Value = PolicyRule> {
    let place = (policy, direction());
    let outcome = (
        select(vec![1u32, 2, 100]),
        prop_oneof![4 => Just(Action::Allow), 4 => Just(Action::Deny), 1 => Just(Action::Pass)],
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    );
    let peer = (
        option::weighted(0.4, 0..=LAST_GROUP + 1),
        prop_oneof![2 => Just(vec![]), 3 => vec(address_range(), 1..4)],
        prop_oneof![6 => Just(vec![]), 1 => vec(address_range(), 1..3)],
    );
    let own = prop_oneof![4 => Just(vec![]), 1 => vec(address_range(), 1..3)];
    let packets = (
        option::of(protocol()),
        prop_oneof![4 => Just(vec![]), 6 => vec(port_range(), 1..4)],
        prop_oneof![9 => Just(vec![]), 1 => vec(icmp_message(), 1..3)],
    );
    (place, outcome, peer, own, packets).prop_map(|(place, outcome, peer, own, packets)| {
        let (protocol, mut ports, icmp) = packets;
        if matches!(protocol, Some(ICMP | ICMPV6)) && !icmp.is_empty() {
            ports.clear();
        }
        PolicyRule {
            priority: outcome.0,
            peer_group: peer.0,
            peer_addresses: peer.1,
            peer_except: peer.2,
            own_addresses: own,
            protocol,
            ports,
            icmp,
            log: outcome.2,
            keep_established: outcome.3,
            ..PolicyRule::new(FIRST_RULE, &place.0, place.1, outcome.1)
        }
    })
}

/// One port, or a range that begins or ends at one; now and then one in the wrong order.
fn port_range() -> impl Strategy<Value = PortRange> {
    let between = (port(), port()).prop_map(|(a, b)| PortRange {
        first: a.min(b),
        last: a.max(b),
    });
    let odd = (port(), port()).prop_map(|(first, last)| PortRange { first, last });
    prop_oneof![6 => select(PORTS.to_vec()).prop_map(PortRange::from), 5 => between, 1 => odd]
}

fn icmp_message() -> impl Strategy<Value = IcmpMessage> {
    let kind = select(vec![0u8, 3, 8, 128, 255]);
    (kind, option::of(select(vec![0u8, 4, 255])))
        .prop_map(|(kind, code)| IcmpMessage { kind, code })
}

/// Ports at which ranges begin and end, and those beside them.
fn port() -> impl Strategy<Value = u16> {
    let edge = select(vec![
        0u16, 1, 22, 80, 255, 256, 443, 4_095, 4_096, 8_000, 8_191, 65_535,
    ]);
    prop_oneof![
        4 => edge.clone(),
        2 => (edge, -1..=1i16).prop_map(|(port, step)| port.wrapping_add_signed(step)),
        1 => any::<u16>(),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![Direction::In, Direction::Out])
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(TCP), 2 => Just(UDP), 3 => select(PROTOCOLS.to_vec())]
}

/// A prefix of a spine, or a range between two addresses near one; now and then
/// one whose ends do not fit together.
pub fn address_range() -> impl Strategy<Value = AddressRange> {
    let prefix = prop_oneof![
        (0..=32u32).prop_map(|bits| around(SPINE_V4.into(), bits)),
        (0..=128u32).prop_map(|bits| around(SPINE_V6.into(), bits)),
    ];
    let between = (address(), address()).prop_map(|(one, other)| AddressRange {
        first: one.min(other),
        last: one.max(other),
    });
    let odd = (address(), address()).prop_map(|(first, last)| AddressRange { first, last });
    prop_oneof![12 => prefix, 6 => between, 1 => odd]
}

/// A spine itself, or where one bit leaves it.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        Just(IpAddr::from(SPINE_V4)),
        Just(IpAddr::from(SPINE_V6)),
        (0..32u32).prop_map(|bit| leave(SPINE_V4.into(), bit)),
        (0..128u32).prop_map(|bit| leave(SPINE_V6.into(), bit)),
    ]
}

/// The prefix of this many bits that holds the address.
pub fn around(address: IpAddr, bits: u32) -> AddressRange {
    match address {
        IpAddr::V4(a) => {
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            AddressRange {
                first: Ipv4Addr::from_bits(a.to_bits() & !rest).into(),
                last: Ipv4Addr::from_bits(a.to_bits() | rest).into(),
            }
        }
        IpAddr::V6(a) => {
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            AddressRange {
                first: Ipv6Addr::from_bits(a.to_bits() & !rest).into(),
                last: Ipv6Addr::from_bits(a.to_bits() | rest).into(),
            }
        }
    }
}

/// The address with one bit flipped, counted from the front.
pub fn leave(address: IpAddr, bit: u32) -> IpAddr {
    match address {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() ^ (1 << 31 >> bit)).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() ^ (1 << 127 >> bit)).into(),
    }
}

/// The form of an address in queries: IPv4 is mapped.
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// Addresses at which some rule begins or ends to match, on both sides of the edge.
/// Only such as an endpoint can have.
fn edges(policy: &TenantPolicy) -> Vec<IpAddr> {
    let ranges = policy.rules.iter().flat_map(|rule| {
        let peer = rule.peer_addresses.iter().chain(&rule.peer_except);
        peer.chain(&rule.own_addresses)
    });
    let mut edges: Vec<IpAddr> = ranges
        .flat_map(|range| {
            let (before, after) = (step(range.first, false), step(range.last, true));
            [before, Some(range.first), Some(range.last), after]
        })
        .flatten()
        .filter(|address| is_ordinary(*address))
        .collect();
    edges.extend([IpAddr::from(SPINE_V4), IpAddr::from(SPINE_V6)]);
    edges
}

fn step(address: IpAddr, up: bool) -> Option<IpAddr> {
    match address {
        IpAddr::V4(a) => {
            let bits = a.to_bits();
            let next = if up {
                bits.checked_add(1)
            } else {
                bits.checked_sub(1)
            };
            next.map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpAddr::V6(a) => {
            let bits = a.to_bits();
            let next = if up {
                bits.checked_add(1)
            } else {
                bits.checked_sub(1)
            };
            next.map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    }
}

/// Unicast, routable, and what it seems to be.
fn is_ordinary(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            (1..224).contains(&a.octets()[0]) && !a.is_loopback() && !a.is_link_local()
        }
        IpAddr::V6(a) => a.to_ipv4().is_none() && !a.is_multicast() && !a.is_unicast_link_local(),
    }
}

fn query(edges: Vec<IpAddr>) -> impl Strategy<Value = Query> {
    let addresses = any::<bool>().prop_flat_map(move |v4| {
        (
            near(&edges, v4).prop_map(mapped),
            near(&edges, v4).prop_map(mapped),
        )
    });
    let groups = (0..=LAST_GROUP + 1, 0..=LAST_GROUP + 1);
    (addresses, groups, direction(), protocol(), detail()).prop_map(
        |(
            (own_address, peer_address),
            (subject_group, peer_group),
            direction,
            protocol,
            detail,
        )| {
            let port = match protocol {
                TCP | UDP => detail.0,
                ICMP | ICMPV6 => detail.1,
                _ => 0,
            };
            Query {
                root: 0,
                subject_group,
                own_address,
                direction,
                peer_group,
                peer_address,
                protocol,
                port,
            }
        },
    )
}

/// A port, and an ICMP message in its place.
fn detail() -> impl Strategy<Value = (u16, u16)> {
    let message = icmp_message().prop_map(|m| u16::from_be_bytes([m.kind, m.code.unwrap_or(1)]));
    let port = prop_oneof![3 => select(PORTS.to_vec()), 4 => port()];
    (port, message)
}

/// An edge of the family, or a way off its spine.
fn near(edges: &[IpAddr], v4: bool) -> impl Strategy<Value = IpAddr> + use<> {
    let edges: Vec<IpAddr> = edges
        .iter()
        .copied()
        .filter(|a| a.is_ipv4() == v4)
        .collect();
    let (spine, bits) = if v4 {
        (SPINE_V4.into(), 32u32)
    } else {
        (SPINE_V6.into(), 128)
    };
    prop_oneof![
        any::<Index>().prop_map(move |index| *index.get(&edges)),
        (0..bits).prop_map(move |bit| leave(spine, bit)),
    ]
}
