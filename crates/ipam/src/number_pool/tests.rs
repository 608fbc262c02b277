use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn it_gives_what_a_search_through_all_numbers_finds(
        first in 0u32..10, width in 0u32..10, used in prop::collection::btree_set(0u32..24, 0..24)
    ) {
        let last = first + width;
        let pool = NumberPool::new(first, last).with_used(used.iter().copied());
        let used: BTreeSet<u32> = used;
        prop_assert_eq!(pool.lowest_free(), (first..=last).find(|n| !used.contains(n)));
        prop_assert_eq!(pool.used_count() as usize, used.len());
    }
}

#[test]
fn numbers_in_use_are_printed_as_ranges_also_those_outside() {
    let pool = NumberPool::new(100, 1000).with_used([100, 101, 102, 500, 2000]);
    assert_eq!(pool.used_text(), "100-102, 500, 2000");
    assert_eq!(pool.lowest_free(), Some(103));
    let spent = NumberPool::new(u32::MAX, u32::MAX).with_used([u32::MAX]);
    assert_eq!(spent.lowest_free(), None);
}
