//! Addresses from request to release.

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_model::agent::{
    AddressRelease, AddressRequest, DockerNetwork, EndpointRequest, EndpointView, Mac, PoolRef,
};
use contiv_model::object::{EndpointGroup, Network};

use super::given::{group, network, put, world};
use crate::Decided;
use crate::refusal::{Kind, Refusal};
use crate::world::{World, register};

fn pool(group: Option<&str>) -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: group.map(str::to_owned),
    }
}

fn wish(address: Option<&str>, group: Option<&str>) -> EndpointRequest {
    EndpointRequest {
        pool: pool(group),
        ipv4: address.map(|a| a.parse().unwrap()),
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    }
}

fn create(world: &World, host: &str, id: &str, request: &EndpointRequest) -> Decided<EndpointView> {
    crate::put_endpoint(&world.image, world.time, host, id, request)
}

/// Makes an endpoint on host `h1`.
pub(super) fn start(world: &mut World, id: &str, group: Option<&str>) -> EndpointView {
    let granted = create(world, "h1", id, &wish(None, group));
    world.grant(granted)
}

fn stop(world: &mut World, id: &str) {
    let gone = crate::delete_endpoint(&world.image, "h1", id);
    world.grant(gone);
}

fn ask(world: &mut World, host: &str, address: Option<&str>) -> Result<String, Refusal> {
    let request = AddressRequest {
        pool: pool(None),
        ipv6: false,
        address: address.map(|a| a.parse().unwrap()),
        by: Default::default(),
    };
    let decision = crate::request_address(&world.image, world.time, host, &request)?;
    world.commit(decision.transaction).unwrap();
    let grant = decision.answer;
    Ok(format!("{}/{}", grant.address, grant.prefix_len))
}

fn free(world: &mut World, host: &str, address: &str) {
    let release = AddressRelease {
        pool: pool(None),
        address: address.parse().unwrap(),
        by: Default::default(),
    };
    let released = crate::release_address(&world.image, host, &release);
    world.grant(released);
}

fn states(world: &World) -> Vec<(String, String)> {
    let owners = world.image.addresses();
    owners
        .map(|o| (o.address.to_string(), o.state.to_string()))
        .collect()
}

#[test]
fn an_address_becomes_tentative_then_an_endpoints_then_drains_then_is_free() {
    let mut world = world();
    let here = crate::register_host(&world.image, &world.reports, 0, "h1", &register("b", None));
    world.grant(here);
    assert_eq!(ask(&mut world, "h1", None).unwrap(), "10.1.1.1/24");
    let made = create(&world, "h1", "e1", &wish(Some("10.1.1.1"), None));
    let view = world.grant(made);
    assert_eq!(view.mac, Mac::of_ipv4("10.1.1.1".parse().unwrap()));
    free(&mut world, "h1", "10.1.1.1"); // A hint that is wrong.
    assert_eq!(ask(&mut world, "h1", None).unwrap(), "10.1.1.2/24");
    stop(&mut world, "e1");
    let deleted = world.image.number();
    assert_eq!(ask(&mut world, "h1", None).unwrap(), "10.1.1.3/24");

    let settle = |world: &mut World, number, everywhere| {
        let applied = BTreeMap::from([("h1".to_owned(), number)]);
        let transaction = crate::settle(&world.image, &applied, everywhere);
        world.commit(transaction).unwrap();
        states(world)
            .iter()
            .any(|(_, state)| state.contains("gone"))
    };
    assert!(
        settle(&mut world, deleted - 1, u64::MAX),
        "the host has not heard of it"
    );
    assert!(
        settle(&mut world, deleted, deleted - 1),
        "another host may still send there itself"
    );
    let nobody = crate::settle(&world.image, &BTreeMap::new(), u64::MAX);
    assert!(nobody.writes.is_empty());
    assert!(!settle(&mut world, deleted, deleted));
    assert_eq!(ask(&mut world, "h1", None).unwrap(), "10.1.1.1/24");
}

#[test]
fn a_tentative_address_that_nobody_claims_or_that_is_given_back_is_free() {
    let mut world = world();
    world.time = 1000;
    ask(&mut world, "h1", Some("10.1.1.9")).unwrap();
    let early = crate::expire(&world.image, 1000);
    assert!(early.writes.is_empty());
    let late = crate::expire(&world.image, 1001);
    world.commit(late).unwrap();
    assert_eq!(states(&world), []);
    ask(&mut world, "h1", Some("10.1.1.9")).unwrap();
    free(&mut world, "h2", "10.1.1.9");
    assert_eq!(states(&world).len(), 1, "another host's word is none");
    free(&mut world, "h1", "10.1.1.9");
    assert_eq!(states(&world), []);
}

#[test]
fn an_address_that_somebody_holds_is_refused_with_the_holder() {
    let mut world = world();
    start(&mut world, "e1", None);
    ask(&mut world, "h2", Some("10.1.1.7")).unwrap();
    for (address, holder) in [
        ("10.1.1.1", "endpoint e1 on host h1"),
        ("10.1.1.7", "host h2"),
    ] {
        let refusal = create(&world, "h1", "e2", &wish(Some(address), None)).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.field.as_str()),
            (Kind::Conflict, "address")
        );
        assert!(refusal.message.contains(holder), "{refusal}");
    }
    let refusal = ask(&mut world, "h1", Some("10.1.1.255")).unwrap_err();
    assert_eq!(refusal.kind, Kind::Invalid);
    let gone = PoolRef {
        network: "x".into(),
        ..pool(None)
    };
    let request = EndpointRequest {
        pool: gone,
        ..wish(None, None)
    };
    assert_eq!(
        create(&world, "h1", "e2", &request).unwrap_err().kind,
        Kind::NotFound
    );
}

#[test]
fn the_same_request_is_answered_again_and_another_one_is_not() {
    let mut world = world();
    let first = start(&mut world, "e1", Some("g"));
    for again in [wish(None, Some("g")), wish(Some("10.1.1.1"), Some("g"))] {
        let decision = create(&world, "h1", "e1", &again).unwrap();
        assert!(decision.is_settled());
        assert_eq!(decision.answer, first);
    }
    for other in [wish(None, None), wish(Some("10.1.1.2"), Some("g"))] {
        assert_eq!(
            create(&world, "h1", "e1", &other).unwrap_err().kind,
            Kind::Conflict
        );
    }
    let refusal = create(&world, "h2", "e1", &wish(None, Some("g"))).unwrap_err();
    assert!(refusal.message.contains("one of host h1"), "{refusal}");
    let refusal = crate::delete_endpoint(&world.image, "h2", "e1").unwrap_err();
    assert!(refusal.message.contains("one of host h1"), "{refusal}");
    let unknown = crate::delete_endpoint(&world.image, "h2", "e9").unwrap();
    assert!(unknown.is_settled());
}

#[test]
fn a_mac_that_is_asked_for_is_kept_and_must_be_one_interfaces() {
    let mut world = world();
    let with = |mac: &str| EndpointRequest {
        mac: Some(mac.parse().unwrap()),
        replaces: None,
        ..wish(None, None)
    };
    for group_or_none in [
        "01:00:5e:00:00:01",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
    ] {
        let refusal = create(&world, "h1", "e1", &with(group_or_none)).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.field.as_str()),
            (Kind::Invalid, "mac")
        );
    }
    let made = create(&world, "h1", "e1", &with("02:42:00:00:00:01"));
    assert_eq!(world.grant(made).mac.to_string(), "02:42:00:00:00:01");
    assert!(create(&world, "h1", "e1", &with("02:42:00:00:00:01")).is_ok());
    let other = create(&world, "h1", "e1", &with("02:42:00:00:00:02")).unwrap_err();
    assert_eq!(other.kind, Kind::Conflict);
}

#[test]
fn a_restarted_container_keeps_its_address_and_a_pool_of_one_serves_one() {
    let mut world = world();
    let stamp = world.stamp();
    let one = EndpointGroup {
        ip_pool: "10.1.1.11-10.1.1.11".into(),
        ..group("one", "n", &[])
    };
    world.grant(crate::put_group(&world.image, &stamp, &one, None));
    assert_eq!(
        start(&mut world, "e1", Some("one")).ipv4.to_string(),
        "10.1.1.11"
    );
    let refusal = create(&world, "h1", "e2", &wish(None, Some("one"))).unwrap_err();
    assert!(
        refusal
            .message
            .contains("every address of group default:one"),
        "{refusal}"
    );
    stop(&mut world, "e1");
    // It drains, and only this host is awaited, which hears of the end first.
    assert_eq!(
        ask(&mut world, "h2", Some("10.1.1.11")).unwrap_err().kind,
        Kind::Invalid
    );
    assert_eq!(
        start(&mut world, "e2", Some("one")).ipv4.to_string(),
        "10.1.1.11"
    );
    // Members of other groups, and of none, do not get it.
    let elsewhere = create(&world, "h1", "e3", &wish(Some("10.1.1.11"), Some("g"))).unwrap_err();
    assert_eq!(elsewhere.kind, Kind::Invalid);

    start(&mut world, "far", None);
    let there = create(&world, "h2", "near", &wish(None, None));
    world.grant(there);
    stop(&mut world, "far");
    let refusal = ask(&mut world, "h1", Some("10.1.1.1")).unwrap_err();
    assert!(refusal.message.contains("h1, h2"), "{refusal}");
}

#[test]
fn who_comes_in_the_place_of_one_whose_end_was_heard_waits_for_no_host() {
    let mut world = world();
    let far = start(&mut world, "far", None).ipv4;
    let there = create(&world, "h2", "near", &wish(None, None));
    world.grant(there);
    stop(&mut world, "far");
    let next = |replaces: &str| EndpointRequest {
        replaces: Some(replaces.into()),
        ..wish(Some(&far.to_string()), None)
    };
    // It drains: for who had it not, and for a host that it was not on.
    for (host, replaces) in [("h1", "unknown"), ("h2", "far")] {
        let refusal = create(&world, host, "next", &next(replaces)).unwrap_err();
        assert_eq!(refusal.kind, Kind::Draining, "{host} {replaces}: {refusal}");
    }
    let made = create(&world, "h1", "next", &next("far"));
    assert_eq!(world.grant(made).ipv4, far);
    assert!(!world.image.has_draining());
}

/// A container that masters have not heard of yet may live there, and another master's clock may end
/// the grant at once.
#[test]
fn what_drained_before_a_grant_drains_when_it_ends() {
    type End = fn(&mut World);
    let released: End = |world| free(world, "h1", "10.1.1.1");
    let expired: End = |world| {
        let expired = crate::expire(&world.image, world.time + 1);
        world.commit(expired).unwrap();
    };
    for end in [released, expired] {
        let mut world = world();
        let address = start(&mut world, "e1", None).ipv4.to_string();
        assert_eq!(address, "10.1.1.1");
        stop(&mut world, "e1");
        ask(&mut world, "h1", Some(&address)).unwrap();
        assert!(!world.image.has_draining());
        end(&mut world);
        let refusal = ask(&mut world, "h2", Some(&address)).unwrap_err();
        assert!(refusal.message.contains("h1"), "{refusal}");
        // Once more, and who comes in the old one's place goes before what the engine asked for.
        ask(&mut world, "h1", Some(&address)).unwrap();
        let next = EndpointRequest {
            replaces: Some("e1".into()),
            ..wish(Some(&address), None)
        };
        let made = create(&world, "h1", "next", &next);
        assert_eq!(world.grant(made).ipv4.to_string(), address);
        end(&mut world);
        assert_eq!(states(&world).len(), 1, "{:?}", states(&world));
    }
}

#[test]
fn gateways_and_auxiliary_addresses_are_held() {
    let mut world = world();
    let gatewayed = Network {
        gateway: "10.2.0.1".into(),
        ipv6_subnet: "fd00::/64".into(),
        ipv6_gateway: "fd00::1".into(),
        ..network("m", "10.2.0.0/29")
    };
    put(&mut world, &gatewayed);
    let binding = |address: &str| DockerNetwork {
        id: "d1".into(),
        host: "h1".into(),
        tenant: "default".into(),
        network: "m".into(),
        group: None,
        aux_addresses: vec![address.parse::<IpAddr>().unwrap()],
        swarm: None,
    };
    for taken in ["10.2.0.1", "10.3.0.1", "10.2.0.7"] {
        let refusal = crate::put_docker_network(&world.image, &binding(taken)).unwrap_err();
        assert_eq!(refusal.field, "auxAddresses", "{refusal}");
    }
    world.grant(crate::put_docker_network(
        &world.image,
        &binding("10.2.0.2"),
    ));
    let request = EndpointRequest {
        pool: PoolRef {
            network: "m".into(),
            ..pool(None)
        },
        ..wish(None, None)
    };
    let made = create(&world, "h1", "e1", &request);
    let view = world.grant(made);
    assert_eq!(view.ipv4.to_string(), "10.2.0.3");
    assert_eq!(view.ipv6.unwrap().to_string(), "fd00::2");

    world.grant(crate::put_docker_network(
        &world.image,
        &binding("10.2.0.4"),
    ));
    assert!(
        !states(&world)
            .iter()
            .any(|(address, _)| address == "10.2.0.2")
    );
    let refusal = crate::delete_docker_network(&world.image, "h2", "d1").unwrap_err();
    assert_eq!(refusal.kind, Kind::Conflict);
    let gone = crate::delete_docker_network(&world.image, "h1", "d1");
    world.grant(gone);
    assert!(
        !states(&world)
            .iter()
            .any(|(address, _)| address == "10.2.0.4")
    );
}
