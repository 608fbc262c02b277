use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pool(first: &str, last: &str) -> AddressPool {
    AddressPool::new(ip(first), ip(last))
}

#[test]
fn it_is_printed_as_the_original_prints_it() {
    let mut carved = pool("10.3.1.1", "10.3.1.254");
    carved.carve(ip("10.3.1.11"), ip("10.3.1.11"));
    for (pool, text) in [
        (pool("10.1.1.1", "10.1.1.30"), "10.1.1.1-10.1.1.30"),
        (pool("10.1.1.7", "10.1.1.7"), "10.1.1.7"),
        (pool("fd00::1", "fd00::ff"), "fd00::1-fd00::ff"),
        (carved, "10.3.1.1-10.3.1.10, 10.3.1.12-10.3.1.254"),
    ] {
        assert_eq!(pool.to_string(), text);
    }
}

#[test]
fn addresses_of_the_other_family_are_not_in_it() {
    assert!(!pool("0.0.0.0", "255.255.255.255").contains(ip("::1")));
    assert!(!pool("::", "::ffff:ffff").contains(ip("0.0.0.1")));
}

#[test]
fn a_large_pool_costs_what_is_used_of_it() {
    let pool = pool("fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let mut used = RangeSet::new();
    used.insert(bits(ip("fd00::1")), bits(ip("fd7f::")));
    assert_eq!(pool.lowest_without(&used), Some(ip("fd7f::1")));
}

fn host(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

fn set_of(members: &BTreeSet<u8>) -> RangeSet {
    let mut set = RangeSet::new();
    for n in members {
        let number = bits(host(*n));
        set.insert(number, number);
    }
    set
}

proptest! {
    /// The pool beside a plain set of its addresses.
    #[test]
    fn it_gives_what_plain_sets_give(
        (a, b) in (0u8..32, 0u8..32),
        carved in prop::collection::vec((0u8..32, 0u8..6), 0..4),
        used in prop::collection::btree_set(0u8..32, 0..32),
    ) {
        let (first, last) = (a.min(b), a.max(b));
        let mut pool = AddressPool::new(host(first), host(last));
        let mut model: BTreeSet<u8> = (first..=last).collect();
        for (from, width) in carved {
            pool.carve(host(from), host(from + width));
            model.retain(|n| !(from..=from + width).contains(n));
        }
        prop_assert_eq!(pool.set(), set_of(&model));
        for n in 0..40 {
            prop_assert_eq!(pool.contains(host(n)), model.contains(&n), "{}", n);
        }
        let lowest = model.difference(&used).next().copied().map(host);
        prop_assert_eq!(pool.lowest_without(&set_of(&used)), lowest);
        prop_assert_eq!(pool.span(), host(first)..=host(last));
    }
}
