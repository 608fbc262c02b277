//! Running containers whose endpoint is nowhere any more: they have no link, and get none.
//!
//! An endpoint whose address is another's by now is closed ([`crate::Orphans`]), and its container
//! runs on until somebody starts it anew. That it does is to be told for as long, and an agent
//! that has started since knows nothing of it: masters and the kernel do not have the endpoint,
//! the engine alone does. An endpoint is told as lost when all of this holds:
//! 1. the engine says that a container which runs holds it, in a Docker network of ours;
//! 2. masters do not know it, nor is there anything to tell them of it;
//! 3. the kernel does not have it;
//! 4. so it has been for a while: an engine is quick to forget what it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use contiv_model::agent::{ObjectKind, ObjectRef, Problem};

use super::client::{EngineContainer, EngineNetwork};
use super::containers::ContainerFacts;
use super::labels::named_by;
use super::lasting::Lasting;
use crate::cnm::automatic_name;
use crate::mirror::{DEFAULT_TENANT, Mirror};
use crate::orphans::{ADDRESS_LOST, Orphans};

/// Longer than an engine lists a container after it has deleted its endpoints.
const WHILE: Duration = Duration::from_secs(5);

/// What a container that runs has in a network of ours, as its engine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The container's name.
    pub container: String,
    pub tenant: String,
    pub network: String,
    /// None if the engine does not tell.
    pub ipv4: Option<Ipv4Addr>,
}

/// Endpoints that containers alone have, and since when.
#[derive(Debug, Default)]
pub struct Lost {
    since: Lasting,
    told: BTreeSet<String>,
}

impl Lost {
    /// Whether containers hold anything that masters neither know nor are to be told of.
    pub fn suspects(mirror: &Mirror, orphans: &Orphans, held: &BTreeMap<String, Held>) -> bool {
        mirror.is_complete() && held.keys().any(|id| is_unknown(mirror, orphans, id))
    }

    /// Takes a look; answers with what is wrong. `kernel` has the ids of what the kernel holds.
    pub fn look(
        &mut self,
        mirror: &Mirror,
        orphans: &Orphans,
        held: &BTreeMap<String, Held>,
        kernel: &BTreeSet<String>,
        now: Instant,
    ) -> Vec<Problem> {
        let lost = |id: &String| is_unknown(mirror, orphans, id) && !kernel.contains(id);
        let complete = mirror.is_complete(); // What is absent may only not have come yet.
        let found = held.iter().filter(|(id, _)| complete && lost(id));
        let found: BTreeMap<_, _> = found.collect();
        self.since.note(found.keys().map(|id| id.as_str()), now);
        self.told.retain(|id| found.contains_key(id));
        let mut problems = Vec::new();
        for (id, held) in found {
            if !self.since.is_ripe(id, WHILE, now) {
                continue;
            }
            let problem = problem(mirror, id, held);
            if self.told.insert(id.clone()) {
                let message = &problem.message;
                tracing::warn!(endpoint = id, message, "a container has no link");
            }
            problems.push(problem);
        }
        problems
    }
}

/// One that was fenced by this agent is told by itself, with what masters said.
fn is_unknown(mirror: &Mirror, orphans: &Orphans, id: &str) -> bool {
    mirror.endpoint(id).is_none() && orphans.get(id).is_none() && !orphans.has_fenced(id)
}

fn problem(mirror: &Mirror, id: &str, held: &Held) -> Problem {
    let Held {
        container,
        tenant,
        network,
        ipv4,
    } = held;
    let address = ipv4.map_or_else(|| "an address".into(), |ipv4| ipv4.to_string());
    let mut endpoints = mirror.endpoints();
    let owner =
        endpoints.find(|e| (&e.tenant, &e.network) == (tenant, network) && Some(e.ipv4) == *ipv4);
    let owner = owner.map_or_else(String::new, |owner| {
        format!(
            ", and endpoint {} on host {} has the address",
            owner.id, owner.host
        )
    });
    Problem {
        object: ObjectRef {
            kind: ObjectKind::Endpoint,
            key: id.to_owned(),
        },
        reason: ADDRESS_LOST.into(),
        message: format!(
            "container {container} was given {address} in network {network} of tenant {tenant}, and has \
             lost it: masters do not know its endpoint{owner}; the endpoint is closed, start the \
             container anew"
        ),
    }
}

/// What containers hold of our Docker networks, by endpoint.
pub(super) fn held(
    mirror: &Mirror,
    driver: &str,
    networks: &[EngineNetwork],
    containers: &[EngineContainer],
    names: &BTreeMap<String, ContainerFacts>,
) -> BTreeMap<String, Held> {
    let place = |id: &str| -> Option<(String, String)> {
        if let Some(bound) = mirror.docker_network(id) {
            return Some((bound.tenant.clone(), bound.network.clone()));
        }
        // Its binding may have gone with what masters forgot.
        let network = networks.iter().find(|n| n.id == id && n.driver == driver)?;
        Some(match named_by(&network.options) {
            Some(pool) => (pool.tenant, pool.network),
            None => (DEFAULT_TENANT.to_owned(), automatic_name(id)),
        })
    };
    let mut held = BTreeMap::new();
    let all = containers.iter();
    for occupant in all.flat_map(|c| c.network_settings.networks.values()) {
        let Some(container) = names.get(&occupant.endpoint_id) else {
            continue;
        };
        if let Some((tenant, network)) = place(&occupant.network_id) {
            let of = Held {
                container: container.name.clone(),
                tenant,
                network,
                ipv4: occupant.ip_address.parse().ok(),
            };
            held.insert(occupant.endpoint_id.clone(), of);
        }
    }
    held
}

#[cfg(test)]
mod tests;
