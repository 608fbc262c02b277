//! Two requests that were decided on one image, as by two masters.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{World, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// What the store lets pass after somebody else's commit would be granted anew: no
    /// decision stands on what is no longer so.
    #[test]
    fn what_no_longer_holds_is_not_committed(
        past in vec(step(), 0..20),
        present in vec(step(), 60),
    ) {
        let mut world = World::furnished();
        for step in &past {
            if let Ok(transaction) = world.decide(step) {
                world.commit(transaction).unwrap();
            }
        }
        let granted: Vec<_> = present
            .iter()
            .filter_map(|step| Some((step, world.decide(step).ok()?)))
            .filter(|(_, transaction)| !transaction.writes.is_empty())
            .collect();
        for (first, one) in &granted {
            let mut after = world.clone();
            after.commit(one.clone()).unwrap();
            for (second, other) in &granted {
                if after.holds(other).is_ok() {
                    let anew = after.decide(second);
                    prop_assert!(anew.is_ok(), "{first:?}, then {second:?}: {anew:?}");
                }
            }
        }
    }
}
