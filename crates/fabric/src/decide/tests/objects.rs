//! What decisions make of objects: numbers, tags, repeats and edits.

use contiv_model::agent::{Encap, ForwardMode};
use contiv_model::object::{Network, Rule};

use super::given::{group, network, put, world};
use crate::key::{Key, Numbered};
use crate::record::{Counter, Stamp};
use crate::world::World;
use crate::{Decision, Presets};

fn tags(world: &World) -> Vec<(Encap, u32)> {
    let networks = world.image.networks();
    networks
        .map(|(_, n)| (n.parsed.encap, n.record.tag))
        .collect()
}

#[test]
fn a_fabric_begins_with_its_presets_and_keeps_what_it_has() {
    let mut world = World::default();
    let stamp = world.stamp();
    let presets = Presets {
        forward_mode: Some(ForwardMode::Routing),
        infra: None,
    };
    world.grant(crate::bootstrap(&world.image, presets, &stamp, &stamp));
    let global = &world.image.global().unwrap().record.object;
    assert_eq!(
        (global.fwd_mode.as_str(), global.vlans.as_str()),
        ("routing", "1-4094")
    );
    assert_eq!(world.image.tenant("default").unwrap().number, 1);
    let again = crate::bootstrap(&world.image, Presets::default(), &stamp, &stamp).unwrap();
    assert!(again.is_settled());
}

#[test]
fn tags_are_the_lowest_free_ones_of_each_kind() {
    let mut world = World::new();
    let tagged = |name: &str, third: u8, encap: &str, pkt_tag| Network {
        encap: encap.into(),
        pkt_tag,
        ..network(name, &format!("10.1.{third}.0/24"))
    };
    put(&mut world, &tagged("a", 1, "vlan", 0));
    put(&mut world, &tagged("b", 2, "vxlan", 0));
    put(&mut world, &tagged("c", 3, "vxlan", 1000));
    put(&mut world, &tagged("d", 4, "vxlan", 0));
    put(&mut world, &tagged("e", 5, "vlan", 0));
    let expected = [
        (Encap::Vlan, 1),
        (Encap::Vxlan, 1),
        (Encap::Vxlan, 1000),
        (Encap::Vxlan, 2),
        (Encap::Vlan, 2),
    ];
    assert_eq!(tags(&world), expected);
    let gone = crate::delete_network(&world.image, "default:a", None);
    world.grant(gone);
    put(&mut world, &tagged("f", 6, "vlan", 0));
    assert_eq!(tags(&world).last(), Some(&(Encap::Vlan, 1)));
}

#[test]
fn repeats_write_nothing_and_a_chosen_tag_may_be_named() {
    let mut world = world();
    let (stamp, reports) = (world.stamp(), world.reports.clone());
    let known = network("n", "10.1.1.0/24");
    let spelled = Network {
        key: "default:n".into(),
        pkt_tag: 1,
        nw_type: "data".into(),
        subnet: "10.1.1.7/24".into(),
        ..known.clone()
    };
    for same in [known, spelled] {
        let decision = crate::put_network(&world.image, &reports, &stamp, &same, None).unwrap();
        assert!(decision.is_settled());
        assert_eq!(decision.answer.key, "default:n");
    }
    let known = group("g", "n", &["p"]);
    let decision = crate::put_group(&world.image, &stamp, &known, None).unwrap();
    assert!(decision.is_settled());
    let decision = crate::put_group(&world.image, &stamp, &group("g", "n", &[]), None);
    world.grant(decision);
    let record = &world.image.group("default:g").unwrap().record;
    assert!(record.object.policies.is_empty());
    assert_ne!(record.meta.uid, stamp.uid, "an edit keeps the uid");
}

#[test]
fn an_edited_rule_keeps_its_number_and_a_new_one_gets_a_new_one() {
    let mut world = world();
    let rule = |priority| Rule {
        tenant_name: "default".into(),
        policy_name: "p".into(),
        rule_id: "1".into(),
        direction: "in".into(),
        action: "allow".into(),
        priority,
        ..Rule::default()
    };
    let number = |world: &World| world.image.rule("default:p:1").unwrap().record.number;
    let stamp = world.stamp();
    for (priority, expected) in [(1, 16), (2, 16)] {
        world.grant(crate::put_rule(&world.image, &stamp, &rule(priority), None));
        assert_eq!(number(&world), expected);
    }
    let gone = crate::delete_rule(&world.image, "default:p:1", None);
    world.grant(gone);
    world.grant(crate::put_rule(&world.image, &stamp, &rule(1), None));
    assert_eq!(number(&world), 17);
}

#[test]
fn group_numbers_go_around_a_ring() {
    let mut world = world();
    let number = |world: &World, name: &str| world.image.group(name).unwrap().record.number;
    assert_eq!(number(&world, "default:g"), 1);
    let mut draft = crate::decision::Draft::new(&world.image);
    draft.put(&Key::Counter(Numbered::Groups), &Counter { last: 65534 });
    let Decision { transaction, .. } = draft.answer(());
    world.commit(transaction).unwrap();
    let stamp = Stamp {
        uid: "u".into(),
        time: 1,
    };
    for (name, expected) in [("a", 65535), ("b", 2), ("c", 3)] {
        world.grant(crate::put_group(
            &world.image,
            &stamp,
            &group(name, "n", &[]),
            None,
        ));
        assert_eq!(number(&world, &format!("default:{name}")), expected);
    }
}

#[test]
fn a_policy_takes_its_rules_along() {
    let mut world = world();
    let stamp = world.stamp();
    for id in 0..20 {
        let rule = Rule {
            tenant_name: "default".into(),
            policy_name: "p".into(),
            rule_id: id.to_string(),
            direction: "in".into(),
            action: "allow".into(),
            ..Rule::default()
        };
        world.grant(crate::put_rule(&world.image, &stamp, &rule, None));
    }
    world.grant(crate::put_group(
        &world.image,
        &stamp,
        &group("g", "n", &[]),
        None,
    ));
    let gone = crate::delete_policy(&world.image, "default:p", None);
    world.grant(gone);
    assert_eq!(world.image.rules().count(), 0);
    assert_eq!(world.image.numbers_in_use(Numbered::Rules), 0);
}
