//! What the calls of the engine share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_client::{Client, HostClient};
use contiv_model::agent::{DockerNetwork, EndpointRequest, EndpointView, PoolRef, Revision};
use ipnet::IpNet;
use tokio::time::timeout;

use crate::data_plane::SharedPlane;
use crate::departures::Departures;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::mirror::{DEFAULT_TENANT, Mirror};
use crate::replica::Replica;

/// The engine waits this long at most; then the call fails with a reason.
const LIMIT: Duration = Duration::from_secs(5);

/// How long an object may take from the master's answer to this host's mirror.
const NEWS: Duration = Duration::from_secs(1);

/// Answers the engine's calls. What it remembers beyond the mirror only makes
/// refusals better; losing it loses nothing.
pub struct Driver {
    pub host_name: String,
    pub client: Client,
    pub host: HostClient,
    /// The masters, for messages.
    pub masters: String,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub departures: Arc<Departures>,
    pub metrics: Arc<Metrics>,
    /// How long a call may take.
    pub limit: Duration,
    pub(super) memory: Mutex<Memory>,
}

/// What is known of calls of this run.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By endpoint: the revision that must be in the kernel before it may start.
    pub(super) grants: BTreeMap<String, Revision>,
    /// By sandbox: the endpoints in it.
    pub(super) sandboxes: BTreeMap<String, BTreeSet<String>>,
    /// By subnet: pools asked for by name, for which no network has been made yet.
    pub(super) named_pools: BTreeMap<IpNet, PoolRef>,
    /// By subnet: the life of the manager's allocator that has asked for the pool last.
    pub(super) swarm_pools: BTreeMap<IpNet, String>,
    /// Networks of the engine that stand for nothing any more.
    pub(super) unbound: BTreeSet<String>,
}

impl Driver {
    /// A driver for the host of this name.
    pub fn new(
        host_name: &str,
        client: Client,
        replica: Arc<Replica>,
        plane: SharedPlane,
        departures: Arc<Departures>,
        metrics: Arc<Metrics>,
    ) -> Result<Driver, Error> {
        let masters: Vec<String> = client.masters().iter().map(ToString::to_string).collect();
        Ok(Driver {
            host_name: host_name.to_owned(),
            host: client.host(host_name)?,
            masters: masters.join(", "),
            client,
            replica,
            plane,
            departures,
            metrics,
            limit: LIMIT,
            memory: Mutex::default(),
        })
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `look` finds in the mirror, at once or soon: news may still be on its way.
    pub(super) async fn find<T>(&self, mut look: impl FnMut(&Mirror) -> Option<T>) -> Option<T> {
        let mut changes = self.replica.changes();
        let search = async {
            loop {
                if let Some(found) = look(&self.replica.read()) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        timeout(NEWS, search).await.ok().flatten()
    }

    /// What a network of the engine stands for: by the mirror, else by the master.
    pub(super) async fn binding(&self, id: &str) -> Result<Option<DockerNetwork>, Error> {
        // The mirror hears a little later of what has ended here.
        let ended = self.memory().unbound.contains(id);
        let known = self.replica.read().docker_network(id).cloned();
        if let Some(known) = known.filter(|_| !ended) {
            return Ok(Some(known));
        }
        Ok(self.host.docker_network(id).await?)
    }

    /// An endpoint of this host that has ended, and whose addresses another of the same pool
    /// may use while no master can be reached.
    pub(super) fn held(&self, pool: &PoolRef, wish: Option<IpAddr>) -> Option<EndpointView> {
        let departing = self.departures.ids();
        let mirror = self.replica.read();
        let orphans = &self.departures.orphans;
        orphans.replaceable(&mirror, &self.host_name, pool, wish, &departing)
    }

    /// Puts an endpoint in the place of such a one; none if there is none.
    pub(super) fn take_over(&self, id: &str, wish: &EndpointRequest) -> Option<EndpointView> {
        let (departing, address) = (self.departures.ids(), wish.ipv4.map(IpAddr::from));
        let orphans = &self.departures.orphans;
        // Held until it is done: who hears of the old one's end finds the new one.
        let mirror = self.replica.read();
        let old = orphans.replaceable(&mirror, &self.host_name, &wish.pool, address, &departing)?;
        Some(orphans.replace(id, &old, wish.mac))
    }

    /// Takes note of an address that masters have given; tells the endpoint that has it already.
    pub(super) fn given(&self, pool: &PoolRef, address: IpAddr) -> Option<String> {
        let departing = self.departures.ids();
        let orphans = &self.departures.orphans;
        orphans.given(&self.replica.read(), &departing, pool, address)
    }

    /// The pool that options name, `default` being the tenant that goes without saying, or
    /// that has the tag they give; none when they name nothing of ours.
    pub(super) async fn named<'a>(
        &self,
        option: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Option<PoolRef>, Error> {
        if let Some(tag) = option("contiv-tag") {
            let found = self.find(|mirror| mirror.tagged(tag)).await;
            return found.map(Some).ok_or_else(|| {
                self.unless_untold(format!(
                    "no group and no network has the tag {tag:?}; see `netctl group inspect` for \
                     tags"
                ))
            });
        }
        let tenant = option("tenant");
        let (network, group) = (option("network"), option("group").map(str::to_owned));
        let tenant_name = tenant.unwrap_or(DEFAULT_TENANT).to_owned();
        let network = match (network, &group) {
            (Some(network), _) => network.to_owned(),
            (None, Some(group)) => {
                let found = self
                    .find(|m| m.group(&tenant_name, group).map(|g| g.network.clone()))
                    .await;
                found.ok_or_else(|| self.unknown("group", group, &tenant_name))?
            }
            (None, None) if tenant.is_some() => {
                return Err(Error::Refused(format!(
                    "option tenant={tenant_name} is given without network or group"
                )));
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(PoolRef {
            tenant: tenant_name,
            network,
            group,
        }))
    }

    /// The reason for names that this host has not heard of.
    pub(super) fn unknown(&self, what: &str, name: &str, tenant: &str) -> Error {
        self.unless_untold(format!(
            "this host knows no {what} {name:?} of tenant {tenant:?}; \
             create it with netctl, or wait for the master to answer"
        ))
    }

    /// The reason why something is not in the mirror, for a host that has heard from a master:
    /// one that has not knows nothing, and says whom it asks.
    pub(super) fn unless_untold(&self, reason: String) -> Error {
        if self.replica.read().is_complete() {
            return Error::Refused(reason);
        }
        Error::Untold {
            masters: self.masters.clone(),
        }
    }
}
