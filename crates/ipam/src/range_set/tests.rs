//! Held to a plain set of numbers, at both ends of the number space.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The numbers that the tests play with: a window of this width, somewhere.
const WIDTH: u128 = 24;

#[derive(Clone, Debug)]
enum Change {
    Insert(u128, u128),
    Remove(u128, u128),
}

fn change() -> impl Strategy<Value = Change> {
    (0..WIDTH, 0..WIDTH, any::<bool>()).prop_map(|(first, last, insert)| match insert {
        true => Change::Insert(first, last),
        false => Change::Remove(first, last),
    })
}

fn base() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0), Just(1 << 64), Just(u128::MAX - WIDTH + 1)]
}

proptest! {
    #[test]
    fn it_holds_the_numbers_that_a_plain_set_holds(
        base in base(), changes in prop::collection::vec(change(), 0..40)
    ) {
        let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Insert(first, last) => {
                    set.insert(base + first, base + last);
                    model.extend(first..=last);
                }
                Change::Remove(first, last) => {
                    set.remove(base + first, base + last);
                    model.retain(|n| !(first..=last).contains(n));
                }
            }
            agrees(&set, &model, base);
        }
    }
}

fn agrees(set: &RangeSet, model: &BTreeSet<u128>, base: u128) {
    assert_eq!(set.count(), model.len() as u128);
    assert_eq!(set.is_empty(), model.is_empty());
    for n in 0..WIDTH {
        assert_eq!(set.contains(base + n), model.contains(&n));
        let lowest = model.range(n..).next().map(|n| base + n);
        assert_eq!(set.lowest_from(base + n), lowest);
        let missing = (n..WIDTH).find(|n| !model.contains(n));
        let missing = missing.or(Some(WIDTH)).and_then(|n| base.checked_add(n));
        assert_eq!(set.lowest_missing_from(base + n), missing);
        for last in n..WIDTH {
            let all = (n..=last).all(|n| model.contains(&n));
            assert_eq!(set.contains_range(base + n, base + last), all);
        }
    }
    // Ranges are as few as can be, and in order.
    let ranges: Vec<_> = set.ranges().collect();
    for pair in ranges.windows(2) {
        assert!(pair[0].1 + 1 < pair[1].0, "{ranges:?}");
    }
}

#[test]
fn all_numbers_there_are_fit_in() {
    let mut set = RangeSet::new();
    set.insert(0, u128::MAX);
    assert_eq!(set.count(), u128::MAX);
    assert_eq!(set.lowest_missing_from(7), None);
    set.remove(0, 0);
    set.remove(u128::MAX, u128::MAX);
    assert_eq!(set.ranges().collect::<Vec<_>>(), [(1, u128::MAX - 1)]);
    set.insert(u128::MAX, u128::MAX);
    set.insert(0, 0);
    assert_eq!(set.ranges().count(), 1);
}

#[test]
fn what_is_in_one_and_not_in_the_other() {
    let (mut set, mut other) = (RangeSet::new(), RangeSet::new());
    set.insert(1, 10);
    other.insert(3, 4);
    other.insert(8, 20);
    assert_eq!(text(&set.without(&other), |n| n.to_string()), "1-2, 5-7");
}
