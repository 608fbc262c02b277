//! Which Docker networks are to be made, removed or bound again.
//!
//! 1. A Docker network of our driver whose uid no object bears is removed: the
//!    master says that its object is gone. Others are never removed.
//! 2. Every data network and every group has one, unless it was itself made for a
//!    Docker network. A missing one is made, also when somebody removed it by hand.
//! 3. A name that another Docker network has is a problem of the object; nothing
//!    is touched.
//! 4. A Docker network of ours that the master knows no binding for is bound again,
//!    and a binding whose Docker network is gone is dropped, once that is certain.

use std::collections::{BTreeMap, BTreeSet};

use contiv_model::agent::{DockerNetwork, NetworkView, ObjectKind, ObjectRef, PoolRef, Problem};

use super::client::{EngineNetwork, NewIpam, NewNetwork, PoolConfig};
use super::labels::{UID, docker_name, labels, named_by, options};
use crate::mirror::Mirror;

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Docker networks to remove: id and name.
    pub remove: Vec<(String, String)>,
    /// Docker networks to make, for these objects.
    pub create: Vec<(ObjectRef, NewNetwork)>,
    /// Bindings that the master should know of.
    pub bind: Vec<DockerNetwork>,
    /// Bindings of Docker networks that the engine does not have, by id.
    pub unbind: Vec<String>,
    /// Objects that have their Docker network, with their uids.
    pub realised: BTreeMap<ObjectRef, String>,
    pub problems: Vec<Problem>,
}

/// An object that is to have a Docker network.
struct Wish {
    object: ObjectRef,
    uid: String,
    pool: PoolRef,
    /// One for each address family.
    pools: Vec<PoolConfig>,
}

/// What follows from these states. `driver` is the name our driver is known by.
pub(crate) fn plan(mirror: &Mirror, engine: &[EngineNetwork], host: &str, driver: &str) -> Plan {
    let mut plan = Plan::default();
    if !mirror.is_complete() {
        return plan; // What is absent may only not have come yet.
    }
    let ours: Vec<&EngineNetwork> = engine.iter().filter(|n| n.driver == driver).collect();
    let wishes = wishes(mirror);
    let uids: BTreeSet<&str> = wishes.iter().map(|w| w.uid.as_str()).collect();
    let stale = |n: &EngineNetwork| {
        n.driver == driver
            && n.labels
                .get(UID)
                .is_some_and(|uid| !uids.contains(uid.as_str()))
    };
    for network in engine.iter().filter(|n| stale(n)) {
        plan.remove.push((network.id.clone(), network.name.clone()));
    }
    let by_uid: BTreeMap<&str, &EngineNetwork> = ours
        .iter()
        .filter_map(|n| n.labels.get(UID).map(|uid| (uid.as_str(), *n)))
        .collect();
    for wish in &wishes {
        if by_uid.contains_key(wish.uid.as_str()) {
            plan.realised.insert(wish.object.clone(), wish.uid.clone());
            continue;
        }
        let name = docker_name(&wish.pool);
        match engine.iter().find(|n| n.name == name && !stale(n)) {
            Some(other) => plan.problems.push(name_taken(wish.object.clone(), other)),
            None => plan
                .create
                .push((wish.object.clone(), new_network(wish, name, driver))),
        }
    }
    for network in ours
        .iter()
        .filter(|n| !stale(n) && mirror.docker_network(&n.id).is_none())
    {
        let known = named_by(&network.options).filter(|pool| mirror.network_of(pool).is_some());
        plan.bind.extend(known.map(|pool| DockerNetwork {
            id: network.id.clone(),
            host: host.to_owned(),
            tenant: pool.tenant,
            network: pool.network,
            group: pool.group,
            aux_addresses: Vec::new(),
            swarm: None,
        }));
    }
    let existing: BTreeSet<&str> = engine.iter().map(|n| n.id.as_str()).collect();
    plan.unbind = mirror
        .docker_networks()
        .filter(|d| d.host == host && !existing.contains(d.id.as_str()))
        .map(|d| d.id.clone())
        .collect();
    plan
}

fn wishes(mirror: &Mirror) -> Vec<Wish> {
    let bound_by_hand = |name: &str| {
        mirror
            .docker_networks()
            .any(|d| crate::cnm::automatic_name(&d.id) == name)
    };
    let networks = mirror
        .networks()
        .filter(|n| !n.infra && !is_automatic(&n.name));
    let networks = networks
        .filter(|n| !bound_by_hand(&n.name))
        .map(|network| Wish {
            object: ObjectRef {
                kind: ObjectKind::Network,
                key: format!("{}:{}", network.tenant, network.name),
            },
            uid: network.uid.clone(),
            pool: PoolRef {
                tenant: network.tenant.clone(),
                network: network.name.clone(),
                group: None,
            },
            pools: pools(network),
        });
    let groups = mirror.groups().filter_map(|group| {
        let network = mirror.network(&group.tenant, &group.network)?;
        Some(Wish {
            object: ObjectRef {
                kind: ObjectKind::Group,
                key: format!("{}:{}", group.tenant, group.name),
            },
            uid: group.uid.clone(),
            pool: PoolRef {
                tenant: group.tenant.clone(),
                network: group.network.clone(),
                group: Some(group.name.clone()),
            },
            pools: pools(network),
        })
    });
    networks.chain(groups).collect()
}

fn pools(network: &NetworkView) -> Vec<PoolConfig> {
    let v4 = PoolConfig {
        subnet: network.subnet.trunc().to_string(),
        gateway: network.gateway.map(|gateway| gateway.to_string()),
    };
    let v6 = network.ipv6_subnet.map(|subnet| PoolConfig {
        subnet: subnet.trunc().to_string(),
        gateway: network.ipv6_gateway.map(|gateway| gateway.to_string()),
    });
    [Some(v4), v6].into_iter().flatten().collect()
}

/// Whether a network bears a name that is given to those made for a Docker network:
/// its Docker network may not be bound yet, and there is to be no second one.
fn is_automatic(name: &str) -> bool {
    name.strip_prefix("docker-")
        .is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn new_network(wish: &Wish, name: String, driver: &str) -> NewNetwork {
    NewNetwork {
        name,
        check_duplicate: true,
        driver: driver.to_owned(),
        enable_ipv6: wish.pools.len() > 1,
        attachable: true,
        ipam: NewIpam {
            driver: driver.to_owned(),
            options: options(&wish.pool),
            config: wish.pools.clone(),
        },
        options: options(&wish.pool),
        labels: labels(&wish.uid, &wish.pool),
    }
}

fn name_taken(object: ObjectRef, other: &EngineNetwork) -> Problem {
    Problem {
        object,
        reason: "NameTaken".into(),
        message: format!(
            "the engine has a network {:?} of driver {} that is not Contiv's; \
             remove or rename it, or choose another name",
            other.name, other.driver
        ),
    }
}

#[cfg(test)]
mod tests;
