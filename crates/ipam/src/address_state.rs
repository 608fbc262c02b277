//! Who has an address, and what may become of it.
//!
//! An address without a record is free. Each call takes the record that there is and gives
//! the one that there is to be, or refuses, and then nothing changes:
//!
//! | call | free | tentative | bound | draining | gateway | auxiliary |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | [`request`], by a host | tentative | same, if its own | same, if its own | refused | refused | same, if its own |
//! | [`bind`], to an endpoint | bound | bound, if its host's | same, if its own | refused | refused | refused |
//! | [`hold`], for a Docker network | auxiliary | auxiliary, if its host's | refused | refused | refused | same, if its own |
//! | [`release`], by a host | free | free, if its own | unmoved | unmoved | unmoved | unmoved |
//! | [`expire`] | free | free | unmoved | unmoved | unmoved | unmoved |
//! | [`let_go`], by a Docker network | free | unmoved | unmoved | unmoved | unmoved | free, if its own |
//! | [`unbind`], from an endpoint | free | unmoved | draining, if its own | unmoved | unmoved | unmoved |
//! | [`settle`] | free | unmoved | unmoved | free, if no host is awaited | unmoved | unmoved |
//!
//! A release is a hint: engines release addresses of containers that still run. Only what no
//! endpoint and no Docker network has taken goes by it. The gateway's goes with its network.
//!
//! [`request`]: AddressState::request
//! [`bind`]: AddressState::bind
//! [`hold`]: AddressState::hold
//! [`release`]: AddressState::release
//! [`expire`]: AddressState::expire
//! [`let_go`]: AddressState::let_go
//! [`unbind`]: AddressState::unbind
//! [`settle`]: AddressState::settle

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
    },
    /// An endpoint's.
    Bound { endpoint: String, host: String },
    /// Was an endpoint's; these hosts may still have flows of it.
    Draining {
        endpoint: String,
        awaited: BTreeSet<String>,
    },
}

use AddressState::{Auxiliary, Bound, Draining, Gateway, Tentative};

impl AddressState {
    /// An engine of `host` asks for the address.
    pub fn request(
        current: Option<&AddressState>,
        host: &str,
        now: u64,
    ) -> Result<AddressState, Refusal> {
        match current {
            None => Ok(Tentative {
                host: host.to_owned(),
                since: now,
            }),
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
    ) -> Result<AddressState, Refusal> {
        let bound = Bound {
            endpoint: endpoint.to_owned(),
            host: host.to_owned(),
        };
        match current {
            None => Ok(bound),
            Some(Tentative { host: has, .. }) if has == host => Ok(bound),
            Some(state) if *state == bound => Ok(bound),
            Some(state) => Err(state.refuse()),
        }
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
            Some(Tentative { host: has, .. }) if has == host => Ok(held),
            Some(state) if *state == held => Ok(held),
            Some(state) => Err(state.refuse()),
        }
    }

    /// The engine of `host` says that it no longer needs the address.
    pub fn release(current: Option<AddressState>, host: &str) -> Option<AddressState> {
        current.filter(|state| !matches!(state, Tentative { host: has, .. } if has == host))
    }

    /// The time to make an endpoint of the address is over.
    pub fn expire(current: Option<AddressState>) -> Option<AddressState> {
        current.filter(|state| !matches!(state, Tentative { .. }))
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
            Some(Bound { endpoint: id, .. }) if id == endpoint => {
                let draining = Draining {
                    endpoint: id,
                    awaited,
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
                mut awaited,
            }) => {
                awaited.retain(|host| !dropped(host));
                (!awaited.is_empty()).then_some(Draining { endpoint, awaited })
            }
            other => other,
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
            Bound { endpoint, host } => write!(f, "endpoint {endpoint} on host {host}"),
            Draining { endpoint, .. } => write!(f, "endpoint {endpoint}, which is gone"),
        }
    }
}

#[cfg(test)]
mod tests;
