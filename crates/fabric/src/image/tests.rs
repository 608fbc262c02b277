#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::world::{World, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_image_that_followed_is_an_image_that_was_loaded(steps in vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            if let Ok(transaction) = world.decide(step) {
                world.commit(transaction).unwrap();
                prop_assert_eq!(&world.image, &world.reloaded());
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_and_what_is_not_ours_is_left_alone() {
    let entry = |key: &str| Entry {
        key: key.to_owned(),
        value: Bytes::from_static(b"{}"),
        number: 1,
    };
    let error = Image::load(1, [entry("/objects/tenants/blue")]).unwrap_err();
    assert!(
        error.to_string().contains("/objects/tenants/blue"),
        "{error}"
    );
    let image = Image::load(1, [entry("/somebody/else")]).unwrap();
    assert_eq!(image.number_of("/somebody/else"), 1);
}
