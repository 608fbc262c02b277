//! What was granted to an engine when a snapshot was taken.

use contiv_ipam::AddressState;
use contiv_model::agent::{AddressRequest, Asker, EndpointRequest, PoolRef};

use super::given::world;
use crate::key::Key;
use crate::world::{World, register};

fn pool() -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: None,
    }
}

fn request(world: &mut World, host: &str, address: &str) {
    let request = AddressRequest {
        pool: pool(),
        ipv6: false,
        address: Some(address.parse().unwrap()),
        by: Asker::Engine,
    };
    let granted = crate::request_address(&world.image, world.time, host, &request);
    world.grant(granted);
}

#[test]
fn a_restored_store_knows_no_grant_of_which_nobody_made_an_endpoint() {
    let mut world = world();
    for host in ["h1", "h2"] {
        let here =
            crate::register_host(&world.image, &world.reports, 0, host, &register("b", None));
        world.grant(here);
    }
    request(&mut world, "h1", "10.1.1.7");
    request(&mut world, "h1", "10.1.1.8");
    let wish = |address: &str| EndpointRequest {
        pool: pool(),
        ipv4: Some(address.parse().unwrap()),
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let made = crate::put_endpoint(&world.image, world.time, "h1", "made", &wish("10.1.1.8"));
    world.grant(made);

    // After the snapshot the first one went back, and another host's container has got it.
    let adoption = crate::adoption(&world.image, 1000);
    let grants: Vec<Key> = crate::grants(&world.image).collect();
    let [Key::Address(number, address)] = grants[..] else {
        panic!("{grants:?}");
    };
    assert_eq!(address.to_string(), "10.1.1.7");
    let mut draft = crate::decision::Draft::new(&world.image);
    draft.delete(&Key::Address(number, address));
    draft.put(&Key::Adoption, &adoption);
    let restored = draft.answer(());
    world.grant(Ok(restored));

    let again = AddressRequest {
        pool: pool(),
        ipv6: false,
        address: Some(address),
        by: Asker::Engine,
    };
    let refused = crate::request_address(&world.image, world.time, "h1", &again).unwrap_err();
    assert!(
        refused.message.contains("the store was restored"),
        "{refused}"
    );
    let told = crate::put_endpoint(&world.image, world.time, "h2", "theirs", &wish("10.1.1.7"));
    world.grant(told);
    let owner = world.image.address(number, address);
    assert!(
        matches!(owner, Some(AddressState::Bound { endpoint, .. }) if endpoint == "theirs"),
        "{owner:?}"
    );

    // The first host's container may have ended since, and its address be another host's by now.
    let ended = crate::delete_endpoint(&world.image, "h1", "made");
    world.grant(ended);
    let next = EndpointRequest {
        begins: true,
        ..wish("10.1.1.8")
    };
    let refused = crate::put_endpoint(&world.image, world.time, "h1", "next", &next).unwrap_err();
    assert!(
        refused.message.contains("the store was restored"),
        "{refused}"
    );
}
