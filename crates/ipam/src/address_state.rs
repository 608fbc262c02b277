//! Who has an address, and what may become of it.
//!
//! An address without a record is free. Each call takes the record that there is and gives
//! the one that there is to be, or refuses, and then nothing changes:
//!
//! | call | free | tentative | bound | draining | gateway | auxiliary | reserved |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | [`request`], by a host | tentative | same, if its own | same, if its own | tentative, if its own | refused | same, if its own | same, if by a Swarm's node |
//! | [`bind`], to an endpoint | bound | bound, if its host's | same, if its own | bound, if its host's | refused | refused | bound, if to a Swarm's task |
//! | [`hand_on`], by an endpoint | none | another's, see below | another's, if its own | another's, if its own | none | none | none |
//! | [`hold`], for a Docker network | auxiliary | auxiliary, if its host's | refused | refused | refused | same, if its own | refused |
//! | [`release`], by a host | free | free or draining, if its own | unmoved | unmoved | unmoved | unmoved | unmoved |
//! | [`expire`] | free | free or draining | unmoved | unmoved | unmoved | unmoved | unmoved |
//! | [`let_go`], by a Docker network | free | unmoved | unmoved | unmoved | unmoved | free, if its own | unmoved |
//! | [`unbind`], from an endpoint | free | unmoved | draining, if its own | unmoved | unmoved | unmoved | unmoved |
//! | [`settle`] | free | unmoved | unmoved | free or reserved, if no host is awaited | unmoved | unmoved | unmoved |
//! | [`reserve`], by a Swarm | reserved | refused | see below | see below | refused | refused | see below |
//! | [`unreserve`], by a Swarm | free | unmoved | bound alone | draining alone | unmoved | unmoved | free |
//!
//! A release is a hint: engines release addresses of containers that still run. Only what no
//! endpoint and no Docker network has taken goes by it. The gateway's goes with its network.
//!
//! What drains is a host's own when that one alone is awaited: it applies the end of the old endpoint
//! before it hears of a new one. Until there is one the address still drains, beneath the grant: it
//! does so again when the grant ends, and who comes in the place of the old endpoint gets it.
//!
//! A Swarm reserves addresses for services and tasks before any host hears of them, and a node
//! asks for a task's again. So an address may be reserved and an endpoint's at once, and is free
//! when both have let it go, in whatever order. When a manager starts, or another one leads, it
//! reserves all that it has once more: it has what was reserved in an earlier life, and nothing
//! that was in this one.
//!
//! A task may outlive its endpoint's record: its host was away for too long, or was removed, and
//! returns. So what is reserved alone names the endpoint that had it last ([`was`]): to that one
//! the address is given back, and to no container that says so of an address that was free
//! meanwhile.
//!
//! [`request`]: AddressState::request
//! [`bind`]: AddressState::bind
//! [`hand_on`]: AddressState::hand_on
//! [`hold`]: AddressState::hold
//! [`release`]: AddressState::release
//! [`expire`]: AddressState::expire
//! [`let_go`]: AddressState::let_go
//! [`unbind`]: AddressState::unbind
//! [`settle`]: AddressState::settle
//! [`reserve`]: AddressState::reserve
//! [`unreserve`]: AddressState::unreserve
//! [`was`]: AddressState::was

mod reservation;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The record of an address that is not free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum AddressState {
    /// The network's gateway, for as long as there is the network.
    Gateway,
    /// Held for a Docker network by `--aux-address`.
    #[serde(rename_all = "camelCase")]
    Auxiliary {
        docker_network: String,
        host: String,
    },
    /// Given to an engine that has not made an endpoint of it yet.
    Tentative {
        host: String,
        /// When, in milliseconds since 1970.
        since: u64,
        /// For whom the host is still awaited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drains: Option<Past>,
    },
    /// An endpoint's.
    Bound {
        endpoint: String,
        host: String,
        /// Set while a Swarm's manager has it for the task as well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reserved: Option<Reservation>,
    },
    /// Was an endpoint's; these hosts may still have flows of it.
    Draining {
        endpoint: String,
        /// Where it was; records of earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        awaited: BTreeSet<String>,
        /// As in [`Bound`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reserved: Option<Reservation>,
    },
    /// A Swarm's, for a service or for a task that does not run.
    Reserved(Reservation),
}

pub use reservation::Reservation;

use AddressState::{Auxiliary, Bound, Draining, Gateway, Reserved, Tentative};

/// An endpoint that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    pub endpoint: String,
    /// Where it was; records of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// For whom a host asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum For {
    /// The engine's own containers.
    #[default]
    Engine,
    /// A Swarm's tasks, whose addresses its manager has reserved.
    Task,
}

impl AddressState {
    /// An engine of `host` asks for the address.
    pub fn request(
        current: Option<&AddressState>,
        host: &str,
        whom: For,
        now: u64,
    ) -> Result<AddressState, Refusal> {
        let tentative = |drains| {
            Ok(Tentative {
                host: host.to_owned(),
                since: now,
                drains,
            })
        };
        match current {
            None => tentative(None),
            Some(state) if state.drains_only_on(host) => tentative(state.past()),
            Some(state @ Reserved(_)) if whom == For::Task => Ok(state.clone()),
            Some(
                state @ (Tentative { host: has, .. }
                | Bound { host: has, .. }
                | Auxiliary { host: has, .. }),
            ) if has == host => Ok(state.clone()),
            Some(state) => Err(state.refuse()),
        }
    }

    /// An endpoint on `host` takes the address.
    pub fn bind(
        current: Option<&AddressState>,
        endpoint: &str,
        host: &str,
        whom: For,
    ) -> Result<AddressState, Refusal> {
        let bound = |reserved| {
            Ok(Bound {
                endpoint: endpoint.to_owned(),
                host: host.to_owned(),
                reserved,
            })
        };
        match current {
            None => bound(None),
            Some(Tentative { host: has, .. }) if has == host => bound(None),
            Some(state) if state.drains_only_on(host) => bound(None),
            Some(Reserved(reservation)) if whom == For::Task => bound(Some(Reservation {
                was: None,
                ..reservation.clone()
            })),
            Some(
                state @ Bound {
                    endpoint: id,
                    host: has,
                    ..
                },
            ) if id == endpoint && has == host => Ok(state.clone()),
            Some(state) => Err(state.refuse()),
        }
    }

    /// An endpoint of `host` gives its address to the one that comes in its place there, with the
    /// reservation that a Swarm's manager may have of it; none unless it has the address, or had
    /// it last and it still drains: whoever sends there meets the new one.
    pub fn hand_on(
        current: Option<&AddressState>,
        endpoint: &str,
        host: &str,
        next: &str,
    ) -> Option<AddressState> {
        let (id, has, reserved) = match current? {
            Bound {
                endpoint,
                host,
                reserved,
            } => (endpoint, Some(host), reserved),
            Draining {
                endpoint,
                host,
                reserved,
                ..
            } => (endpoint, host.as_ref(), reserved),
            Tentative {
                host: has,
                drains: Some(Past { endpoint, host }),
                ..
            } => (endpoint, host.as_ref().filter(|host| *host == has), &None),
            _ => return None,
        };
        (id == endpoint && has.is_some_and(|has| has == host)).then(|| Bound {
            endpoint: next.to_owned(),
            host: host.to_owned(),
            reserved: reserved.clone(),
        })
    }

    /// A Docker network of `host` takes the address for itself.
    pub fn hold(
        current: Option<&AddressState>,
        docker_network: &str,
        host: &str,
    ) -> Result<AddressState, Refusal> {
        let held = Auxiliary {
            docker_network: docker_network.to_owned(),
            host: host.to_owned(),
        };
        match current {
            None => Ok(held),
            Some(Tentative {
                host: has,
                drains: None,
                ..
            }) if has == host => Ok(held),
            Some(state) if *state == held => Ok(held),
            Some(state) => Err(state.refuse()),
        }
    }

    /// The engine of `host` says that it no longer needs the address.
    pub fn release(current: Option<AddressState>, host: &str) -> Option<AddressState> {
        match &current {
            Some(Tentative { host: has, .. }) if has == host => AddressState::expire(current),
            _ => current,
        }
    }

    /// The time to make an endpoint of the address is over.
    pub fn expire(current: Option<AddressState>) -> Option<AddressState> {
        match current {
            Some(Tentative { host, drains, .. }) => drains.map(|past| past.draining(host)),
            other => other,
        }
    }

    /// The Docker network that held the address on `host` is gone.
    pub fn let_go(
        current: Option<AddressState>,
        docker_network: &str,
        host: &str,
    ) -> Option<AddressState> {
        current.filter(|state| {
            !matches!(state, Auxiliary { docker_network: id, host: has }
                if id == docker_network && has == host)
        })
    }

    /// The endpoint is gone; `awaited` are the hosts that may have flows of it.
    pub fn unbind(
        current: Option<AddressState>,
        endpoint: &str,
        awaited: BTreeSet<String>,
    ) -> Option<AddressState> {
        match current {
            Some(Bound {
                endpoint: id,
                host,
                reserved,
            }) if id == endpoint => {
                let draining = Draining {
                    endpoint: id,
                    host: Some(host),
                    awaited,
                    reserved,
                };
                AddressState::settle(Some(draining), |_| false)
            }
            other => other,
        }
    }

    /// Hosts have dropped flows, or are gone for good: `dropped` says which.
    pub fn settle(
        current: Option<AddressState>,
        dropped: impl Fn(&str) -> bool,
    ) -> Option<AddressState> {
        match current {
            Some(Draining {
                endpoint,
                host,
                mut awaited,
                reserved,
            }) => {
                awaited.retain(|host| !dropped(host));
                if awaited.is_empty() {
                    return reserved.map(|known| {
                        let was = Some(endpoint);
                        Reserved(Reservation { was, ..known })
                    });
                }
                Some(Draining {
                    endpoint,
                    host,
                    awaited,
                    reserved,
                })
            }
            other => other,
        }
    }

    /// Whether only this host may still have flows of the endpoint that is gone.
    pub fn drains_only_on(&self, host: &str) -> bool {
        match self {
            Draining {
                awaited,
                reserved: None,
                ..
            } => awaited.iter().all(|awaited| awaited == host),
            _ => false,
        }
    }

    fn past(&self) -> Option<Past> {
        match self {
            Draining { endpoint, host, .. } => Some(Past {
                endpoint: endpoint.clone(),
                host: host.clone(),
            }),
            _ => None,
        }
    }

    /// Why nobody else gets the address.
    fn refuse(&self) -> Refusal {
        match self {
            Draining { awaited, .. } => Refusal::Draining {
                hosts: awaited.iter().cloned().collect(),
            },
            state => Refusal::Held {
                owner: state.to_string(),
            },
        }
    }
}

impl Past {
    /// The address while one host alone is awaited.
    fn draining(self, awaited: String) -> AddressState {
        Draining {
            endpoint: self.endpoint,
            host: self.host,
            awaited: [awaited].into(),
            reserved: None,
        }
    }
}

impl fmt::Display for AddressState {
    /// The owner, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gateway => f.write_str("the network, as its gateway"),
            Auxiliary {
                docker_network,
                host,
            } => write!(f, "Docker network {docker_network} of host {host}"),
            Tentative { host, .. } => write!(f, "the engine of host {host}, for a new endpoint"),
            Bound { endpoint, host, .. } => write!(f, "endpoint {endpoint} on host {host}"),
            Draining { endpoint, .. } => write!(f, "endpoint {endpoint}, which is gone"),
            Reserved(_) => f.write_str("a Swarm, for a service or a task"),
        }
    }
}

#[cfg(test)]
mod tests;
