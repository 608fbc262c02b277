//! Policies.

use contiv_model::object::{Keyed, Policy};

use super::expected;
use super::tenant::counted;
use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::{Key, Numbered};
use crate::record::{Guard, Meta, PolicyRecord, Stamp};
use crate::refusal::Refusal;

/// Makes a policy. It has no fields besides its names, so a repeat changes nothing.
pub fn put_policy(
    image: &Image,
    stamp: &Stamp,
    policy: &Policy,
    expected: Option<u64>,
) -> Decided<Policy> {
    let parsed = policy.parse()?;
    let mut object = policy.clone();
    object.key = object.key_of_fields();
    let key = Key::Policy(object.key.clone());
    expected::check(image, &key, expected)?;
    image.required_tenant(&parsed.tenant)?;
    if image.policy(&object.key).is_some() {
        return Ok(settled(object));
    }
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Tenant(parsed.tenant.to_string()));
    draft.put(&Key::TenantGuard(parsed.tenant.to_string()), &Guard {});
    let record = PolicyRecord {
        meta: Meta::from(stamp),
        object,
    };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
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
    } = &known.object;
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
    draft.delete(&key);
    Ok(draft.answer(()))
}
