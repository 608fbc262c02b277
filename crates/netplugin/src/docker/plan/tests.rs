//! Which Docker networks follow from which objects.

use contiv_model::agent::{HostObject, Revision, StreamMessage};

use super::*;
use crate::mirror::tests::{group, network, tenant};

fn mirror(objects: Vec<HostObject>) -> Mirror {
    let mut mirror = Mirror::default();
    mirror.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects,
    });
    mirror
}

fn engine_network(id: &str, name: &str, driver: &str, uid: Option<&str>) -> EngineNetwork {
    EngineNetwork {
        id: id.into(),
        name: name.into(),
        driver: driver.into(),
        labels: uid
            .iter()
            .map(|uid| (UID.to_owned(), (*uid).to_owned()))
            .collect(),
        ..EngineNetwork::default()
    }
}

fn bound(id: &str, tenant: &str, network: &str) -> HostObject {
    HostObject::DockerNetwork(DockerNetwork {
        id: id.into(),
        host: "h1".into(),
        tenant: tenant.into(),
        network: network.into(),
        group: None,
        aux_addresses: Vec::new(),
        swarm: None,
    })
}

fn two_tenants() -> Vec<HostObject> {
    vec![
        tenant("default", 1),
        tenant("blue", 2),
        network("default", "net", 1, "10.1.2.0/24"),
        network("blue", "net", 2, "10.1.2.0/24"),
        group("blue", "web", 1, "net"),
    ]
}

fn step(mirror: &Mirror, engine: &[EngineNetwork]) -> Plan {
    plan(mirror, engine, "h1", "netplugin")
}

#[test]
fn every_network_and_group_gets_one_named_after_it_and_its_tenant() {
    let made = step(&mirror(two_tenants()), &[]);
    let names: Vec<&str> = made.create.iter().map(|(_, n)| n.name.as_str()).collect();
    assert_eq!(names, ["net/blue", "net", "web/blue"]);
    let (_, web) = &made.create[2];
    assert_eq!(web.ipam.options, web.options);
    assert_eq!(web.options["tenant"], "blue");
    assert_eq!(web.options["network"], "net");
    assert_eq!(web.options["group"], "web");
    assert_eq!(web.labels[UID], "uid-blue-web");
    assert!(web.attachable && !web.enable_ipv6);
}

#[test]
fn what_is_there_is_realised_and_left_alone() {
    let engine = [
        engine_network("a", "net", "netplugin", Some("uid-default-net")),
        engine_network("b", "net/blue", "netplugin", Some("uid-blue-net")),
        engine_network("c", "web/blue", "netplugin", Some("uid-blue-web")),
        engine_network("d", "bridge", "bridge", None),
    ];
    let plan = step(&mirror(two_tenants()), &engine);
    assert_eq!(
        (plan.create.len(), plan.remove.len(), plan.realised.len()),
        (0, 0, 3)
    );
}

#[test]
fn only_a_uid_that_is_gone_costs_a_docker_network_its_life() {
    let engine = [
        engine_network("a", "old", "netplugin", Some("uid-of-nobody")),
        engine_network("b", "by-hand", "netplugin", None),
        engine_network("c", "bridge", "bridge", Some("uid-of-nobody")),
    ];
    let plan = step(&mirror(two_tenants()), &engine);
    assert_eq!(plan.remove, [("a".to_owned(), "old".to_owned())]);
}

#[test]
fn nothing_is_removed_before_the_master_has_spoken() {
    let engine = [engine_network(
        "a",
        "old",
        "netplugin",
        Some("uid-of-nobody"),
    )];
    assert_eq!(step(&Mirror::default(), &engine), Plan::default());
}

#[test]
fn a_network_made_anew_under_its_old_name_replaces_the_old_docker_network() {
    let engine = [engine_network(
        "a",
        "net",
        "netplugin",
        Some("uid-of-the-old-one"),
    )];
    let objects = vec![
        tenant("default", 1),
        network("default", "net", 1, "10.1.2.0/24"),
    ];
    let plan = step(&mirror(objects), &engine);
    assert_eq!(
        (plan.remove.len(), plan.create.len(), plan.problems.len()),
        (1, 1, 0)
    );
}

#[test]
fn a_name_of_somebody_else_is_a_problem_and_nothing_is_touched() {
    for other in [
        engine_network("a", "net", "bridge", None),
        engine_network("a", "net", "netplugin", None),
    ] {
        let objects = vec![
            tenant("default", 1),
            network("default", "net", 1, "10.1.2.0/24"),
        ];
        let plan = step(&mirror(objects), &[other]);
        assert!(plan.create.is_empty() && plan.remove.is_empty() && plan.realised.is_empty());
        assert_eq!(plan.problems[0].reason, "NameTaken");
        assert_eq!(plan.problems[0].object.key, "default:net");
    }
}

#[test]
fn a_network_that_was_made_for_a_docker_network_gets_no_second_one() {
    let id = "0123456789abcdef0123";
    let objects = vec![
        tenant("default", 1),
        network("default", "docker-0123456789ab", 1, "10.1.2.0/24"),
        bound(id, "default", "docker-0123456789ab"),
    ];
    let engine = [engine_network(id, "by-hand", "netplugin", None)];
    assert_eq!(step(&mirror(objects), &engine), Plan::default());
}

#[test]
fn infra_networks_get_none() {
    let HostObject::Network(mut infra) = network("default", "contivh1", 1, "10.1.2.0/24") else {
        unreachable!()
    };
    infra.infra = true;
    let objects = vec![tenant("default", 1), HostObject::Network(infra)];
    assert_eq!(step(&mirror(objects), &[]), Plan::default());
}

#[test]
fn bindings_follow_the_engines_networks_both_ways() {
    let mut objects = two_tenants();
    objects.push(bound("gone", "default", "net"));
    let mut ours = engine_network("a", "net/blue", "netplugin", Some("uid-blue-net"));
    ours.options = options(&PoolRef {
        tenant: "blue".into(),
        network: "net".into(),
        group: None,
    });
    let plan = step(&mirror(objects), &[ours]);
    assert_eq!(plan.unbind, ["gone"]);
    assert_eq!(plan.bind.len(), 1);
    assert_eq!(
        (plan.bind[0].id.as_str(), plan.bind[0].tenant.as_str()),
        ("a", "blue")
    );
}
