//! Changes and deletions that are refused for what depends on the object.

use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};

use super::given::{
    expect, group, network, policy, put, refuse_group, refuse_network, refuse_rule, rule, world,
};
use crate::image::Image;
use crate::record::Stamp;
use crate::refusal::Kind;
use crate::world::World;

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
            &Stamp {
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
