use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Change {
    TakeLowest,
    TakeNext,
    Take(u32),
    Release(u32),
    Resize(u32, u32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => Just(Change::TakeLowest),
        3 => Just(Change::TakeNext),
        2 => (0u32..20).prop_map(Change::Take),
        3 => (0u32..20).prop_map(Change::Release),
        1 => (0u32..20, 0u32..20).prop_map(|(a, b)| Change::Resize(a.min(b), a.max(b))),
    ]
}

proptest! {
    #[test]
    fn it_gives_what_a_search_through_all_numbers_finds(
        first in 0u32..10, width in 0u32..10, changes in prop::collection::vec(change(), 0..60)
    ) {
        let (mut first, mut last, mut given) = (first, first + width, 0);
        let mut pool = NumberPool::new(first, last);
        let mut model = BTreeSet::new();
        for change in changes {
            match change {
                Change::TakeLowest => {
                    let expected = (first..=last).find(|n| !model.contains(n));
                    prop_assert_eq!(pool.take_lowest().ok(), expected);
                    model.extend(expected);
                }
                Change::TakeNext => {
                    let ring = (given + 1..=last).chain(first..=last);
                    let expected = ring.filter(|n| *n >= first).find(|n| !model.contains(n));
                    prop_assert_eq!(pool.take_next_after(given).ok(), expected);
                    model.extend(expected);
                    given = expected.unwrap_or(given);
                }
                Change::Take(n) => {
                    let free = (first..=last).contains(&n) && !model.contains(&n);
                    prop_assert_eq!(pool.take(n).is_ok(), free);
                    if free {
                        model.insert(n);
                    }
                }
                Change::Release(n) => prop_assert_eq!(pool.release(n), model.remove(&n)),
                Change::Resize(from, to) => {
                    let fits = model.iter().all(|n| (from..=to).contains(n));
                    prop_assert_eq!(pool.resize(from, to).is_ok(), fits);
                    if fits {
                        (first, last) = (from, to);
                    }
                }
            }
            prop_assert_eq!(pool.used_count() as usize, model.len());
            let rebuilt = NumberPool::new(first, last).with_used(model.iter().copied());
            prop_assert_eq!(&rebuilt, &pool);
        }
    }
}

#[test]
fn group_numbers_go_around_the_ring() {
    let mut pool = NumberPool::new(1, 4);
    let mut given = 0;
    let mut next = |pool: &mut NumberPool| {
        given = pool.take_next_after(given).unwrap();
        given
    };
    assert_eq!([next(&mut pool), next(&mut pool)], [1, 2]);
    // The number of a group that is gone is the last to be seen again.
    pool.release(1);
    assert_eq!(
        [next(&mut pool), next(&mut pool), next(&mut pool)],
        [3, 4, 1]
    );
    assert!(matches!(
        pool.take_next_after(1),
        Err(Refusal::NumbersSpent { first: 1, last: 4 })
    ));
    // What was given last may lie outside, after the range was changed.
    pool.release(2);
    assert_eq!(pool.next_free_after(9), Some(2));
    assert_eq!(NumberPool::new(5, 9).next_free_after(1), Some(5));
    assert_eq!(
        NumberPool::new(1, u32::MAX).next_free_after(u32::MAX),
        Some(1)
    );
}

#[test]
fn refusals_name_the_number_and_the_way_out() {
    let mut pool = NumberPool::new(100, 1000).with_used([100, 101, 102, 500]);
    for (refused, said) in [
        (pool.take(99), "99 is outside of 100-1000"),
        (pool.take(1001), "1001 is outside of 100-1000"),
        (pool.take(500), "500 is in use; choose another"),
        (
            pool.resize(101, 1000),
            "100 is in use and outside of 101-1000",
        ),
        (
            pool.resize(100, 499),
            "choose a range that has 100-102, 500 in it",
        ),
    ] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    assert!(pool.resize(1, 500).is_ok());
    assert_eq!(pool.used_text(), "100-102, 500");
}
