//! A Swarm's tasks whose records end before they do.

use contiv_ipam::AddressState;
use contiv_model::agent::{
    AddressRelease, AddressRequest, Asker, DockerNetwork, EndpointRequest, EndpointView, PoolRef,
    SwarmLife,
};

use super::given::world;
use crate::Decided;
use crate::image::Image;
use crate::key::Key;
use crate::refusal::Kind;
use crate::world::{World, register};

const ADDRESS: &str = "10.1.1.7";

fn pool() -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: None,
    }
}

fn life() -> String {
    "one".into()
}

fn manager() -> Asker {
    Asker::Manager { life: life() }
}

/// As an agent tells of an endpoint; `of_swarm` when its engine has just asked for it.
fn told(of_swarm: bool, replaces: Option<&str>) -> EndpointRequest {
    EndpointRequest {
        pool: pool(),
        ipv4: Some(ADDRESS.parse().unwrap()),
        ipv6: None,
        mac: None,
        replaces: replaces.map(str::to_owned),
        of_swarm,
        begins: false,
    }
}

fn put(world: &World, id: &str, request: &EndpointRequest) -> Decided<EndpointView> {
    crate::put_endpoint(&world.image, world.time, "h1", id, request)
}

fn host(world: &mut World) {
    let here = crate::register_host(&world.image, &world.reports, 0, "h1", &register("b", None));
    world.grant(here);
}

fn reserve(world: &mut World) {
    let request = AddressRequest {
        pool: pool(),
        ipv6: false,
        address: Some(ADDRESS.parse().unwrap()),
        by: manager(),
    };
    let granted = crate::request_address(&world.image, world.time, "h1", &request);
    world.grant(granted);
}

fn release(world: &mut World) {
    let release = AddressRelease {
        pool: pool(),
        address: ADDRESS.parse().unwrap(),
        by: manager(),
    };
    let released = crate::release_address(&world.image, "h1", &release);
    world.grant(released);
}

/// A fabric with a Swarm, which has reserved the address.
fn swarm() -> World {
    let mut world = world();
    host(&mut world);
    let binding = DockerNetwork {
        id: "swarm".into(),
        host: String::new(),
        tenant: "default".into(),
        network: "n".into(),
        group: None,
        aux_addresses: Vec::new(),
        swarm: Some(SwarmLife {
            life: life(),
            since: 0,
        }),
    };
    world.grant(crate::put_docker_network(&world.image, &binding));
    reserve(&mut world);
    world
}

/// The host is removed, and comes anew.
fn forget_and_return(world: &mut World) {
    loop {
        let collected = crate::collect_host(&world.image, "h1", None);
        if world.grant(collected) {
            break;
        }
    }
    host(world);
}

fn state(world: &World) -> &AddressState {
    let owner = world
        .image
        .addresses()
        .find(|o| o.address.to_string() == ADDRESS);
    owner.unwrap().state
}

#[track_caller]
fn is_bound_and_reserved(world: &World, id: &str) {
    let AddressState::Bound {
        endpoint, reserved, ..
    } = state(world)
    else {
        panic!("{:?}", state(world));
    };
    assert_eq!(endpoint, id);
    let reserved = reserved.as_ref().expect("the Swarm still has it");
    assert_eq!((&reserved.life, &reserved.was), (&life(), &None));
}

#[test]
fn a_task_of_a_host_that_was_forgotten_has_its_address_again() {
    let mut world = swarm();
    let made = put(&world, "task", &told(true, None));
    world.grant(made);
    forget_and_return(&mut world);
    let stranger = put(&world, "other", &told(false, None)).unwrap_err();
    assert_eq!(stranger.kind, Kind::Conflict, "{stranger}");
    let again = put(&world, "task", &told(false, None));
    world.grant(again);
    is_bound_and_reserved(&world, "task");
    // One that started in its place, while no master answered, is as good.
    forget_and_return(&mut world);
    let next = put(&world, "next", &told(false, Some("task")));
    world.grant(next);
    is_bound_and_reserved(&world, "next");
}

#[test]
fn what_was_free_meanwhile_and_is_the_swarms_now_is_not_given_back() {
    let mut world = swarm();
    let made = put(&world, "task", &told(true, None));
    world.grant(made);
    forget_and_return(&mut world);
    release(&mut world);
    reserve(&mut world);
    let lost = put(&world, "task", &told(false, None)).unwrap_err();
    assert!(lost.message.contains("a Swarm"), "{lost}");
}

#[test]
fn who_comes_in_a_tasks_place_leaves_the_address_reserved() {
    let mut world = swarm();
    let made = put(&world, "task", &told(true, None));
    world.grant(made);
    let next = put(&world, "next", &told(false, Some("task")));
    world.grant(next);
    is_bound_and_reserved(&world, "next");
    assert!(world.image.endpoint("task").is_none());
}

#[test]
fn a_restored_store_takes_hosts_at_their_word_until_they_have_said_all() {
    let mut world = swarm();
    // The snapshot is from before the task began.
    let adoption = crate::adoption(&world.image, 1000);
    let mut draft = crate::decision::Draft::new(&world.image);
    draft.put(&Key::Adoption, &adoption);
    let restored = draft.answer(());
    world.grant(Ok(restored));
    let elsewhere = crate::put_endpoint(&world.image, 0, "h2", "task", &told(false, None));
    assert_eq!(elsewhere.unwrap_err().kind, Kind::Conflict);
    let adopted = put(&world, "task", &told(false, None));
    world.grant(adopted);
    is_bound_and_reserved(&world, "task");

    let awaited = |image: &Image| image.adoption().is_some_and(|a| a.hosts.contains("h1"));
    assert!(awaited(&world.image));
    let gone = crate::delete_endpoint(&world.image, "h1", "task");
    world.grant(gone);
    let done = crate::adopted(&world.image, "h1");
    world.grant(done);
    let late = put(&world, "other", &told(false, None)).unwrap_err();
    assert!(
        matches!(late.kind, Kind::Conflict | Kind::Draining),
        "{late}"
    );
}
