//! A small fabric to ask of, and what the answers are held to.

use contiv_model::object::{EndpointGroup, Network, Policy, Rule};

use crate::refusal::{Kind, Refusal};
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

pub(crate) fn group(name: &str, network: &str, policies: &[&str]) -> EndpointGroup {
    EndpointGroup {
        tenant_name: "default".into(),
        group_name: name.into(),
        network_name: network.into(),
        policies: policies.iter().map(|name| (*name).into()).collect(),
        ..EndpointGroup::default()
    }
}

pub(crate) fn policy(name: &str) -> Policy {
    Policy {
        tenant_name: "default".into(),
        policy_name: name.into(),
        ..Policy::default()
    }
}

pub(super) fn rule() -> Rule {
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

pub(super) fn refuse_network(world: &mut World, network: &Network) -> Refusal {
    let (stamp, reports) = (world.stamp(), world.reports.clone());
    crate::put_network(&world.image, &reports, &stamp, network, None).unwrap_err()
}

pub(super) fn refuse_group(world: &mut World, group: &EndpointGroup) -> Refusal {
    let stamp = world.stamp();
    crate::put_group(&world.image, &stamp, group, None).unwrap_err()
}

pub(super) fn refuse_rule(world: &mut World, rule: &Rule) -> Refusal {
    let stamp = world.stamp();
    crate::put_rule(&world.image, &stamp, rule, None).unwrap_err()
}

/// The refusal has this kind, is about this field, and has these words.
#[track_caller]
pub(super) fn expect(refusal: &Refusal, kind: Kind, field: &str, words: &str) {
    assert_eq!(
        (refusal.kind, refusal.field.as_str()),
        (kind, field),
        "{refusal}"
    );
    assert!(refusal.message.contains(words), "{refusal}");
}
