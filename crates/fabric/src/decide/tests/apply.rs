//! Many objects at once.

use contiv_model::manifest::{Apply, Change, Declared, Plan};
use contiv_model::object::{Network, Tenant};
use proptest::prelude::*;

use super::given::{expect, group, network, policy, rule, world};
use crate::refusal::{Kind, Refusal};
use crate::world::{World, step};
use crate::{Decided, Image};

/// Everything that is declared in an image, as `netctl export` writes it.
fn exported(image: &Image) -> Vec<Declared> {
    let global = image.global().into_iter();
    let mut all: Vec<Declared> = global
        .map(|known| Declared::Global(known.record.object.clone()))
        .collect();
    all.extend(
        image
            .rules()
            .map(|(_, k)| Declared::Rule(k.record.object.clone())),
    );
    all.extend(
        image
            .groups()
            .map(|(_, k)| Declared::EndpointGroup(k.record.object.clone())),
    );
    all.extend(
        image
            .policies()
            .map(|(_, k)| Declared::Policy(k.record.object.clone())),
    );
    all.extend(
        image
            .networks()
            .map(|(_, k)| Declared::Network(k.record.object.clone())),
    );
    all.extend(
        image
            .tenants()
            .map(|(_, t)| Declared::Tenant(t.object.clone())),
    );
    all
}

fn declare(objects: Vec<Declared>) -> Apply {
    Apply {
        objects,
        ..Apply::default()
    }
}

fn pruning(objects: Vec<Declared>) -> Apply {
    Apply {
        prune: true,
        ..declare(objects)
    }
}

fn decide(world: &mut World, request: &Apply) -> Decided<Plan> {
    let stamps: Vec<_> = request.objects.iter().map(|_| world.stamp()).collect();
    crate::apply(&world.image, &world.reports, &stamps, request)
}

/// Applies it, in one commit or none.
fn applied(world: &mut World, request: &Apply) -> Plan {
    let before = world.image.number();
    let decided = decide(world, request);
    let plan = world.grant(decided);
    let commits = u64::from(!plan.steps.is_empty());
    assert_eq!(world.image.number(), before + commits);
    assert_eq!(world.image, world.reloaded());
    plan
}

fn refused(world: &mut World, request: &Apply) -> Refusal {
    decide(world, request).unwrap_err()
}

fn lines(plan: &Plan) -> Vec<String> {
    let sign = |change| match change {
        Change::Create => '+',
        Change::Change => '~',
        Change::Remove => '-',
    };
    let line = |s: &contiv_model::manifest::Step| {
        let fields: Vec<&str> = s.fields.iter().map(|f| f.field.as_str()).collect();
        let line = format!(
            "{} {} {} {}",
            sign(s.change),
            s.kind,
            s.key,
            fields.join(",")
        );
        line.trim_end().to_owned()
    };
    plan.steps.iter().map(line).collect()
}

#[test]
fn any_order_becomes_the_right_one_and_a_repeat_changes_nothing() {
    let mut world = World::new();
    let mut allow = rule();
    allow.from_endpoint_group = "g".into();
    let request = declare(vec![
        Declared::Rule(allow),
        Declared::EndpointGroup(group("g", "n", &["p"])),
        Declared::Policy(policy("p")),
        Declared::Network(network("n", "10.1.1.0/24")),
    ]);
    let planned = decide(
        &mut world,
        &Apply {
            dry_run: true,
            ..request.clone()
        },
    )
    .unwrap();
    assert!(planned.is_settled());
    let plan = applied(&mut world, &request);
    assert_eq!(plan, planned.answer);
    assert_eq!(
        lines(&plan),
        [
            "+ network default:n",
            "+ policy default:p",
            "+ endpointGroup default:g",
            "+ rule default:p:1"
        ]
    );
    let again = applied(&mut world, &request);
    assert_eq!((again.steps.len(), again.unchanged), (0, 4));
}

#[test]
fn changes_name_their_fields_and_what_is_left_out_is_the_default() {
    let mut world = world();
    let mut placed = policy("p");
    placed.tier = "admin".into();
    placed.order = Some(3);
    let mut closed = group("g", "n", &["p"]);
    closed.default_action_in = "deny".into();
    let request = declare(vec![
        Declared::Policy(placed),
        Declared::EndpointGroup(closed),
    ]);
    assert_eq!(
        lines(&applied(&mut world, &request)),
        [
            "~ policy default:p order,tier",
            "~ endpointGroup default:g defaultActionIn"
        ]
    );
    let plain = declare(vec![
        Declared::Policy(policy("p")),
        Declared::EndpointGroup(group("g", "n", &["p"])),
    ]);
    let plan = applied(&mut world, &plain);
    let change = &plan.steps[1].fields[0];
    assert_eq!(
        (change.from.as_str(), change.to.as_str()),
        (Some("deny"), None)
    );
    assert_eq!(plan.steps[0].fields.len(), 2);
}

#[test]
fn what_is_not_declared_goes_in_the_order_that_its_users_allow() {
    let mut world = world();
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &rule(), None));
    let before = exported(&world.image);
    // Made for a Docker network, and another tenant's.
    super::given::put(&mut world, &network("docker-0123456789ab", "10.9.0.0/24"));
    let blue = Declared::Tenant(Tenant {
        tenant_name: "blue".into(),
        ..Tenant::default()
    });
    let lonely = Declared::Network(Network {
        tenant_name: "blue".into(),
        ..network("n", "10.1.1.0/24")
    });
    applied(&mut world, &declare(vec![blue, lonely]));

    // The same addresses under another name: the old network goes first.
    let renamed = vec![
        Declared::Network(network("m", "10.1.1.0/24")),
        Declared::EndpointGroup(group("h", "m", &[])),
    ];
    assert_eq!(
        lines(&applied(&mut world, &pruning(renamed))),
        [
            "- rule default:p:1",
            "- endpointGroup default:g",
            "- network default:n",
            "+ network default:m",
            "+ endpointGroup default:h",
            "- policy default:p"
        ]
    );
    assert!(world.image.network("default:docker-0123456789ab").is_some());
    assert!(world.image.network("blue:n").is_some());
    let back = applied(&mut world, &pruning(before));
    assert_eq!(back.steps.len(), 6, "{:?}", lines(&back));
}

#[test]
fn one_refusal_refuses_all_and_names_the_object_and_the_field() {
    let mut world = world();
    let mut bad = rule();
    bad.rule_id = "2".into();
    bad.ports = "80,x".into();
    let request = declare(vec![Declared::Rule(rule()), Declared::Rule(bad)]);
    let refusal = refused(&mut world, &request);
    expect(
        &refusal,
        Kind::Invalid,
        "objects[1].ports",
        "rule default:p:2: ports: item 2, \"x\"",
    );

    let mut lost = rule();
    lost.policy_name = "nowhere".into();
    let refusal = refused(&mut world, &declare(vec![Declared::Rule(lost)]));
    expect(
        &refusal,
        Kind::Invalid,
        "objects[0].policyName",
        "default:nowhere does not exist",
    );

    let twice = vec![Declared::Policy(policy("q")), Declared::Policy(policy("q"))];
    let refusal = refused(&mut world, &declare(twice));
    expect(&refusal, Kind::Invalid, "objects[1]", "declared twice");

    super::addresses::start(&mut world, "e", Some("g"));
    let keep = vec![Declared::Network(network("n", "10.1.1.0/24"))];
    let refusal = refused(&mut world, &pruning(keep));
    expect(
        &refusal,
        Kind::Conflict,
        "",
        "endpointGroup default:g cannot be removed: ",
    );
}

#[test]
fn what_stands_in_the_way_may_go_out_of_it_in_the_same_apply() {
    let mut world = world();
    let mut passing = rule();
    passing.action = "pass".into();
    let stamp = world.stamp();
    world.grant(crate::put_rule(&world.image, &stamp, &passing, None));
    let mut baseline = policy("p");
    baseline.tier = "baseline".into();
    let refusal = refused(
        &mut world,
        &declare(vec![Declared::Policy(baseline.clone())]),
    );
    expect(&refusal, Kind::Conflict, "objects[0].tier", "passes on, 1,");
    let both = declare(vec![Declared::Policy(baseline), Declared::Rule(rule())]);
    assert_eq!(
        lines(&applied(&mut world, &both)),
        ["~ policy default:p tier", "~ rule default:p:1 action"]
    );
}

#[test]
fn a_plan_that_has_become_another_one_is_not_carried_out() {
    let mut world = world();
    let request = declare(vec![
        Declared::Policy(policy("q")),
        Declared::Policy(policy("r")),
    ]);
    let plan = decide(
        &mut world,
        &Apply {
            dry_run: true,
            ..request.clone()
        },
    );
    let expected = Apply {
        expected: Some(plan.unwrap().answer.steps),
        ..request
    };
    let stamp = world.stamp();
    world.grant(crate::put_policy(&world.image, &stamp, &policy("q"), None));
    let refusal = refused(&mut world, &expected);
    expect(&refusal, Kind::Conflict, "expected", "look at the new plan");
    world.grant(crate::put_policy(&world.image, &stamp, &policy("r"), None));
    assert_eq!(applied(&mut world, &expected).unchanged, 2);
}

#[test]
fn a_thousand_rules_are_one_revision() {
    let mut world = world();
    let numbered = |n: u32| {
        let mut one = rule();
        one.rule_id = n.to_string();
        one.protocol = "tcp".into();
        one.port = n;
        Declared::Rule(one)
    };
    let all: Vec<Declared> = (1..=1000).map(numbered).collect();
    let plan = applied(&mut world, &declare(all.clone()));
    assert_eq!(plan.steps.len(), 1000);
    assert_eq!(world.image.rules().count(), 1000);
    let mut numbers: Vec<u32> = world.image.rules().map(|(_, k)| k.record.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (16..1016).collect::<Vec<u32>>());

    let mut half = all;
    half.truncate(500);
    half.push(Declared::EndpointGroup(group("g", "n", &["p"])));
    half.push(Declared::Policy(policy("p")));
    half.push(Declared::Network(network("n", "10.1.1.0/24")));
    let plan = applied(&mut world, &pruning(half));
    assert_eq!((plan.steps.len(), plan.unchanged), (500, 503));
    assert_eq!(world.image.rules().count(), 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What a fabric exports changes nothing in it, and makes another one like it or is
    /// refused as a whole.
    #[test]
    fn an_export_applied_is_the_fabric(
        here in prop::collection::vec(step(), 0..40),
        there in prop::collection::vec(step(), 0..40),
    ) {
        let [mut here, mut there] = [here, there].map(|steps| {
            let mut world = World::furnished();
            for step in steps {
                if let Ok(transaction) = world.decide(&step) {
                    world.commit(transaction).unwrap();
                }
            }
            world
        });
        let export = exported(&here.image);
        let plan = applied(&mut here, &pruning(export.clone()));
        prop_assert!(plan.steps.is_empty(), "{:?}", lines(&plan));

        let before = there.image.clone();
        let decided = decide(&mut there, &pruning(export.clone()));
        prop_assert_eq!(&before, &there.image);
        if let Ok(decision) = decided {
            there.commit(decision.transaction).unwrap();
            prop_assert_eq!(&there.image, &there.reloaded());
            let tenants = here.image.tenants().count();
            let extra = there.image.tenants().count() - tenants;
            let mut after = exported(&there.image);
            // Tenants that nothing is declared of stay as they are.
            let declared: Vec<&str> = here.image.tenants().map(|(name, _)| name).collect();
            after.retain(|o| o.tenant().is_none_or(|t| declared.contains(&t)));
            if extra == 0 {
                let tag_free = |objects: Vec<Declared>| objects.into_iter().map(|o| match o {
                    Declared::Network(n) => Declared::Network(Network { pkt_tag: 0, ..n }),
                    other => other,
                }).collect::<Vec<_>>();
                prop_assert_eq!(tag_free(after), tag_free(export));
            }
        }
    }
}
