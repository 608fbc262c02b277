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

    /// Masters that are behind the store by different amounts grant nothing that one who
    /// knows everything would refuse, and leave nothing behind that is of nobody.
    #[test]
    fn masters_that_lag_behind_do_no_harm(
        steps in vec((step(), 0..3usize, proptest::bool::weighted(0.3)), 1..120),
    ) {
        let mut store = World::furnished();
        let mut masters = [store.clone(), store.clone(), store.clone()];
        for (step, master, reads) in &steps {
            let lagging = &mut masters[*master];
            if *reads {
                *lagging = store.clone();
            }
            lagging.time = store.time;
            let Ok(transaction) = lagging.decide(step) else {
                continue;
            };
            if store.holds(&transaction).is_err() {
                continue;
            }
            if !transaction.writes.is_empty() {
                let anew = store.decide(step);
                prop_assert!(anew.is_ok(), "{step:?}: {anew:?}");
            }
            store.commit(transaction).unwrap();
            prop_assert_eq!(&store.image, &store.reloaded());
            for owner in store.image.addresses() {
                if let contiv_ipam::AddressState::Bound { endpoint, .. } = owner.state {
                    let known = store.image.endpoint(endpoint);
                    let has = known.is_some_and(|e| e.addresses().any(|a| a == owner.address));
                    prop_assert!(has, "{} is of nobody after {step:?}", owner.address);
                }
            }
            for endpoint in store.image.endpoints() {
                let network = format!("{}:{}", endpoint.tenant, endpoint.network);
                prop_assert!(store.image.network(&network).is_some(), "after {step:?}");
            }
        }
    }
}
