//! Policies that are too large for hosts.

use contiv_model::manifest::{Apply, Declared};
use contiv_model::object::Rule;

use super::given::{expect, group, network, policy, put, refuse_group, refuse_rule, rule, world};
use crate::refusal::Kind;
use crate::world::World;

/// A rule that takes 65,534 entries: an eighth of what a tenant may have, but for a few.
fn large(policy: &str, id: u32) -> Rule {
    let odd: Vec<String> = (1..=65_533u32)
        .step_by(2)
        .map(|port| port.to_string())
        .collect();
    Rule {
        policy_name: policy.into(),
        rule_id: id.to_string(),
        ports: odd.join(","),
        ..rule()
    }
}

fn grant(world: &mut World, rule: &Rule) {
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, rule, None));
}

/// Eight of them are in policy `p` of group `g`, and a ninth in `q`, which no group has.
fn full() -> World {
    let mut world = world();
    for id in 1..=8 {
        grant(&mut world, &large("p", id));
    }
    let stamp = world.stamp();
    world.grant(crate::put_policy(&world.image, &stamp, &policy("q"), None));
    grant(&mut world, &large("q", 9));
    world
}

const WORDS: &str = "hosts have no room for the policies of tenant default after this: rule ";

#[test]
fn a_rule_that_hosts_have_no_room_for_is_refused() {
    let mut world = full();
    let refusal = refuse_rule(&mut world, &large("p", 10));
    expect(&refusal, Kind::Conflict, "", WORDS);
    expect(&refusal, Kind::Conflict, "", "more than 524288 entries");
    expect(&refusal, Kind::Conflict, "", "merge rules");
    // There is room for a small one, which only the compiler can say.
    grant(
        &mut world,
        &Rule {
            rule_id: "11".into(),
            ports: "80".into(),
            ..rule()
        },
    );
    // Another one's place is free when it has gone.
    world.grant(crate::delete_rule(&world.image, "default:p:1", None));
    grant(&mut world, &large("p", 10));
}

#[test]
fn a_group_that_has_policies_together_needs_room_as_well() {
    let mut world = full();
    let refusal = refuse_group(&mut world, &group("h", "n", &["p", "q"]));
    expect(&refusal, Kind::Conflict, "policies", WORDS);
    // The same policies as another one's need none.
    let stamp = world.stamp();
    let same = group("h", "n", &["p"]);
    world.grant(crate::put_group(&world.image, &stamp, &same, None));
    let staged = contiv_model::object::Policy {
        staged: Some(true),
        ..policy("q")
    };
    let stamp = world.stamp();
    world.grant(crate::put_policy(&world.image, &stamp, &staged, None));
}

#[test]
fn a_network_that_rules_name_needs_room_when_it_comes_back() {
    let mut world = world();
    put(&mut world, &network("m", "10.2.0.0/16"));
    let about = |id: u32| Rule {
        from_network: "m".into(),
        ..large("p", id)
    };
    for id in 1..=6 {
        grant(&mut world, &about(id));
    }
    world.grant(crate::delete_network(&world.image, "default:m", None));
    for id in 7..=9 {
        grant(&mut world, &large("p", id));
    }
    let refusal = super::given::refuse_network(&mut world, &network("m", "10.3.0.0/16"));
    expect(&refusal, Kind::Conflict, "", WORDS);
}

#[test]
fn many_objects_are_judged_by_what_comes_out() {
    let mut world = full();
    let stamps: Vec<_> = (0..2).map(|_| world.stamp()).collect();
    let reports = world.reports.clone();
    let of = |rules: [Rule; 2], dry_run| Apply {
        objects: rules.map(Declared::Rule).into(),
        dry_run,
        ..Apply::default()
    };
    let one_more = of([large("p", 1), large("p", 10)], true);
    let refusal = crate::apply(&world.image, &reports, &stamps, &one_more).unwrap_err();
    expect(&refusal, Kind::Conflict, "objects[1]", WORDS);
    // The tenth comes, and the first becomes small.
    let small = Rule {
        ports: "80".into(),
        ..large("p", 1)
    };
    let exchange = of([large("p", 10), small], false);
    let decided = crate::apply(&world.image, &reports, &stamps, &exchange);
    world.grant(decided);
}
