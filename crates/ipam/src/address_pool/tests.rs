use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ranged(subnet: &str, first: &str, last: &str) -> AddressPool {
    AddressPool::of_range(net(subnet), ip(first), ip(last))
}

#[test]
fn what_is_available_is_printed_as_the_original_prints_it() {
    for (pool, available) in [
        (
            ranged("10.100.100.192/27", "10.100.100.194", "10.100.100.222"),
            "10.100.100.194-10.100.100.222",
        ),
        (
            ranged("10.1.1.0/27", "10.1.1.5", "10.1.1.15"),
            "10.1.1.5-10.1.1.15",
        ),
        (
            AddressPool::of_subnet(net("10.1.1.1/27")),
            "10.1.1.1-10.1.1.30",
        ),
        (
            AddressPool::of_subnet(net("10.1.1.0/28")),
            "10.1.1.1-10.1.1.14",
        ),
        (
            AddressPool::of_subnet(net("10.1.1.0/29")),
            "10.1.1.1-10.1.1.6",
        ),
        (
            AddressPool::of_subnet(net("10.1.1.0/30")),
            "10.1.1.1-10.1.1.2",
        ),
        (
            AddressPool::of_subnet(net("10.1.1.0/31")),
            "10.1.1.0-10.1.1.1",
        ),
        (AddressPool::of_subnet(net("10.1.1.7/32")), "10.1.1.7"),
        (
            AddressPool::of_subnet(net("0.0.0.0/0")),
            "0.0.0.1-255.255.255.254",
        ),
        (
            ranged("10.1.1.0/24", "10.1.1.0", "10.1.1.255"),
            "10.1.1.1-10.1.1.254",
        ),
        (ranged("10.1.1.0/24", "10.1.2.0", "10.1.2.255"), ""),
        (ranged("10.1.1.0/24", "fd00::1", "fd00::2"), ""),
        (
            AddressPool::of_subnet(net("fd00::/120")),
            "fd00::1-fd00::ff",
        ),
        (AddressPool::of_subnet(net("fd00::/127")), "fd00::-fd00::1"),
        (AddressPool::of_subnet(net("fd00::9/128")), "fd00::9"),
        (
            AddressPool::of_subnet(net("::/0")),
            "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ),
    ] {
        assert_eq!(pool.free_text(), available);
        assert_eq!(pool.used_text(), "");
    }
}

#[test]
fn endpoints_come_and_go() {
    let mut pool = AddressPool::of_subnet(net("10.1.1.0/24"));
    assert_eq!(pool.take_lowest(), Ok(ip("10.1.1.1")));
    assert_eq!(pool.take(ip("10.1.1.5")), Ok(()));
    assert_eq!(pool.used_text(), "10.1.1.1, 10.1.1.5");
    assert_eq!(pool.free_text(), "10.1.1.2-10.1.1.4, 10.1.1.6-10.1.1.254");
    assert_eq!(pool.used_count(), 2);
    assert!(pool.release(ip("10.1.1.1")) && pool.release(ip("10.1.1.5")));
    assert!(!pool.release(ip("10.1.1.5")));
    assert_eq!(pool.free_text(), "10.1.1.1-10.1.1.254");
}

#[test]
fn the_gateway_counts_as_used() {
    let mut pool = AddressPool::of_subnet(net("60.1.1.0/24"));
    pool.take(ip("60.1.1.254")).unwrap();
    for _ in 0..3 {
        pool.take_lowest().unwrap();
    }
    assert_eq!(pool.used_text(), "60.1.1.1-60.1.1.3, 60.1.1.254");
    assert!(matches!(
        pool.take(ip("60.1.1.254")),
        Err(Refusal::AddressUsed { .. })
    ));
}

#[test]
fn a_groups_addresses_are_its_own() {
    let mut network = AddressPool::of_subnet(net("10.3.1.0/24"));
    let mut group = network.carve(ip("10.3.1.11"), ip("10.3.1.11")).unwrap();
    assert_eq!(
        network.free_text(),
        "10.3.1.1-10.3.1.10, 10.3.1.12-10.3.1.254"
    );
    assert_eq!(group.take_lowest(), Ok(ip("10.3.1.11")));
    let spent = group.take_lowest().unwrap_err().to_string();
    assert!(spent.contains("no address of 10.3.1.11 is free"), "{spent}");
    assert!(!network.has(ip("10.3.1.11")) && group.has(ip("10.3.1.11")));
    for (first, last, taken) in [
        ("10.3.1.9", "10.3.1.12", "10.3.1.11"),
        ("10.3.1.0", "10.3.1.5", "10.3.1.0"),
        ("10.3.1.250", "10.3.1.255", "10.3.1.255"),
        ("10.3.2.1", "10.3.2.2", "10.3.2.1"),
        ("10.3.1.5", "10.3.1.4", "10.3.1.5"),
        ("fd00::1", "fd00::2", "fd00::1"),
    ] {
        let refused = network.carve(ip(first), ip(last)).unwrap_err();
        assert!(
            matches!(&refused, Refusal::RangeTaken { taken: t, .. } if *t == ip(taken)),
            "{refused}"
        );
    }
    group.release(ip("10.3.1.11"));
    network.merge(group);
    assert_eq!(network, AddressPool::of_subnet(net("10.3.1.0/24")));
}

#[test]
fn refusals_name_the_address_and_what_there_is() {
    let mut pool = ranged("10.1.1.0/24", "10.1.1.10", "10.1.1.20");
    for outside in [
        "10.1.1.9",
        "10.1.1.21",
        "10.1.1.0",
        "10.1.2.10",
        "fd00::a",
        "::a01:10a",
    ] {
        let refused = pool.take(ip(outside)).unwrap_err().to_string();
        assert!(
            refused.contains(outside) && refused.contains("10.1.1.10-10.1.1.20"),
            "{refused}"
        );
    }
}

#[test]
fn a_large_pool_costs_what_is_used_of_it() {
    let mut pool = AddressPool::of_subnet(net("fd00::/8"));
    let far = ip("fdff:ffff::7");
    pool.take(far).unwrap();
    assert_eq!(pool.take_lowest(), Ok(ip("fd00::1")));
    assert_eq!(pool.free_text().matches(", ").count(), 1);
    let mut pool = AddressPool::of_subnet(net("10.0.0.0/8"));
    for _ in 0..10_000 {
        pool.take_lowest().unwrap();
    }
    assert_eq!(pool.used_text(), "10.0.0.1-10.0.39.16");
}

#[derive(Clone, Debug)]
enum Change {
    TakeLowest,
    Take(u8),
    Release(u8),
    Carve(u8, u8),
    GroupTakeLowest,
    GroupRelease(u8),
    Merge,
}

fn change() -> impl Strategy<Value = Change> {
    let host = || 0u8..20;
    prop_oneof![
        4 => Just(Change::TakeLowest),
        3 => host().prop_map(Change::Take),
        4 => host().prop_map(Change::Release),
        1 => (host(), host()).prop_map(|(a, b)| Change::Carve(a, b)),
        2 => Just(Change::GroupTakeLowest),
        2 => host().prop_map(Change::GroupRelease),
        1 => Just(Change::Merge),
    ]
}

fn host(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

proptest! {
    /// A network 10.0.0.0/28 and at most one group of it, as two pairs of plain sets.
    #[test]
    fn it_gives_what_plain_sets_give(changes in prop::collection::vec(change(), 0..80)) {
        let mut pool = AddressPool::of_subnet(net("10.0.0.0/28"));
        let mut group: Option<AddressPool> = None;
        let mut free: BTreeSet<u8> = (1..=14).collect();
        let (mut used, mut group_free, mut group_used) = <(BTreeSet<u8>, BTreeSet<u8>, BTreeSet<u8>)>::default();
        for change in changes {
            match change {
                Change::TakeLowest => {
                    let expected = free.pop_first();
                    prop_assert_eq!(pool.take_lowest().ok(), expected.map(host));
                    used.extend(expected);
                }
                Change::Take(n) => {
                    let expected = free.remove(&n);
                    prop_assert_eq!(pool.take(host(n)).is_ok(), expected);
                    used.extend(expected.then_some(n));
                }
                Change::Release(n) => {
                    let expected = used.remove(&n);
                    prop_assert_eq!(pool.release(host(n)), expected);
                    free.extend(expected.then_some(n));
                }
                Change::Carve(first, last) if group.is_none() => {
                    let whole = first <= last && (first..=last).all(|n| free.contains(&n));
                    group = pool.carve(host(first), host(last)).ok();
                    prop_assert_eq!(group.is_some(), whole);
                    if whole {
                        group_free = (first..=last).collect();
                        free.retain(|n| !(first..=last).contains(n));
                    }
                }
                Change::Carve(..) => {}
                Change::GroupTakeLowest => if let Some(group) = &mut group {
                    let expected = group_free.pop_first();
                    prop_assert_eq!(group.take_lowest().ok(), expected.map(host));
                    group_used.extend(expected);
                },
                Change::GroupRelease(n) => if let Some(group) = &mut group {
                    let expected = group_used.remove(&n);
                    prop_assert_eq!(group.release(host(n)), expected);
                    group_free.extend(expected.then_some(n));
                },
                Change::Merge => if let Some(group) = group.take() {
                    pool.merge(group);
                    free.append(&mut group_free);
                    used.append(&mut group_used);
                },
            }
            prop_assert_eq!(pool.used_count() as usize, used.len());
            prop_assert_eq!(pool.lowest_free(), free.first().copied().map(host));
            for n in 0..20 {
                prop_assert_eq!(pool.is_free(host(n)), free.contains(&n));
                prop_assert_eq!(pool.is_used(host(n)), used.contains(&n));
            }
        }
    }
}
