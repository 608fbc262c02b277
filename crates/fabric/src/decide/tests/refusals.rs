//! What the original refused, or was asked to refuse, with the words of the refusal.

use contiv_model::agent::TakenPrefix;
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};

use crate::image::Image;
use crate::refusal::{Kind, Refusal};
use crate::reports::HostReport;
use crate::world::World;

/// Tenant `default` with network `n` (10.1.1.0/24), policy `p`, and group `g` that has it.
pub(super) fn world() -> World {
    let mut world = World::new();
    put(&mut world, &network("n", "10.1.1.0/24"));
    let stamp = world.stamp();
    world.grant(crate::put_policy(&world.image, &stamp, &policy("p"), None));
    world.grant(crate::put_group(
        &world.image,
        &stamp,
        &group("g", "n", &["p"]),
        None,
    ));
    world
}

pub(super) fn network(name: &str, subnet: &str) -> Network {
    Network {
        tenant_name: "default".into(),
        network_name: name.into(),
        encap: "vxlan".into(),
        subnet: subnet.into(),
        ..Network::default()
    }
}

pub(super) fn group(name: &str, network: &str, policies: &[&str]) -> EndpointGroup {
    EndpointGroup {
        tenant_name: "default".into(),
        group_name: name.into(),
        network_name: network.into(),
        policies: policies.iter().map(|name| (*name).into()).collect(),
        ..EndpointGroup::default()
    }
}

fn policy(name: &str) -> Policy {
    Policy {
        tenant_name: "default".into(),
        policy_name: name.into(),
        ..Policy::default()
    }
}

fn rule() -> Rule {
    Rule {
        tenant_name: "default".into(),
        policy_name: "p".into(),
        rule_id: "1".into(),
        direction: "in".into(),
        action: "allow".into(),
        ..Rule::default()
    }
}

pub(super) fn put(world: &mut World, network: &Network) {
    let (stamp, reports) = (world.stamp(), world.reports.clone());
    world.grant(crate::put_network(
        &world.image,
        &reports,
        &stamp,
        network,
        None,
    ));
}

fn refuse_network(world: &mut World, network: &Network) -> Refusal {
    let (stamp, reports) = (world.stamp(), world.reports.clone());
    crate::put_network(&world.image, &reports, &stamp, network, None).unwrap_err()
}

fn refuse_group(world: &mut World, group: &EndpointGroup) -> Refusal {
    let stamp = world.stamp();
    crate::put_group(&world.image, &stamp, group, None).unwrap_err()
}

fn refuse_rule(world: &mut World, rule: &Rule) -> Refusal {
    let stamp = world.stamp();
    crate::put_rule(&world.image, &stamp, rule, None).unwrap_err()
}

/// The refusal has this kind, is about this field, and has these words.
#[track_caller]
fn expect(refusal: &Refusal, kind: Kind, field: &str, words: &str) {
    assert_eq!(
        (refusal.kind, refusal.field.as_str()),
        (kind, field),
        "{refusal}"
    );
    assert!(refusal.message.contains(words), "{refusal}");
}

#[test]
fn what_an_object_refers_to_must_exist() {
    let mut world = world();
    let strange = Network {
        tenant_name: "blue".into(),
        ..network("m", "10.1.2.0/24")
    };
    let refusal = refuse_network(&mut world, &strange);
    expect(
        &refusal,
        Kind::Invalid,
        "tenantName",
        "tenant blue does not exist",
    );
    let refusal = refuse_group(&mut world, &group("h", "m", &[]));
    expect(
        &refusal,
        Kind::Invalid,
        "networkName",
        "network default:m does not exist",
    );
    let refusal = refuse_group(&mut world, &group("h", "n", &["p", "q"]));
    expect(
        &refusal,
        Kind::Invalid,
        "policies",
        "policy default:q does not exist",
    );
    let stamp = world.stamp();
    let lost = Policy {
        tenant_name: "blue".into(),
        ..policy("p")
    };
    let refusal = crate::put_policy(&world.image, &stamp, &lost, None).unwrap_err();
    expect(&refusal, Kind::Invalid, "tenantName", "create it first");

    let set: [(fn(&mut Rule), &str, &str); 4] = [
        (
            |r| r.policy_name = "q".into(),
            "policyName",
            "policy default:q",
        ),
        (
            |r| r.from_endpoint_group = "x".into(),
            "fromEndpointGroup",
            "group default:x",
        ),
        (
            |r| r.from_network = "x".into(),
            "fromNetwork",
            "network default:x",
        ),
        (
            |r| {
                r.direction = "out".into();
                r.to_endpoint_group = "x".into();
            },
            "toEndpointGroup",
            "group default:x",
        ),
    ];
    for (change, field, words) in set {
        let mut wrong = rule();
        change(&mut wrong);
        expect(
            &refuse_rule(&mut world, &wrong),
            Kind::Invalid,
            field,
            words,
        );
    }
}

#[test]
fn networks_of_one_tenant_are_apart_and_names_of_docker_networks_are_too() {
    let mut world = world();
    let refusal = refuse_network(&mut world, &network("m", "10.1.0.0/16"));
    expect(&refusal, Kind::Conflict, "subnet", "default:n");
    let refusal = refuse_network(&mut world, &network("g", "10.1.2.0/24"));
    expect(&refusal, Kind::Conflict, "networkName", "name of a group");
    let refusal = refuse_group(&mut world, &group("n", "n", &[]));
    expect(&refusal, Kind::Conflict, "groupName", "name of a network");
    let refusal = refuse_network(&mut world, &network("bridge", "10.1.2.0/24"));
    expect(&refusal, Kind::Invalid, "networkName", "Docker");

    let stamp = world.stamp();
    let blue = Tenant {
        tenant_name: "blue".into(),
        ..Tenant::default()
    };
    world.grant(crate::put_tenant(&world.image, &stamp, &blue, None));
    let twin = Network {
        tenant_name: "blue".into(),
        ..network("n", "10.1.1.0/24")
    };
    put(&mut world, &twin);
    put(&mut world, &network("left", "10.2.0.1-10.2.0.9/24"));
    put(&mut world, &network("right", "10.2.0.10-10.2.0.19/24"));
}

#[test]
fn prefixes_of_hosts_and_the_private_subnet_are_kept_free() {
    let mut world = world();
    let taken = |prefix: &str, by: &str| TakenPrefix {
        prefix: prefix.parse().unwrap(),
        by: by.into(),
    };
    let report = HostReport {
        live: true,
        taken: vec![
            taken("0.0.0.0/0", "route via eth0"),
            taken("10.9.0.0/16", "address of eth0"),
        ],
        ..HostReport::default()
    };
    world.reports.hosts.insert("h1".into(), report);
    let refusal = refuse_network(&mut world, &network("m", "10.9.8.0/24"));
    expect(
        &refusal,
        Kind::Conflict,
        "subnet",
        "on host h1 (address of eth0)",
    );
    let refusal = refuse_network(&mut world, &network("m", "172.19.4.0/24"));
    expect(
        &refusal,
        Kind::Conflict,
        "subnet",
        "private subnet 172.19.0.0/16",
    );
    // Hosts have no routes to other tenants' networks, and absent ones have no say.
    let stamp = world.stamp();
    let blue = Tenant {
        tenant_name: "blue".into(),
        ..Tenant::default()
    };
    world.grant(crate::put_tenant(&world.image, &stamp, &blue, None));
    let theirs = Network {
        tenant_name: "blue".into(),
        ..network("m", "10.9.8.0/24")
    };
    put(&mut world, &theirs);
    world.reports.hosts.get_mut("h1").unwrap().live = false;
    put(&mut world, &network("m", "10.9.8.0/24"));
}

#[test]
fn what_is_in_use_is_not_deleted_and_the_message_counts_the_users() {
    let mut world = world();
    let refuse = |image: &Image, what: &str| match what {
        "network" => crate::delete_network(image, "default:n", None).unwrap_err(),
        "policy" => crate::delete_policy(image, "default:p", None).unwrap_err(),
        "group" => crate::delete_group(image, "default:g", None).unwrap_err(),
        _ => crate::delete_tenant(image, "blue", None).unwrap_err(),
    };
    expect(
        &refuse(&world.image, "network"),
        Kind::Conflict,
        "",
        "still has 1 group;",
    );
    expect(
        &refuse(&world.image, "policy"),
        Kind::Conflict,
        "",
        "in use by 1 group: g;",
    );
    expect(
        &refuse(&world.image, "tenant"),
        Kind::NotFound,
        "",
        "tenant blue not found",
    );
    super::addresses::start(&mut world, "e1", Some("g"));
    super::addresses::start(&mut world, "e2", Some("g"));
    expect(
        &refuse(&world.image, "group"),
        Kind::Conflict,
        "",
        "still has 2 endpoints;",
    );

    let stamp = world.stamp();
    let blue = Tenant {
        tenant_name: "blue".into(),
        ..Tenant::default()
    };
    world.grant(crate::put_tenant(&world.image, &stamp, &blue, None));
    for name in ["p", "q"] {
        let policy = Policy {
            tenant_name: "blue".into(),
            ..policy(name)
        };
        world.grant(crate::put_policy(&world.image, &stamp, &policy, None));
    }
    expect(
        &refuse(&world.image, "tenant"),
        Kind::Conflict,
        "",
        "still has 2 policies;",
    );
    let refusal = crate::delete_tenant(&world.image, "default", None).unwrap_err();
    expect(&refusal, Kind::Conflict, "", "stays");
    let refusal = crate::delete_global(&world.image).unwrap_err();
    expect(&refusal, Kind::Conflict, "", "stays");
}

#[test]
fn networks_and_the_places_of_groups_do_not_change() {
    let mut world = world();
    let refusal = refuse_network(&mut world, &network("n", "10.1.2.0/24"));
    expect(&refusal, Kind::Conflict, "subnet", "cannot be changed");
    put(&mut world, &network("m", "10.1.2.0/24"));
    let refusal = refuse_group(&mut world, &group("g", "m", &["p"]));
    expect(&refusal, Kind::Conflict, "networkName", "cannot move");
    let pooled = EndpointGroup {
        ip_pool: "10.1.1.5-10.1.1.9".into(),
        ..group("g", "n", &["p"])
    };
    let refusal = refuse_group(&mut world, &pooled);
    expect(&refusal, Kind::Conflict, "ipPool", "cannot be changed");
    let stamp = world.stamp();
    let changed = Tenant {
        tenant_name: "default".into(),
        default_network: "n".into(),
        ..Tenant::default()
    };
    let refusal = crate::put_tenant(&world.image, &stamp, &changed, None).unwrap_err();
    expect(
        &refusal,
        Kind::Conflict,
        "defaultNetwork",
        "cannot be changed",
    );
}

#[test]
fn settings_change_while_nothing_depends_on_them() {
    let mut world = world();
    let vlan = Network {
        encap: "vlan".into(),
        pkt_tag: 7,
        ..network("m", "10.1.2.0/24")
    };
    let refuse = |world: &mut World, field: fn(&mut Global)| {
        let mut global = Global::default();
        field(&mut global);
        let stamp = world.stamp();
        crate::put_global(&world.image, &stamp, &global, None).unwrap_err()
    };
    let routing = |g: &mut Global| g.fwd_mode = "routing".into();
    let words = "Unable to update forwarding mode due to existing 1 vxlans";
    expect(
        &refuse(&mut world, routing),
        Kind::Conflict,
        "fwdMode",
        words,
    );
    put(&mut world, &vlan);
    let words = "Unable to update private subnet due to existing 1 vlans";
    let private = |g: &mut Global| g.pvt_subnet = "172.20.0.0/16".into();
    expect(
        &refuse(&mut world, private),
        Kind::Conflict,
        "pvtSubnet",
        words,
    );
    let narrow = |g: &mut Global| g.vlans = "8-100".into();
    expect(
        &refuse(&mut world, narrow),
        Kind::Conflict,
        "vlans",
        "1 VLAN tag in use: 7;",
    );
    let broken = |g: &mut Global| g.vlans = "0-4094".into();
    expect(
        &refuse(&mut world, broken),
        Kind::Invalid,
        "vlans",
        "0-4094",
    );

    let stamp = world.stamp();
    let narrow = Global {
        vlans: "7-7".into(),
        ..Global::default()
    };
    world.grant(crate::put_global(&world.image, &stamp, &narrow, None));
    let outside = Network {
        pkt_tag: 8,
        ..vlan.clone()
    };
    let outside = Network {
        network_name: "o".into(),
        subnet: "10.1.3.0/24".into(),
        ..outside
    };
    expect(
        &refuse_network(&mut world, &outside),
        Kind::Invalid,
        "pktTag",
        "outside of 7-7",
    );
    let taken = Network {
        pkt_tag: 7,
        ..outside.clone()
    };
    expect(
        &refuse_network(&mut world, &taken),
        Kind::Conflict,
        "pktTag",
        "network default:m",
    );
    let spent = Network {
        pkt_tag: 0,
        ..outside
    };
    expect(
        &refuse_network(&mut world, &spent),
        Kind::Conflict,
        "pktTag",
        "widen the range",
    );
}

#[test]
fn versions_must_be_those_that_were_seen() {
    let mut world = world();
    let number = world.image.number_of("/objects/policies/default:p");
    let check = |expected| {
        crate::put_policy(
            &world.image,
            &crate::record::Stamp {
                uid: "u".into(),
                time: 1,
            },
            &policy("p"),
            Some(expected),
        )
    };
    assert!(check(number).is_ok());
    expect(
        &check(number + 1).unwrap_err(),
        Kind::PreconditionFailed,
        "",
        "has changed",
    );
    expect(
        &check(0).unwrap_err(),
        Kind::PreconditionFailed,
        "",
        "exists already",
    );
    let refusal = crate::delete_network(&world.image, "default:x", Some(9)).unwrap_err();
    expect(&refusal, Kind::PreconditionFailed, "", "does not exist");
    let refusal = crate::delete_network(&world.image, "default:x", None).unwrap_err();
    expect(&refusal, Kind::NotFound, "", "network default:x not found");
    let stamp = world.stamp();
    let created = crate::put_policy(&world.image, &stamp, &policy("q"), Some(0));
    world.grant(created);
}

#[test]
fn an_own_address_of_a_rule_is_that_of_an_endpoint_of_its_one_group() {
    let mut world = world();
    let limited = Rule {
        to_ip_address: "10.1.1.1".into(),
        ..rule()
    };
    let refusal = refuse_rule(&mut world, &limited);
    expect(
        &refusal,
        Kind::Invalid,
        "toIpAddress",
        "endpoint of group default:g",
    );
    super::addresses::start(&mut world, "e1", Some("g"));
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &limited, None));
    world.grant(crate::put_group(
        &world.image,
        &stamp,
        &group("h", "n", &["p"]),
        None,
    ));
    // A repeat is granted; a change is looked at anew.
    assert!(
        crate::put_rule(&world.image, &stamp, &limited, None)
            .unwrap()
            .is_settled()
    );
    let changed = Rule {
        priority: 9,
        ..limited
    };
    let refusal = refuse_rule(&mut world, &changed);
    expect(&refusal, Kind::Invalid, "toIpAddress", "and 2 have it");
}
