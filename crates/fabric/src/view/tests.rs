#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use contiv_model::agent::{EndpointRequest, ObjectKind, ObjectRef, PoolRef};
use contiv_model::object::{EndpointGroup, Network, Policy, Rule, Tenant};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::image::Applied;
use crate::world::{HOSTS, World, step};

type Mirror = BTreeMap<ObjectRef, HostObject>;

fn mirror(objects: Vec<HostObject>) -> Mirror {
    let count = objects.len();
    let mirror: Mirror = objects.into_iter().map(|o| (o.object_ref(), o)).collect();
    assert_eq!(mirror.len(), count, "an object is told twice");
    mirror
}

fn take(mirror: &mut Mirror, change: HostChange) {
    for gone in change.delete {
        assert!(mirror.remove(&gone).is_some(), "{gone:?} was not known");
    }
    mirror.extend(change.put.into_iter().map(|o| (o.object_ref(), o)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// `snapshot(before) + change = snapshot(after)`, one by one and for several commits.
    #[test]
    fn changes_lead_from_snapshot_to_snapshot(steps in vec((step(), any::<bool>()), 1..100)) {
        let mut world = World::furnished();
        let mut mirrors = HOSTS.map(|host| mirror(snapshot(&world.image, host)));
        let mut pending = Applied::default();
        for (step, tell) in &steps {
            if let Ok(transaction) = world.decide(step) {
                pending.merge(world.commit(transaction).unwrap());
            }
            if !tell {
                continue;
            }
            for (host, mirror_of_host) in HOSTS.iter().zip(&mut mirrors) {
                take(mirror_of_host, change(&world.image, &pending, host));
                prop_assert_eq!(&*mirror_of_host, &mirror(snapshot(&world.image, host)));
            }
            check_audiences(&world.image, std::mem::take(&mut pending))?;
        }
    }
}

/// Hosts of one audience are told the same, and nobody misses anything.
fn check_audiences(image: &Image, applied: Applied) -> Result<(), TestCaseError> {
    let delta = Delta::new(image, applied);
    let mut told: Vec<(Audience, HostChange)> = Vec::new();
    for host in ["h1", "h2", "idle", "away"] {
        let (audience, change) = (delta.audience(image, host), delta.change(image, host));
        match audience {
            Audience::One => continue,
            Audience::Nobody => prop_assert!(change.is_empty(), "{host}: {change:?}"),
            Audience::Shared(_) => {}
        }
        let others = told.iter().filter(|(of, _)| *of == audience);
        for (_, other) in others {
            prop_assert_eq!(other, &change, "{}", host);
        }
        told.push((audience, change));
    }
    Ok(())
}

/// Tenant `blue` with network `n`, group `g` of policy `p`, and a rule about the group.
fn blue() -> World {
    let mut world = World::new();
    let stamp = world.stamp();
    let tenant = Tenant {
        tenant_name: "blue".into(),
        ..Tenant::default()
    };
    world.grant(crate::put_tenant(&world.image, &stamp, &tenant, None));
    let network = Network {
        tenant_name: "blue".into(),
        network_name: "n".into(),
        encap: "vxlan".into(),
        subnet: "10.1.0.10-10.1.0.20/24".into(),
        ipv6_subnet: "fd00::/64".into(),
        ..Network::default()
    };
    let reports = world.reports.clone();
    world.grant(crate::put_network(
        &world.image,
        &reports,
        &stamp,
        &network,
        None,
    ));
    let policy = Policy {
        tenant_name: "blue".into(),
        policy_name: "p".into(),
        ..Policy::default()
    };
    world.grant(crate::put_policy(&world.image, &stamp, &policy, None));
    let group = EndpointGroup {
        tenant_name: "blue".into(),
        group_name: "g".into(),
        network_name: "n".into(),
        policies: vec!["p".into()],
        ..EndpointGroup::default()
    };
    world.grant(crate::put_group(&world.image, &stamp, &group, None));
    for (id, group, network) in [("1", "g", ""), ("2", "", "n")] {
        let rule = Rule {
            tenant_name: "blue".into(),
            policy_name: "p".into(),
            rule_id: id.into(),
            direction: "in".into(),
            action: "deny".into(),
            from_endpoint_group: group.into(),
            from_network: network.into(),
            ..Rule::default()
        };
        world.grant(crate::put_rule(&world.image, &stamp, &rule, None));
    }
    world
}

fn start(world: &mut World, id: &str, host: &str) -> Applied {
    let request = EndpointRequest {
        pool: PoolRef {
            tenant: "blue".into(),
            network: "n".into(),
            group: None,
        },
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let decision = crate::put_endpoint(&world.image, 1, host, id, &request).unwrap();
    world.commit(decision.transaction).unwrap()
}

fn kinds(objects: impl IntoIterator<Item = ObjectRef>) -> Vec<(ObjectKind, String)> {
    objects.into_iter().map(|o| (o.kind, o.key)).collect()
}

#[test]
fn rules_and_endpoints_come_and_go_with_the_first_and_last_endpoint() {
    let mut world = blue();
    start(&mut world, "there", "h2");
    let names = |objects: &[HostObject]| kinds(objects.iter().map(HostObject::object_ref));
    let before = names(&snapshot(&world.image, "h1"));
    assert!(before.contains(&(ObjectKind::Network, "blue:n".into())));
    assert!(before.contains(&(ObjectKind::Group, "blue:g".into())));
    assert!(!before.iter().any(|(kind, _)| *kind == ObjectKind::Rule));
    assert!(!before.iter().any(|(kind, _)| *kind == ObjectKind::Endpoint));

    let applied = start(&mut world, "here", "h1");
    let arrival = change(&world.image, &applied, "h1");
    let expected = [
        (ObjectKind::Rule, "blue:p:1".to_owned()),
        (ObjectKind::Rule, "blue:p:2".to_owned()),
        (ObjectKind::Endpoint, "here".to_owned()),
        (ObjectKind::Endpoint, "there".to_owned()),
        (ObjectKind::Policy, "blue:p".to_owned()),
    ];
    assert_eq!(names(&arrival.put), expected);
    assert_eq!(
        names(&change(&world.image, &applied, "h2").put),
        expected[2..3]
    );
    assert!(change(&world.image, &applied, "h3").is_empty());

    let gone = crate::delete_endpoint(&world.image, "h1", "here").unwrap();
    let applied = world.commit(gone.transaction).unwrap();
    let departure = change(&world.image, &applied, "h1");
    assert_eq!(kinds(departure.delete), expected);
    assert!(departure.put.is_empty());
}

fn rule_view(world: &World, id: &str) -> contiv_model::agent::RuleView {
    let objects = snapshot(&world.image, "h1");
    let found = objects.into_iter().find_map(|object| match object {
        HostObject::Rule(rule) if rule.id == id => Some(rule),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn peers_are_resolved_and_a_peer_that_is_gone_matches_nothing() {
    let mut world = blue();
    start(&mut world, "here", "h1");
    let number = world.image.group("blue:g").unwrap().record.number;
    assert_eq!(rule_view(&world, "1").peer_group, Some(number));
    assert_eq!(
        (rule_view(&world, "1").number, rule_view(&world, "2").number),
        (16, 17)
    );
    let peers = rule_view(&world, "2").peer_addresses;
    let texts: Vec<String> = peers
        .iter()
        .map(|r| format!("{}-{}", r.first, r.last))
        .collect();
    assert_eq!(
        texts,
        ["10.1.0.10-10.1.0.20", "fd00::-fd00::ffff:ffff:ffff:ffff"]
    );

    let gone = crate::delete_group(&world.image, "blue:g", None).unwrap();
    let applied = world.commit(gone.transaction).unwrap();
    assert_eq!(rule_view(&world, "1").peer_group, Some(0));
    let told = change(&world.image, &applied, "h1");
    assert_eq!(
        kinds(told.put.iter().map(HostObject::object_ref)),
        [(ObjectKind::Rule, "blue:p:1".to_owned())]
    );
    assert_eq!(
        kinds(told.delete),
        [(ObjectKind::Group, "blue:g".to_owned())]
    );
}
