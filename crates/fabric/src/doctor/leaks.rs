//! Addresses that nobody uses, and that no master would free by itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use contiv_ipam::AddressState;
use contiv_model::doctor::Finding;

use crate::image::Image;
use crate::record::EndpointRecord;
use crate::reports::HostReports;

/// Something that holds addresses and does not live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leak {
    /// An endpoint of a host that no master knows.
    Endpoint { id: String, host: String },
    /// An address of an endpoint or of a Docker network that there is not, or one that waits for
    /// hosts that there are not.
    Address {
        network: String,
        address: IpAddr,
        why: String,
    },
}

impl Leak {
    /// For people.
    pub fn finding(&self, image: &Image) -> Finding {
        const REMEDY: &str = "netctl doctor --fix frees it";
        let finding = match self {
            Leak::Endpoint { id, host } => {
                let addresses = image.endpoint(id).into_iter();
                let addresses = addresses.flat_map(EndpointRecord::addresses);
                let addresses: Vec<String> = addresses.map(|a| a.to_string()).collect();
                let what = format!(
                    "{} is held for endpoint {id} of host {host}, which is not known",
                    addresses.join(" and ")
                );
                Finding::warning("leaked-address", what, REMEDY).about(id)
            }
            Leak::Address {
                network,
                address,
                why,
            } => {
                let what = format!("{address} of network {network} is held {why}");
                Finding::warning("leaked-address", what, REMEDY).about(address.to_string())
            }
        };
        finding.fixable()
    }
}

/// Everything that leaks. Tentative addresses and such as wait for a living host do not: they are
/// freed in time.
pub fn leaks(image: &Image, reports: &HostReports) -> Vec<Leak> {
    let unknown = |host: &str| image.host(host).is_none() && !reports.hosts.contains_key(host);
    let endpoints = image.endpoints().filter(|e| unknown(&e.host));
    let mut found: Vec<Leak> = endpoints
        .map(|endpoint| Leak::Endpoint {
            id: endpoint.id.clone(),
            host: endpoint.host.clone(),
        })
        .collect();
    for owner in image.addresses() {
        let Some(why) = why(image, owner.state, unknown) else {
            continue;
        };
        found.push(Leak::Address {
            network: format!("{}:{}", owner.tenant, owner.network),
            address: owner.address,
            why,
        });
    }
    found
}

fn why(image: &Image, state: &AddressState, unknown: impl Fn(&str) -> bool) -> Option<String> {
    match state {
        AddressState::Bound { endpoint, .. } => image
            .endpoint(endpoint)
            .is_none()
            .then(|| format!("for endpoint {endpoint}, which there is not")),
        AddressState::Auxiliary { docker_network, .. } => image
            .docker_network(docker_network)
            .is_none()
            .then(|| format!("for Docker network {docker_network}, which there is not")),
        AddressState::Draining { awaited, .. } => {
            let gone: BTreeSet<&str> = awaited
                .iter()
                .map(String::as_str)
                .filter(|host| unknown(host))
                .collect();
            let names: Vec<&str> = gone.into_iter().collect();
            (!names.is_empty()).then(|| {
                let names = names.join(", ");
                format!("until {names} has dropped its connections, which is not known")
            })
        }
        _ => None,
    }
}
