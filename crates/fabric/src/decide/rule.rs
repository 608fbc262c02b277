//! Rules.

use std::collections::BTreeSet;
use std::net::IpAddr;

use contiv_ipam::bits;
use contiv_model::agent::{Action, AddressRange, Direction, Tier};
use contiv_model::object::{Keyed, Rule};
use contiv_model::parsed::ParsedRule;

use super::room::{self, Change};
use super::{claim, expected};
use crate::decision::{Decided, Draft, settled};
use crate::image::{Image, KnownRule};
use crate::key::{Key, Numbered};
use crate::record::{EndpointRecord, Guard, Meta, RuleRecord, Stamp};
use crate::refusal::Refusal;

/// Makes a rule, or edits it: its number and uid stay. Hosts must have room for it.
pub fn put_rule(image: &Image, stamp: &Stamp, rule: &Rule, expected: Option<u64>) -> Decided<Rule> {
    let decision = put_rule_anyway(image, stamp, rule, expected)?;
    if decision.is_settled() {
        return Ok(decision);
    }
    let known = KnownRule {
        parsed: decision.answer.parse()?,
        record: RuleRecord {
            meta: Meta::from(stamp),
            number: 0, // It weighs nothing.
            object: decision.answer.clone(),
        },
    };
    Change::of(&rule.tenant_name)
        .rules(image, [&known])
        .check(image, decision)
}

/// As [`put_rule`], whatever there is room for.
pub(super) fn put_rule_anyway(
    image: &Image,
    stamp: &Stamp,
    rule: &Rule,
    expected: Option<u64>,
) -> Decided<Rule> {
    let parsed = rule.parse()?;
    let mut object = rule.clone();
    object.key = object.key_of_fields();
    let key = Key::Rule(object.key.clone());
    expected::check(image, &key, expected)?;
    let known = image.rule(&object.key);
    if known.is_some_and(|known| known.record.object == object) {
        return Ok(settled(object));
    }
    check_references(image, rule, &parsed)?;
    let mut draft = Draft::new(image);
    let policy = format!("{}:{}", parsed.tenant, parsed.policy);
    draft.rely_on(&Key::Policy(policy.clone()));
    draft.put(&Key::TenantGuard(parsed.tenant.to_string()), &Guard {});
    draft.put(&Key::PolicyGuard(policy), &Guard {});
    let record = match known {
        Some(known) => RuleRecord {
            object,
            ..known.record.clone()
        },
        None => RuleRecord {
            meta: Meta::from(stamp),
            number: claim::number(&mut draft, image, Numbered::Rules, &object.key)?,
            object,
        },
    };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
}

/// Deletes a rule. Its number is never given again.
pub fn delete_rule(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let decision = delete_rule_anyway(image, name, expected)?;
    match image.rule(name) {
        Some(known) => room::check_removal(image, known.parsed.tenant.as_str(), decision),
        None => Ok(decision),
    }
}

/// As [`delete_rule`], whatever there is room for.
pub(super) fn delete_rule_anyway(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let key = Key::Rule(name.to_owned());
    expected::check(image, &key, expected)?;
    let Some(known) = image.rule(name) else {
        return Err(Refusal::not_found(format!("rule {name} not found")));
    };
    let mut draft = Draft::new(image);
    draft.delete(&key);
    draft.delete(&Key::Number(Numbered::Rules, known.record.number));
    let tenant = known.parsed.tenant.to_string();
    draft.put(&Key::TenantGuard(tenant), &Guard {});
    let policy = format!("{}:{}", known.parsed.tenant, known.parsed.policy);
    draft.put(&Key::PolicyGuard(policy), &Guard {});
    Ok(draft.answer(()))
}

/// What a rule names must exist:
///
/// 1. its tenant and its policy,
/// 2. the group or the network that is its peer,
/// 3. an own address of an incoming rule: the policy is that of exactly one group,
///    and each address that of one of the group's endpoints,
/// 4. a tier after that of the policy, for a rule that passes on to it.
fn check_references(image: &Image, rule: &Rule, parsed: &ParsedRule) -> Result<(), Refusal> {
    let tenant = &parsed.tenant;
    image.required_tenant(tenant)?;
    let policy = format!("{tenant}:{}", parsed.policy);
    let Some(known) = image.policy(&policy) else {
        let message = format!("policy {policy} does not exist; create it first");
        return Err(Refusal::invalid("policyName", message));
    };
    if parsed.action == Action::Pass && known.parsed.tier == Tier::Baseline {
        let message = format!(
            "\"pass\" has no meaning in policy {policy}: no tier comes after baseline; give allow or \
             deny, or put the policy in an earlier tier"
        );
        return Err(Refusal::invalid("action", message));
    }
    let incoming = parsed.direction == Direction::In;
    if let Some(group) = &parsed.peer_group
        && image.group(&format!("{tenant}:{group}")).is_none()
    {
        let field = match incoming {
            true => "fromEndpointGroup",
            false => "toEndpointGroup",
        };
        let message = format!("group {tenant}:{group} does not exist; create it first");
        return Err(Refusal::invalid(field, message));
    }
    if let Some(network) = &parsed.peer_network
        && image.network(&format!("{tenant}:{network}")).is_none()
    {
        let field = match incoming {
            true => "fromNetwork",
            false => "toNetwork",
        };
        let message = format!("network {tenant}:{network} does not exist; create it first");
        return Err(Refusal::invalid(field, message));
    }
    if incoming && !rule.to_ip_address.is_empty() {
        check_own_address(image, rule, parsed)?;
    }
    Ok(())
}

fn check_own_address(image: &Image, rule: &Rule, parsed: &ParsedRule) -> Result<(), Refusal> {
    let text = &rule.to_ip_address;
    let refuse = |why: String| Err(Refusal::invalid("toIpAddress", format!("{text:?} {why}")));
    let users: Vec<&str> = image
        .groups_of(&parsed.tenant)
        .filter(|(_, group)| group.parsed.policies.contains(&parsed.policy))
        .map(|(key, _)| key)
        .collect();
    let [group] = users.as_slice() else {
        return refuse(format!(
            "limits an incoming rule to one endpoint, so policy {} must be that of exactly one \
             group, and {} have it; leave toIpAddress out",
            parsed.policy,
            users.len()
        ));
    };
    let held: BTreeSet<IpAddr> = image
        .endpoints_of_group(group)
        .flat_map(EndpointRecord::addresses)
        .collect();
    let all_held = |range: &AddressRange| {
        let known = held.range(range.first..=range.last).count();
        let size = (bits(range.last) - bits(range.first)).saturating_add(1);
        u128::try_from(known).is_ok_and(|known| known == size)
    };
    if parsed.own_addresses.iter().all(all_held) {
        return Ok(());
    }
    refuse(format!(
        "has an address in it that no endpoint of group {group} has; name addresses of its \
         endpoints, or leave toIpAddress out"
    ))
}
