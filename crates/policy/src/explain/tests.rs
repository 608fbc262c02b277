use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath_abi::policy::TCP;

use super::*;
use crate::{Rows, compile};

const WEB: u32 = 1;
const DB: u32 = 2;

fn rule(number: u32, policy: &str, action: Action) -> PolicyRule {
    PolicyRule::new(number, policy, Direction::In, action)
}

/// `db` may be reached on its port by `web` alone; `admin` passes what it does not forbid.
fn policy() -> TenantPolicy {
    let rules = [
        PolicyRule {
            action: Action::Pass,
            peer_group: Some(WEB),
            ..rule(16, "watch", Action::Pass)
        },
        PolicyRule {
            protocol: Some(TCP),
            ports: vec![5432.into()],
            peer_group: Some(WEB),
            priority: 10,
            ..rule(17, "db", Action::Allow)
        },
        rule(18, "db", Action::Deny),
        PolicyRule {
            priority: 100,
            ..rule(19, "trial", Action::Deny)
        },
    ];
    let place = |tier, staged| Placement {
        tier,
        order: 0,
        staged,
    };
    let attached = ["watch", "db", "trial"].map(str::to_owned);
    TenantPolicy {
        groups: [(DB, attached.into())].into(),
        policies: [
            ("watch".to_owned(), place(Tier::Admin, false)),
            ("trial".to_owned(), place(Tier::Normal, true)),
        ]
        .into(),
        rules: rules.map(Arc::new).into(),
        ..TenantPolicy::default()
    }
}

fn question(port: u16) -> Question {
    Question {
        from: Party {
            group: WEB,
            address: [10, 1, 1, 1].into(),
        },
        to: Party {
            group: DB,
            address: [10, 1, 1, 2].into(),
        },
        protocol: TCP,
        port,
    }
}

#[test]
fn each_step_is_told() {
    let policy = policy();
    let build = compile(&policy).unwrap();
    let groups = BTreeMap::from([(WEB, "web".to_owned()), (DB, "db".to_owned())]);
    let names = Names::new(&policy, groups);
    let told = |port| {
        let tables = Some((&build.write, build.root));
        names.tell(&explain(&policy, question(port), tables))
    };
    assert_eq!(
        told(5432),
        "10.1.1.1 (web) -> 10.1.1.2 (db), tcp port 5432\n\
         sender, rules of direction out: web\n\
         \x20 => allow by default: nothing matched (rule 1)\n\
         receiver, rules of direction in: db\n\
         \x20 tier admin\n\
         \x20   policy watch, order 0\n\
         \x20     16: pass, priority 1: matches and passes to the next tier\n\
         \x20 tier normal\n\
         \x20   policy trial, order 0, staged\n\
         \x20     19: deny, priority 100: matches and would decide\n\
         \x20   policy db, order 0\n\
         \x20     17: allow, priority 10: matches and decides\n\
         \x20     18: deny, priority 1: matches, shadowed by db:17 (rule 17)\n\
         \x20 => allow by db:17 (rule 17)\n\
         \x20 => staged: deny by trial:19 (rule 19)\n\
         with staged policies in force: deny\n\
         verdict: allow\n"
    );
    let other = told(22);
    assert!(
        other.contains("17: allow, priority 10: no: another port"),
        "{other}"
    );
    assert!(other.ends_with("verdict: deny\n"), "{other}");
}

#[test]
fn tables_that_say_something_else_are_told_loudly() {
    let policy = policy();
    let explanation = explain(&policy, question(22), Some((&Rows::default(), 2)));
    assert!(explanation.disagrees());
    assert!(!explanation.sending.disagrees());
    let text = Names::default().tell(&explanation);
    assert!(text.contains("!!! tables: allow by default"), "{text}");
    assert!(text.contains("!!! THE TABLES OF A HOST"), "{text}");
    let unasked = explain::<Rows>(&policy, question(22), None);
    assert!(!unasked.disagrees());
    assert_eq!(unasked.action(), Action::Deny);
}

#[test]
fn a_rule_behind_an_earlier_tier_is_not_reached() {
    let mut policy = policy();
    let place = Placement {
        tier: Tier::Baseline,
        ..Placement::default()
    };
    policy.policies.insert("late".to_owned(), place);
    policy
        .groups
        .get_mut(&DB)
        .unwrap()
        .insert("late".to_owned());
    policy.rules.push(Arc::new(rule(20, "late", Action::Deny)));
    let explanation = explain::<Rows>(&policy, question(22), None);
    let last = &explanation.receiving.tiers[2].policies[0].rules[0];
    assert_eq!((last.number, last.part), (20, Part::NotReached(18)));
}
