//! What people and engines ask for, at random.

use contiv_model::object::{EndpointGroup, Network, Policy, Rule, Tenant};

use crate::chance::Chance;
use crate::engine::Attachment;
use crate::operator::{Noun, Wish};

pub(crate) const TENANTS: [&str; 2] = ["default", "blue"];
pub(crate) const NETWORKS: u64 = 2;
const GROUPS: u64 = 3;

/// The subnet of a network, the same for all lives of it.
fn subnet(tenant: &str, network: u64) -> String {
    let second = if tenant == TENANTS[0] { 1 } else { 2 };
    format!("10.{second}.{network}.0/28")
}

/// What every run begins with, so that there is something to happen to.
pub(crate) fn beginning() -> Vec<Wish> {
    let mut wishes = Vec::new();
    for name in TENANTS {
        wishes.push(Wish::PutTenant(tenant(name)));
        wishes.extend((0..NETWORKS).map(|n| Wish::PutNetwork(network(name, n))));
        wishes.extend((0..2).map(|n| Wish::PutPolicy(policy(name, n))));
        wishes.extend((0..GROUPS).map(|n| Wish::PutGroup(group(name, n, &[n % 2]))));
    }
    wishes
}

pub(crate) fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// Somewhere to start a container.
pub(crate) fn place(chance: &Chance) -> Attachment {
    let tenant = *chance.pick(&TENANTS);
    let network = chance.of(0..NETWORKS);
    // Groups are of the first network.
    let group = (network == 0 && chance.happens(60)).then(|| format!("g{}", chance.of(0..GROUPS)));
    Attachment {
        tenant: tenant.to_owned(),
        network: format!("n{network}"),
        group,
        subnet: subnet(tenant, network),
    }
}

/// Something to write.
pub(crate) fn wish(chance: &Chance) -> Wish {
    let name = *chance.pick(&TENANTS);
    let number = chance.of(0..GROUPS);
    match chance.of(0..20) {
        0 => Wish::PutTenant(tenant(name)),
        1 => Wish::PutNetwork(network(name, chance.of(0..NETWORKS + 1))),
        3..6 => {
            let policies: Vec<u64> = (0..2).filter(|_| chance.happens(60)).collect();
            Wish::PutGroup(group(name, number, &policies))
        }
        6 | 7 => Wish::PutPolicy(policy(name, chance.of(0..2))),
        2 | 8..15 => Wish::PutRule(Box::new(rule(chance, name))),
        15 => Wish::Delete(Noun::Tenant, TENANTS[1].to_owned()),
        16 => Wish::Delete(
            Noun::Network,
            format!("{name}:n{}", chance.of(1..NETWORKS + 1)),
        ),
        17 => Wish::Delete(Noun::Group, format!("{name}:g{number}")),
        18 => Wish::Delete(Noun::Policy, format!("{name}:p{}", chance.of(0..2))),
        _ => {
            let (policy, id) = (chance.of(0..2), chance.of(1..5));
            Wish::Delete(Noun::Rule, format!("{name}:p{policy}:{id}"))
        }
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant {
        key: name.to_owned(),
        tenant_name: name.to_owned(),
        ..Tenant::default()
    }
}

fn network(tenant: &str, number: u64) -> Network {
    let subnet = subnet(tenant, number);
    Network {
        key: format!("{tenant}:n{number}"),
        tenant_name: tenant.to_owned(),
        network_name: format!("n{number}"),
        gateway: subnet.replace(".0/28", ".14"),
        subnet,
        encap: "vxlan".into(),
        ..Network::default()
    }
}

fn group(tenant: &str, number: u64, policies: &[u64]) -> EndpointGroup {
    EndpointGroup {
        key: format!("{tenant}:g{number}"),
        tenant_name: tenant.to_owned(),
        group_name: format!("g{number}"),
        network_name: "n0".into(),
        policies: policies.iter().map(|p| format!("p{p}")).collect(),
        ..EndpointGroup::default()
    }
}

fn policy(tenant: &str, number: u64) -> Policy {
    Policy {
        key: format!("{tenant}:p{number}"),
        tenant_name: tenant.to_owned(),
        policy_name: format!("p{number}"),
        ..Policy::default()
    }
}

fn rule(chance: &Chance, tenant: &str) -> Rule {
    let (policy, id) = (chance.of(0..2), chance.of(1..5));
    let direction = if chance.happens(50) { "in" } else { "out" };
    let peer = format!("g{}", chance.of(0..GROUPS));
    let named = chance.happens(40);
    let mut rule = Rule {
        key: format!("{tenant}:p{policy}:{id}"),
        tenant_name: tenant.to_owned(),
        policy_name: format!("p{policy}"),
        rule_id: id.to_string(),
        direction: direction.into(),
        priority: u32::from(small(chance.of(1..4))),
        protocol: "tcp".into(),
        port: u32::from(small(chance.of(0..3))) * 80,
        action: chance.pick(&["allow", "deny"]).to_string(),
        ..Rule::default()
    };
    if named {
        match direction {
            "in" => rule.from_endpoint_group = peer,
            _ => rule.to_endpoint_group = peer,
        }
    }
    rule
}
