//! Endpoints of this host that masters do not know, and that hold on meanwhile.
//!
//! 1. While no master can be reached a container may start anew on an address that this
//!    host held: its endpoint comes in the place of one that has ended here, which masters
//!    still know.
//! 2. Masters may forget a host that was away for too long, with endpoints that live.
//!
//! Masters are told of both as soon as they can be. What they refuse, since the address is
//! another's by now, is fenced: it is closed here and said to be so. Nothing is moved to
//! another address, and nobody is left to believe that it still has the old one: when the agent
//! has started anew, the engine alone knows of it, and it is found by that (`docker::lost`).
//!
//! Masters may have heard of an end without this host having heard so. They keep the address from
//! others until the host has come as far as the end, and the host does not say that it has before
//! they know who has the address by now (`upstream::status`). To this host they give it sooner:
//! here nobody else takes it either.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_client::HostClient;
use contiv_model::agent::{
    EndpointRequest, EndpointView, Foothold, Mac, ObjectKind, ObjectRef, PoolRef, Problem,
};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::data_plane::{Attachment, EndpointFacts};
use crate::departures::Departures;
use crate::mirror::Mirror;
use crate::replica::Replica;

/// Why an endpoint is closed, in a word.
pub(crate) const ADDRESS_LOST: &str = "AddressLost";

/// Between tries while masters are away.
const AGAIN: Duration = Duration::from_millis(500);

/// An address that drains is refused for as long; then it is somebody else's.
const PATIENCE: Duration = Duration::from_secs(5);

/// The endpoints that masters are to hear of, by id.
#[derive(Debug, Default)]
pub struct Orphans {
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    orphans: BTreeMap<String, Orphan>,
    /// Why those were fenced that masters refused.
    fenced: BTreeMap<String, String>,
    /// Those that are ending, and whose addresses masters have given to others here.
    passed_on: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Orphan {
    view: EndpointView,
    /// The one that has ended here, and whose addresses this one has.
    replaces: Option<String>,
    refused: Option<Instant>,
}

impl Orphans {
    /// An endpoint that may use an address of this host's again: the one that asks for it
    /// replaces it. It has ended here, its pool is the same, and nobody has replaced it yet.
    pub(crate) fn replaceable(
        &self,
        mirror: &Mirror,
        host: &str,
        pool: &PoolRef,
        wish: Option<IpAddr>,
        departing: &BTreeSet<String>,
    ) -> Option<EndpointView> {
        let state = self.state();
        let taken: BTreeSet<&str> = state
            .orphans
            .values()
            .filter_map(|o| o.replaces.as_deref())
            .collect();
        let mut ended = departing.iter().filter_map(|id| mirror.endpoint(id));
        let fits = |e: &&EndpointView| {
            let own = (&e.tenant, &e.network, &e.group);
            e.host == host
                && own == (&pool.tenant, &pool.network, &pool.group)
                && !taken.contains(e.id.as_str())
                && !state.passed_on.contains(&e.id)
                && wish.is_none_or(|wish| e.addresses().any(|address| address == wish))
        };
        ended.find(fits).cloned()
    }

    /// Takes an endpoint in the place of one that has ended; no master could be told of it.
    pub(crate) fn replace(&self, id: &str, old: &EndpointView, mac: Option<Mac>) -> EndpointView {
        let view = EndpointView {
            id: id.to_owned(),
            mac: mac.unwrap_or_else(|| Mac::of_ipv4(old.ipv4)),
            ..old.clone()
        };
        let orphan = Orphan {
            view: view.clone(),
            replaces: Some(old.id.clone()),
            refused: None,
        };
        self.state().orphans.insert(id.to_owned(), orphan);
        self.more.notify_one();
        view
    }

    /// The endpoint that masters are still to hear of, and that has an address of the pool's network.
    pub(crate) fn holder(&self, pool: &PoolRef, address: IpAddr) -> Option<String> {
        let state = self.state();
        let mut orphans = state.orphans.values().map(|orphan| &orphan.view);
        let holder = orphans.find(|view| has(view, pool, address));
        holder.map(|view| view.id.clone())
    }

    /// Masters have given an address to this host: from now on it is nobody's to use again. Tells
    /// the other endpoint that has come to use it before.
    pub(crate) fn given(
        &self,
        mirror: &Mirror,
        departing: &BTreeSet<String>,
        pool: &PoolRef,
        address: IpAddr,
    ) -> Option<String> {
        let mut state = self.state();
        state.passed_on.retain(|id| mirror.endpoint(id).is_some());
        let ending = departing.iter().filter_map(|id| mirror.endpoint(id));
        let before = ending.filter(|view| has(view, pool, address));
        state.passed_on.extend(before.map(|view| view.id.clone()));
        drop(state);
        self.holder(pool, address)
    }

    /// Whether masters are still to hear of any.
    pub(crate) fn are_untold(&self, mirror: &Mirror) -> bool {
        let state = self.state();
        state.orphans.keys().any(|id| mirror.endpoint(id).is_none())
    }

    /// Takes in what containers use and a complete mirror lacks.
    pub(crate) fn notice(
        &self,
        mirror: &Mirror,
        host: &str,
        kernel: &BTreeMap<String, EndpointFacts>,
        departing: &BTreeSet<String>,
    ) {
        let mut state = self.state();
        state.orphans.retain(|id, _| mirror.endpoint(id).is_none());
        for (id, facts) in kernel {
            let ours = facts.attachment == Attachment::InUse && !departing.contains(id);
            let known = mirror.endpoint(id).is_some() || state.orphans.contains_key(id);
            // A foothold that was lost is not asked for again: masters give another.
            let lost = Foothold::is_id(id) && state.fenced.contains_key(id);
            if !ours || known || lost {
                continue;
            }
            let Some(view) = view(mirror, host, id, facts) else {
                continue;
            };
            tracing::warn!(endpoint = id, address = %view.ipv4, "masters do not know an endpoint");
            let same = |e: &&EndpointView| {
                let place = (&e.host, &e.tenant, &e.network, e.ipv4);
                place == (&view.host, &view.tenant, &view.network, view.ipv4)
                    && !kernel.contains_key(&e.id)
            };
            let replaces = mirror.endpoints().find(same).map(|e| e.id.clone());
            let orphan = Orphan {
                view,
                replaces,
                refused: None,
            };
            state.orphans.insert(id.clone(), orphan);
            self.more.notify_one();
        }
    }

    /// An endpoint that masters are to hear of.
    pub(crate) fn get(&self, id: &str) -> Option<EndpointView> {
        self.state().orphans.get(id).map(|o| o.view.clone())
    }

    /// Those that the mirror lacks.
    pub(crate) fn views(&self, mirror: &Mirror) -> Vec<EndpointView> {
        let mut state = self.state();
        // A foothold that was lost is whole again with the address that masters have given since.
        state
            .fenced
            .retain(|id, _| !Foothold::is_id(id) || mirror.endpoint(id).is_none());
        let lacking = state
            .orphans
            .iter()
            .filter(|(id, _)| mirror.endpoint(id).is_none());
        lacking.map(|(_, orphan)| orphan.view.clone()).collect()
    }

    /// Those that have ended here, and that others have replaced.
    pub(crate) fn replaced(&self) -> Vec<String> {
        let state = self.state();
        let orphans = state.orphans.values();
        orphans.filter_map(|o| o.replaces.clone()).collect()
    }

    /// Whether masters are to keep an endpoint's addresses for one that replaces it.
    pub(crate) fn keeps(&self, id: &str) -> bool {
        let state = self.state();
        let mut replaced = state.orphans.values().filter_map(|o| o.replaces.as_deref());
        replaced.any(|old| old == id)
    }

    /// The engine is done with the endpoint.
    pub(crate) fn forget(&self, id: &str) {
        let mut state = self.state();
        state.orphans.remove(id);
        state.fenced.remove(id);
    }

    /// Whether masters refused it to this agent.
    pub(crate) fn has_fenced(&self, id: &str) -> bool {
        self.state().fenced.contains_key(id)
    }

    /// What was fenced.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let state = self.state();
        let problem = |(id, why): (&String, &String)| Problem {
            object: ObjectRef {
                kind: ObjectKind::Endpoint,
                key: id.clone(),
            },
            reason: ADDRESS_LOST.into(),
            message: why.clone(),
        };
        state.fenced.iter().map(problem).collect()
    }

    /// Tells masters of orphans until the agent ends.
    pub async fn run(
        &self,
        host: HostClient,
        replica: &Replica,
        departures: &Departures,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let known = self.state().orphans.clone();
            let idle = known.is_empty();
            for (id, orphan) in known {
                let lacking = {
                    let mirror = replica.read();
                    mirror.is_complete() && mirror.endpoint(&id).is_none()
                };
                if lacking {
                    self.tell(&id, &orphan, &host, replica, departures).await;
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.more.notified() => {}
                () = tokio::time::sleep(AGAIN), if !idle => {}
            }
        }
    }

    async fn tell(
        &self,
        id: &str,
        orphan: &Orphan,
        host: &HostClient,
        replica: &Replica,
        departures: &Departures,
    ) {
        let EndpointView {
            tenant,
            network,
            group,
            ipv4,
            ipv6,
            mac,
            ..
        } = orphan.view.clone();
        let request = EndpointRequest {
            pool: PoolRef {
                tenant,
                network,
                group,
            },
            ipv4: Some(ipv4),
            ipv6,
            mac: Some(mac),
            replaces: orphan.replaces.clone(),
            // Nothing here tells a Swarm's task from others for sure. Masters know which endpoint had
            // an address last, and give it back what a Swarm has reserved.
            of_swarm: false,
            begins: false,
        };
        match host.put_endpoint(id, &request).await {
            Ok(grant) => {
                tracing::info!(endpoint = id, address = %ipv4, "masters know the endpoint now");
                let heard = replica.until_heard(grant.revision);
                let _ = tokio::time::timeout(PATIENCE, heard).await;
                // It may be gone again already, or the stream be broken: then it is told anew.
                let arrived = replica.read().endpoint(id).is_some();
                if arrived {
                    self.state().orphans.remove(id);
                    departures.wake();
                }
            }
            Err(error) if error.is_transient() || error.is_denied() => {
                tracing::debug!(endpoint = id, %error, "masters are not told of it yet");
            }
            Err(error) => self.refused(id, &orphan.view, &error.to_string(), replica, departures),
        }
    }

    fn refused(
        &self,
        id: &str,
        view: &EndpointView,
        why: &str,
        replica: &Replica,
        departures: &Departures,
    ) {
        let mut state = self.state();
        let Some(orphan) = state.orphans.get_mut(id) else {
            return; // The engine is done with it.
        };
        if orphan.refused.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return;
        }
        let message = format!(
            "{} in network {} of tenant {} was lost while this host was away: {why}; the endpoint \
             is closed, start its container anew",
            view.ipv4, view.network, view.tenant
        );
        tracing::error!(endpoint = id, message, "an endpoint is fenced");
        state.orphans.remove(id);
        state.fenced.insert(id.to_owned(), message);
        drop(state);
        if !Foothold::is_id(id) {
            departures.add(id);
            departures.wake();
        }
        replica.look_again();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has(view: &EndpointView, pool: &PoolRef, address: IpAddr) -> bool {
    (&view.tenant, &view.network) == (&pool.tenant, &pool.network)
        && view.addresses().any(|own| own == address)
}

/// What the kernel knows of an endpoint, by names.
fn view(mirror: &Mirror, host: &str, id: &str, facts: &EndpointFacts) -> Option<EndpointView> {
    let spec = facts.spec.as_ref()?;
    let tenant = mirror.tenants().find(|t| t.number == spec.tenant)?;
    let network = mirror.networks().find(|n| n.number == spec.network)?;
    let group = match spec.group {
        0 => None,
        number => Some(mirror.groups().find(|g| g.number == number)?.name.clone()),
    };
    Some(EndpointView {
        id: id.to_owned(),
        tenant: tenant.name.clone(),
        network: network.name.clone(),
        group,
        host: host.to_owned(),
        ipv4: spec.ipv4,
        ipv6: spec.ipv6,
        mac: Mac(spec.mac),
    })
}

#[cfg(test)]
mod tests;
