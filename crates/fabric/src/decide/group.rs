//! Groups.

use std::net::IpAddr;

use contiv_model::object::{EndpointGroup, Keyed};
use contiv_model::parsed::ParsedGroup;

use super::docker_network::forget_swarms;
use super::room::Change;
use super::tenant::counted;
use super::{claim, expected};
use crate::decision::{Decided, Draft, settled};
use crate::image::{Image, KnownGroup, KnownNetwork};
use crate::key::{Key, Numbered};
use crate::record::{GroupRecord, Guard, Meta, Stamp};
use crate::refusal::Refusal;

/// Makes a group, or replaces the policies of one that exists: its network and its
/// pool stay, and so do the default actions that the request does not name.
///
/// 1. Its tenant, its network and its policies exist, and no network of the tenant has
///    its name: both become Docker networks.
/// 2. Its pool is made of addresses of the network that nobody has, in use or pooled.
/// 3. Hosts have room for the rules of policies that no other group has together.
pub fn put_group(
    image: &Image,
    stamp: &Stamp,
    group: &EndpointGroup,
    expected: Option<u64>,
) -> Decided<EndpointGroup> {
    let decision = put_group_anyway(image, stamp, group, expected)?;
    if decision.is_settled() {
        return Ok(decision);
    }
    let policies = decision.answer.policies.clone();
    let change = Change {
        field: "policies",
        set: policies.iter().map(String::as_str).collect(),
        ..Change::of(&group.tenant_name)
    };
    change.check(image, decision)
}

/// As [`put_group`], whatever there is room for.
pub(super) fn put_group_anyway(
    image: &Image,
    stamp: &Stamp,
    group: &EndpointGroup,
    expected: Option<u64>,
) -> Decided<EndpointGroup> {
    group.parse()?;
    let mut object = group.clone();
    object.key = object.key_of_fields();
    let name = object.key.clone();
    let known = image.group(&name);
    if let Some(known) = known {
        object = object.filled_from(&known.record.object);
    }
    let object = object.terse();
    let parsed = object.parse()?;
    let key = Key::Group(name.clone());
    expected::check(image, &key, expected)?;
    image.required_tenant(&parsed.tenant)?;
    let network_key = format!("{}:{}", parsed.tenant, parsed.network);
    let Some(network) = image.network(&network_key) else {
        let message = format!("network {network_key} does not exist; create it first");
        return Err(Refusal::invalid("networkName", message));
    };
    match known {
        Some(known) if known.record.object == object => return Ok(settled(object)),
        Some(known) => check_unmoved(known, &parsed)?,
        None => check_place(image, network, &parsed)?,
    }
    for policy in &parsed.policies {
        let policy = format!("{}:{policy}", parsed.tenant);
        if image.policy(&policy).is_none() {
            let message = format!("policy {policy} does not exist; create it first");
            return Err(Refusal::invalid("policies", message));
        }
    }
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Network(network_key));
    draft.put(&Key::TenantGuard(parsed.tenant.to_string()), &Guard {});
    mark_policies(&mut draft, known.map(|known| &known.parsed), Some(&parsed));
    let record = match known {
        Some(known) => GroupRecord {
            object,
            ..known.record.clone()
        },
        None => {
            let number = network.record.number;
            draft.put(&Key::NetworkGuard(number), &Guard {});
            if let Some(pool) = parsed.pool {
                let key = |address| Key::Address(number, IpAddr::V4(address)).to_string();
                draft.rely_on_range((key(pool.first), key(pool.last)));
            }
            GroupRecord {
                meta: Meta::from(stamp),
                number: claim::number(&mut draft, image, Numbered::Groups, &name)?,
                object,
            }
        }
    };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
}

/// Deletes a group that has no endpoints. Rules that name it match nothing from then on.
pub fn delete_group(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let key = Key::Group(name.to_owned());
    expected::check(image, &key, expected)?;
    let Some(known) = image.group(name) else {
        return Err(Refusal::not_found(format!("group {name} not found")));
    };
    let endpoints = image.endpoints_of_group(name).count();
    if endpoints > 0 {
        let message = format!(
            "group {name} still has {}; remove their containers first",
            counted(endpoints, "endpoint")
        );
        return Err(Refusal::conflict("", message));
    }
    let mut draft = Draft::new(image);
    let ParsedGroup {
        tenant, network, ..
    } = &known.parsed;
    draft.put(&Key::TenantGuard(tenant.to_string()), &Guard {});
    mark_policies(&mut draft, Some(&known.parsed), None);
    if let Some(network) = image.network(&format!("{tenant}:{network}")) {
        // An endpoint of the group that comes meanwhile has an address there.
        draft.rely_on_range(Key::addresses(network.record.number));
    }
    let of = (tenant.as_str(), network.as_str());
    forget_swarms(&mut draft, image, of, Some(known.parsed.name.as_str()));
    draft.delete(&Key::Number(Numbered::Groups, known.record.number));
    draft.delete(&key);
    Ok(draft.answer(()))
}

/// Policies that a group gains or loses have changed by that, and all of a group's have when it does
/// something else where no rule matches: who asks which hosts are up to date asks about this, too.
fn mark_policies(draft: &mut Draft<'_>, before: Option<&ParsedGroup>, after: Option<&ParsedGroup>) {
    let defaults = |group: &ParsedGroup| (group.default_action_in, group.default_action_out);
    let same = before.map(defaults) == after.map(defaults);
    let has = |group: Option<&ParsedGroup>, name| group.is_some_and(|g| g.policies.contains(name));
    for group in before.into_iter().chain(after) {
        for name in &group.policies {
            if !(same && has(before, name) && has(after, name)) {
                let policy = format!("{}:{name}", group.tenant);
                draft.put(&Key::PolicyGuard(policy), &Guard {});
            }
        }
    }
}

fn check_unmoved(known: &KnownGroup, wish: &ParsedGroup) -> Result<(), Refusal> {
    let ParsedGroup {
        tenant,
        name,
        network,
        pool,
        ..
    } = &known.parsed;
    if *network != wish.network {
        let message = format!(
            "group {tenant}:{name} is in network {network} and cannot move to another; delete it \
             and create it anew"
        );
        return Err(Refusal::conflict("networkName", message));
    }
    if *pool != wish.pool {
        let message = format!(
            "the pool of group {tenant}:{name} cannot be changed; delete it and create it anew"
        );
        return Err(Refusal::conflict("ipPool", message));
    }
    Ok(())
}

fn check_place(image: &Image, network: &KnownNetwork, wish: &ParsedGroup) -> Result<(), Refusal> {
    let name = format!("{}:{}", wish.tenant, wish.name);
    if image.network(&name).is_some() {
        let message = format!(
            "{name} is the name of a network, and both become Docker networks; choose another"
        );
        return Err(Refusal::conflict("groupName", message));
    }
    wish.check_pool_within(&network.parsed)?;
    for (_, other) in image.groups_of_network(&network.record.object.key) {
        wish.check_apart_from(&other.parsed)
            .map_err(Refusal::clash)?;
    }
    let Some(pool) = wish.pool else {
        return Ok(());
    };
    let range = IpAddr::from(pool.first)..=IpAddr::from(pool.last);
    let used = image.addresses_within(network.record.number, range).next();
    match used {
        None => Ok(()),
        Some((address, state)) => {
            let message = format!(
                "{pool} has {address} in it, which belongs to {state}; choose addresses that \
                 nobody has"
            );
            Err(Refusal::conflict("ipPool", message))
        }
    }
}
