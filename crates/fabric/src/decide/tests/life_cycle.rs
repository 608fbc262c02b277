//! Decisions held to the reference, over random lives of a fabric.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contiv_ipam::AddressState;
use contiv_model::agent::Encap;
use proptest::collection::vec;
use proptest::prelude::*;

use super::reference::{Reference, Use};
use crate::image::Image;
use crate::key::Numbered;
use crate::world::{World, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn a_fabric_lives_as_the_reference_says(steps in vec(step(), 1..100)) {
        let mut world = World::new();
        let mut reference = Reference::new();
        for step in &steps {
            let before = world.image.clone();
            let decided = world.decide(step);
            let mut expected = reference.clone();
            let outcome = expected.take(step, world.time, world.image.number() + 1);
            match (decided, outcome) {
                (Ok(transaction), Ok(())) => {
                    world.commit(transaction).unwrap();
                    reference = expected;
                }
                (Err(refusal), Err(_)) => {
                    prop_assert!(refusal.message.len() > 10, "{step:?}: {refusal}");
                }
                (decided, outcome) => {
                    prop_assert!(false, "{step:?}: {decided:?}, but the reference: {outcome:?}");
                }
            }
            check_equal(&world.image, &reference);
            check_numbers(&before, &world.image);
            // A request that was granted is granted again, and changes nothing but times.
        }
    }
}

/// Everything that both have is the same.
fn check_equal(image: &Image, reference: &Reference) {
    let keys =
        |keys: Vec<&str>| -> BTreeSet<String> { keys.into_iter().map(str::to_owned).collect() };
    assert_eq!(
        keys(image.tenants().map(|(key, _)| key).collect()),
        reference.tenants
    );
    assert_eq!(
        keys(image.policies().map(|(key, _)| key).collect()),
        reference.policies.keys().cloned().collect()
    );
    let networks: BTreeMap<String, u32> = image
        .networks()
        .map(|(key, network)| (key.to_owned(), network.record.tag))
        .collect();
    let expected = reference.networks.iter();
    assert_eq!(
        networks,
        expected
            .map(|(key, (_, tag))| (key.clone(), *tag))
            .collect()
    );
    let mut groups = image
        .groups()
        .map(|(_, group)| &group.record.object.policies);
    assert!(
        groups
            .by_ref()
            .eq(reference.groups.values().map(|group| &group.policies))
    );
    let rules: Vec<u32> = image
        .rules()
        .map(|(_, r)| r.record.object.priority)
        .collect();
    let expected: Vec<u32> = reference.rules.values().map(|rule| rule.priority).collect();
    assert_eq!(rules, expected);
    assert!(
        image
            .docker_networks()
            .eq(reference.docker_networks.values())
    );
    for (encap, word) in [(Encap::Vlan, "vlan"), (Encap::Vxlan, "vxlan")] {
        assert!(image.tags(encap).eq(reference.tags(word)), "{word} tags");
    }
    let endpoints: Vec<(&str, &str, Vec<IpAddr>)> = image
        .endpoints()
        .map(|e| (e.id.as_str(), e.host.as_str(), e.addresses().collect()))
        .collect();
    let expected: Vec<(&str, &str, Vec<IpAddr>)> = reference
        .endpoints
        .iter()
        .map(|(id, e)| (id.as_str(), e.host.as_str(), e.addresses.clone()))
        .collect();
    assert_eq!(endpoints, expected);
    let hosts = image.hosts().map(|h| (&h.name, (&h.boot_id, h.tunnel)));
    let expected = reference.hosts.iter();
    assert!(hosts.eq(expected.map(|(name, (boot, tunnel))| (name, (boot, *tunnel)))));
    let uses: BTreeMap<(String, IpAddr), Use> = image
        .addresses()
        .map(|owner| {
            let network = format!("{}:{}", owner.tenant, owner.network);
            let key = crate::Key::Address(
                image.network(&network).unwrap().record.number,
                owner.address,
            );
            (
                (network, owner.address),
                used(owner.state, image.number_of(&key.to_string())),
            )
        })
        .collect();
    assert_eq!(uses, reference.uses);
}

fn used(state: &AddressState, number: u64) -> Use {
    match state.clone() {
        AddressState::Gateway => Use::Gateway,
        AddressState::Auxiliary {
            docker_network,
            host,
        } => Use::Auxiliary(docker_network, host),
        AddressState::Tentative {
            host,
            since,
            drains,
        } => Use::Tentative(host, since, drains.is_some()),
        AddressState::Bound { endpoint, host, .. } => Use::Bound(endpoint, host),
        AddressState::Draining { awaited, .. } => Use::Draining(awaited, number),
        AddressState::Reserved(_) => unreachable!("no Swarm is in this model"),
    }
}

/// Numbers are one object's each, the object exists, and a new one comes after the
/// last one that was given.
fn check_numbers(before: &Image, now: &Image) {
    let tenants = now.tenants().map(|(key, t)| (key, t.number));
    check_number(before, now, Numbered::Tenants, tenants.collect());
    let networks = now.networks().map(|(key, n)| (key, n.record.number));
    check_number(before, now, Numbered::Networks, networks.collect());
    let groups = now.groups().map(|(key, g)| (key, g.record.number));
    check_number(before, now, Numbered::Groups, groups.collect());
    let rules = now.rules().map(|(key, r)| (key, r.record.number));
    check_number(before, now, Numbered::Rules, rules.collect());
    assert_eq!(now.tenant("default").unwrap().number, 1);
}

fn check_number(before: &Image, now: &Image, of: Numbered, having: BTreeMap<&str, u32>) {
    let numbers: BTreeSet<u32> = having.values().copied().collect();
    assert_eq!(numbers.len(), having.len(), "a number of {of} twice");
    for (key, number) in &having {
        assert_eq!(now.number_owner(of, *number), Some(*key), "{of}");
        if before.number_owner(of, *number) != Some(key) {
            assert_eq!(*number, (before.counter(of) + 1).max(first(of)), "{of}");
        }
    }
    assert_eq!(
        now.numbers_in_use(of),
        having.len(),
        "a number of {of} without its object"
    );
}

fn first(of: Numbered) -> u32 {
    match of {
        Numbered::Rules => 16,
        _ => 1,
    }
}
