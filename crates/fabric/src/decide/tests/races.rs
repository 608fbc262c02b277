//! Two requests that were decided on one image, as by two masters.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{World, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// What the store lets pass after somebody else's commit would be granted anew: no
    /// decision stands on what is no longer so.
    #[test]
    fn what_no_longer_holds_is_not_committed(
        past in vec(step(), 1..60),
        present in vec((step(), step()), 1..12),
    ) {
        let mut world = World::new();
        for step in &past {
            if let Ok(transaction) = world.decide(step) {
                world.commit(transaction).unwrap();
            }
        }
        for (first, second) in &present {
            let (Ok(one), Ok(other)) = (world.decide(first), world.decide(second)) else {
                continue;
            };
            world.commit(one).unwrap();
            let anew = world.decide(second);
            if world.commit(other).is_ok() {
                prop_assert!(anew.is_ok(), "{first:?}, then {second:?}: {anew:?}");
                prop_assert_eq!(&world.image, &world.reloaded());
            }
        }
    }
}
