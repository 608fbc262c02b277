//! Policies.

use contiv_model::agent::{Action, Tier};
use contiv_model::object::{Keyed, Policy};
use contiv_model::parsed::ParsedPolicy;

use super::expected;
use super::room::Change;
use super::tenant::counted;
use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::{Key, Numbered};
use crate::record::{Guard, Meta, PolicyRecord, Stamp};
use crate::refusal::Refusal;

/// Makes a policy, or changes its place. What the request does not name stays. Hosts must have
/// room for what it comes to: staged policies are compiled beside those that are in force.
pub fn put_policy(
    image: &Image,
    stamp: &Stamp,
    policy: &Policy,
    expected: Option<u64>,
) -> Decided<Policy> {
    let decision = put_policy_anyway(image, stamp, policy, expected)?;
    if decision.is_settled() {
        return Ok(decision);
    }
    let Policy {
        tenant_name,
        policy_name,
        ..
    } = policy;
    let staged = decision.answer.parse()?.staged;
    let change = Change {
        staged: staged.then_some(policy_name),
        ..Change::of(tenant_name)
    };
    change.check(image, decision)
}

/// As [`put_policy`], whatever there is room for.
pub(super) fn put_policy_anyway(
    image: &Image,
    stamp: &Stamp,
    policy: &Policy,
    expected: Option<u64>,
) -> Decided<Policy> {
    policy.parse()?;
    let mut object = policy.clone();
    object.key = object.key_of_fields();
    let key = Key::Policy(object.key.clone());
    expected::check(image, &key, expected)?;
    let known = image.policy(&object.key);
    if let Some(known) = known {
        object = object.filled_from(&known.record.object);
    }
    let object = object.terse();
    let parsed = object.parse()?;
    image.required_tenant(&parsed.tenant)?;
    if known.is_some_and(|known| known.record.object == object) {
        return Ok(settled(object));
    }
    check_passes(image, &object.key, &parsed)?;
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Tenant(parsed.tenant.to_string()));
    draft.put(&Key::TenantGuard(parsed.tenant.to_string()), &Guard {});
    draft.put(&Key::PolicyGuard(object.key.clone()), &Guard {});
    let meta = match known {
        Some(known) => known.record.meta.clone(),
        None => Meta::from(stamp),
    };
    let record = PolicyRecord { meta, object };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
}

/// Refuses the last tier for a policy that passes to the next one.
fn check_passes(image: &Image, key: &str, wish: &ParsedPolicy) -> Result<(), Refusal> {
    if wish.tier != Tier::Baseline {
        return Ok(());
    }
    let passes = image
        .rules_of(key)
        .filter(|(_, rule)| rule.parsed.action == Action::Pass);
    let passes: Vec<&str> = passes.map(|(_, rule)| rule.parsed.id.as_str()).collect();
    if passes.is_empty() {
        return Ok(());
    }
    let message = format!(
        "policy {key} has {} that passes on, {}, and no tier comes after baseline; give it \
         another action first",
        counted(passes.len(), "rule"),
        passes.join(", ")
    );
    Err(Refusal::conflict("tier", message))
}

/// Deletes a policy that no group has, and its rules with it.
pub fn delete_policy(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let key = Key::Policy(name.to_owned());
    expected::check(image, &key, expected)?;
    let Some(known) = image.policy(name) else {
        return Err(Refusal::not_found(format!("policy {name} not found")));
    };
    let Policy {
        tenant_name,
        policy_name,
        ..
    } = &known.record.object;
    let users: Vec<&str> = image
        .groups_of(tenant_name)
        .filter(|(_, group)| group.record.object.policies.contains(policy_name))
        .map(|(_, group)| group.parsed.name.as_str())
        .collect();
    if !users.is_empty() {
        let message = format!(
            "policy {name} is in use by {}: {}; take it from them first",
            counted(users.len(), "group"),
            users.join(", ")
        );
        return Err(Refusal::conflict("", message));
    }
    let mut draft = Draft::new(image);
    draft.put(&Key::TenantGuard(tenant_name.clone()), &Guard {});
    for (rule, known) in image.rules_of(name) {
        draft.delete(&Key::Rule(rule.to_owned()));
        draft.delete(&Key::Number(Numbered::Rules, known.record.number));
    }
    draft.delete(&Key::PolicyGuard(name.to_owned()));
    draft.delete(&key);
    Ok(draft.answer(()))
}
