//! Tiers, default actions, and rules that say more.

use contiv_model::agent::{DefaultAction, HostObject, PortRange, Tier};
use contiv_model::object::EndpointGroup;

use super::given::{expect, group, policy, refuse_rule, rule, world};
use crate::refusal::Kind;
use crate::view::snapshot;
use crate::world::World;

#[test]
fn policies_are_placed_and_keep_their_places_from_those_who_know_none() {
    let mut world = world();
    let mut placed = policy("p");
    placed.tier = "admin".into();
    placed.order = Some(7);
    placed.staged = Some(true);
    let stamp = world.stamp();
    let stored = world.grant(crate::put_policy(&world.image, &stamp, &placed, None));
    let old = crate::put_policy(&world.image, &stamp, &policy("p"), None).unwrap();
    assert!(old.is_settled());
    assert_eq!(old.answer, stored);
    let parsed = &world.image.policy("default:p").unwrap().parsed;
    assert_eq!(
        (parsed.tier, parsed.order, parsed.staged),
        (Tier::Admin, 7, true)
    );
    let mut normal = policy("p");
    normal.tier = "normal".into();
    let stored = world.grant(crate::put_policy(&world.image, &stamp, &normal, None));
    assert_eq!((stored.tier.as_str(), stored.order), ("", Some(7)));
}

#[test]
fn a_client_that_knows_no_default_actions_opens_nothing() {
    let mut world = world();
    let mut closed = group("g", "n", &["p"]);
    closed.default_action_in = "deny".into();
    let stamp = world.stamp();
    world.grant(crate::put_group(&world.image, &stamp, &closed, None));
    world.grant(crate::put_group(
        &world.image,
        &stamp,
        &group("g", "n", &[]),
        None,
    ));
    let parsed = &world.image.group("default:g").unwrap().parsed;
    assert_eq!(parsed.default_action_in, DefaultAction::Deny);
    assert!(parsed.policies.is_empty());
    closed.default_action_in = "allow".into();
    let stored = world.grant(crate::put_group(&world.image, &stamp, &closed, None));
    assert_eq!(stored.default_action_in, "");
}

#[test]
fn passing_on_needs_a_tier_to_pass_to() {
    let mut world = world();
    let mut baseline = policy("p");
    baseline.tier = "baseline".into();
    let mut passing = rule();
    passing.action = "pass".into();
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &passing, None));
    let refusal = crate::put_policy(&world.image, &stamp, &baseline, None).unwrap_err();
    expect(
        &refusal,
        Kind::Conflict,
        "tier",
        "no tier comes after baseline",
    );
    world.grant(crate::delete_rule(&world.image, "default:p:1", None));
    world.grant(crate::put_policy(&world.image, &stamp, &baseline, None));
    let refusal = refuse_rule(&mut world, &passing);
    expect(&refusal, Kind::Invalid, "action", "\"pass\" has no meaning");
}

#[test]
fn hosts_are_told_of_it_all() {
    let mut world = world();
    let mut full = rule();
    full.protocol = "tcp".into();
    full.ports = "443,80,8000-8100".into();
    full.from_ip_address = "10.0.0.0/8,fd00::/64".into();
    full.from_ip_except = "10.0.0.0/9".into();
    full.from_endpoint_group = "g".into();
    full.log = true;
    full.keep_established = true;
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &full, None));
    let objects = snapshot(&world.image, "h1");
    let view = objects.iter().find_map(|object| match object {
        HostObject::Rule(rule) => Some(rule),
        _ => None,
    });
    let view = view.unwrap();
    let range = |first, last| PortRange { first, last };
    assert_eq!(
        (view.port, view.log, view.keep_established),
        (None, true, true)
    );
    assert_eq!(
        view.ports,
        [range(80, 80), range(443, 443), range(8000, 8100)]
    );
    assert_eq!(view.peer_addresses[0].first.to_string(), "10.128.0.0");
    assert_eq!(view.peer_addresses.len(), 2);
    assert!(view.peer_group.is_some());
    assert!(
        objects
            .iter()
            .any(|o| matches!(o, HostObject::Policy(p) if p.name == "p"))
    );
}

#[test]
fn a_policy_has_the_number_of_its_last_change_or_that_of_a_rule() {
    let mut world = world();
    let number = |world: &crate::world::World| world.image.policy_number("default:p");
    let made = number(&world);
    let stamp = world.stamp();
    world.grant(crate::put_policy(&world.image, &stamp, &policy("q"), None));
    assert_eq!(number(&world), made);
    world.grant(crate::put_rule(&world.image, &stamp, &rule(), None));
    assert_eq!(number(&world), world.image.number());
    world.grant(crate::put_policy(&world.image, &stamp, &policy("r"), None));
    world.grant(crate::delete_rule(&world.image, "default:p:1", None));
    assert_eq!(number(&world), world.image.number());
}

#[test]
fn a_policy_has_the_number_of_what_last_changed_for_the_groups_that_have_it() {
    let mut world = world();
    let stamp = world.stamp();
    for name in ["q", "r"] {
        world.grant(crate::put_policy(&world.image, &stamp, &policy(name), None));
    }
    let number = |world: &World, name: &str| world.image.policy_number(&format!("default:{name}"));
    // Which of `p`, `q` and `r` change when the group becomes like this, or goes.
    let changed = |world: &mut World, wish: Option<&EndpointGroup>| {
        let before = world.image.number();
        match wish {
            Some(group) => drop(world.grant(crate::put_group(&world.image, &stamp, group, None))),
            None => world.grant(crate::delete_group(&world.image, "default:fresh", None)),
        }
        let names = ["p", "q", "r"].into_iter();
        let later = names.filter(|name| number(world, name) > before);
        later.collect::<String>()
    };
    let fresh = |policies: &[&str]| group("fresh", "n", policies);
    let closed = |policies: &[&str]| EndpointGroup {
        default_action_in: "deny".into(),
        ..fresh(policies)
    };
    let told = |world: &mut World, wishes: &[EndpointGroup]| {
        let each = wishes.iter().map(|wish| changed(world, Some(wish)));
        each.collect::<Vec<_>>()
    };
    let wishes = [
        fresh(&["p"]),
        fresh(&["p", "q"]),
        fresh(&["q", "p"]),
        fresh(&["q", "r"]),
        closed(&["q", "r"]),
        closed(&["p", "q"]),
    ];
    assert_eq!(told(&mut world, &wishes), ["p", "q", "", "pr", "qr", "pr"]);
    assert_eq!(changed(&mut world, None), "pq");
    // A policy that groups have had can still go.
    world.grant(crate::delete_policy(&world.image, "default:q", None));
    assert_eq!(number(&world, "q"), 0);
}

#[test]
fn own_addresses_are_those_of_endpoints() {
    let mut world = world();
    super::addresses::start(&mut world, "e1", Some("g"));
    super::addresses::start(&mut world, "e2", Some("g"));
    let mut own = rule();
    own.to_ip_address = "10.1.1.1,10.1.1.2".into();
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &own, None));
    own.to_ip_address = "10.1.1.1-3".into();
    let refusal = refuse_rule(&mut world, &own);
    expect(
        &refusal,
        Kind::Invalid,
        "toIpAddress",
        "no endpoint of group default:g has",
    );
}
