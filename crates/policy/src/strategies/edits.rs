//! Policies that change in small steps.

use std::sync::Arc;

use contiv_datapath_abi::policy::FIRST_RULE;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{LAST_GROUP, defaults, placement, rule, tenant_policy};
use crate::{Defaults, Placement, PolicyRule, TenantPolicy};

/// A policy, and others of which each differs from the one before in little.
pub fn history(rules: usize, changes: usize) -> impl Strategy<Value = Vec<TenantPolicy>> {
    (tenant_policy(rules), vec(edit(), 0..=changes)).prop_map(|(first, edits)| {
        let mut history = vec![first];
        for edit in edits {
            let mut next = history[history.len() - 1].clone();
            edit.apply(&mut next);
            history.push(next);
        }
        history
    })
}

/// A small change.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, PolicyRule),
    Add(Vec<PolicyRule>),
    Remove(Index),
    Attach(u32, String),
    Detach(u32, Index),
    Place(String, Placement),
    Default(u32, Defaults),
    Nothing,
}

fn edit() -> impl Strategy<Value = Edit> {
    let names = || select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(str::to_owned);
    prop_oneof![
        4 => (any::<Index>(), rule(names())).prop_map(|(at, rule)| Edit::Put(at, rule)),
        3 => vec(rule(names()), 1..4).prop_map(Edit::Add),
        3 => any::<Index>().prop_map(Edit::Remove),
        1 => (1..=LAST_GROUP + 1, names()).prop_map(|(group, name)| Edit::Attach(group, name)),
        1 => (1..=LAST_GROUP, any::<Index>()).prop_map(|(group, at)| Edit::Detach(group, at)),
        1 => (names(), placement()).prop_map(|(name, place)| Edit::Place(name, place)),
        1 => (1..=LAST_GROUP, defaults()).prop_map(|(group, of)| Edit::Default(group, of)),
        1 => Just(Edit::Nothing),
    ]
}

impl Edit {
    fn apply(self, policy: &mut TenantPolicy) {
        let rules = &mut policy.rules;
        match self {
            Edit::Put(at, rule) if !rules.is_empty() => {
                let at = at.index(rules.len());
                let (number, id) = (rules[at].number, rules[at].id.clone());
                rules[at] = Arc::new(PolicyRule { number, id, ..rule });
            }
            Edit::Remove(at) if !rules.is_empty() => {
                rules.remove(at.index(rules.len()));
            }
            Edit::Add(new) => {
                let highest = rules.iter().map(|rule| rule.number).max();
                for (number, rule) in (highest.unwrap_or(FIRST_RULE) + 1..).zip(new) {
                    rules.push(Arc::new(PolicyRule {
                        number,
                        id: number.to_string(),
                        ..rule
                    }));
                }
            }
            Edit::Attach(group, name) => {
                policy.groups.entry(group).or_default().insert(name);
            }
            Edit::Detach(group, at) => {
                if let Some(policies) = policy.groups.get_mut(&group)
                    && !policies.is_empty()
                    && let Some(name) = policies.iter().nth(at.index(policies.len())).cloned()
                {
                    policies.remove(&name);
                }
            }
            Edit::Place(name, place) => {
                policy.policies.insert(name, place);
            }
            Edit::Default(group, defaults) => {
                policy.defaults.insert(group, defaults);
            }
            Edit::Put(..) | Edit::Remove(_) | Edit::Nothing => {}
        }
    }
}
