//! A grant looks at few records, however many there are.

use contiv_model::agent::{AddressRequest, EndpointRequest, PoolRef};

use super::given::{network, put};
use crate::world::World;

#[test]
fn the_ten_thousandth_grant_relies_on_three_keys_as_the_first_does() {
    let mut world = World::new();
    put(&mut world, &network("wide", "10.0.0.0/16"));
    let pool = PoolRef {
        tenant: "default".into(),
        network: "wide".into(),
        group: None,
    };
    for id in 0..10_000 {
        let request = EndpointRequest {
            pool: pool.clone(),
            ipv4: None,
            ipv6: None,
            mac: None,
            replaces: None,
            of_swarm: false,
            begins: false,
        };
        let id = format!("{id:064}");
        let made = crate::put_endpoint(&world.image, 1, "h1", &id, &request);
        world.grant(made);
    }
    let request = AddressRequest {
        pool,
        ipv6: false,
        address: None,
        by: Default::default(),
    };
    let next = crate::request_address(&world.image, 1, "h1", &request).unwrap();
    assert_eq!(next.answer.address.to_string(), "10.0.39.17");
    // The network, its guard, and the address itself.
    assert_eq!(next.transaction.compares.len(), 3);
    // Only the address: whoever else takes one is no rival.
    assert_eq!(next.transaction.writes.len(), 1);
}
