//! Requests that are refused for what they refer to or meet.

use contiv_model::agent::TakenPrefix;
use contiv_model::object::{Network, Policy, Rule, Tenant};

use super::given::{
    expect, group, network, policy, put, refuse_group, refuse_network, refuse_rule, rule, world,
};
use crate::refusal::Kind;
use crate::reports::HostReport;

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

    type Change = fn(&mut Rule);
    let wrong: [(Change, &str, &str); 4] = [
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
    for (change, field, words) in wrong {
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
