//! Footholds: the hosts' own interfaces in `infra` networks.
//!
//! Every host that has registered has one in every such network. Masters give it, one
//! transaction each, and nothing but the end of the network or of the host takes it back: no
//! boot, no word of the host's, no time.

use contiv_model::agent::{EndpointRequest, EndpointView, Foothold, LINK_NAME, PoolRef};
use contiv_model::parsed::{NetworkType, ParsedNetwork};

use super::endpoint::put_endpoint;
use crate::decision::Decided;
use crate::image::{Image, KnownNetwork};
use crate::refusal::Refusal;

/// Names of links that every host has, or that Contiv makes.
const OF_OTHERS: [&str; 5] = ["lo", "contiv0", "contiv1", "contivvx0", "docker0"];

/// The host's foothold in the network: the one that it has, or a new one with the lowest free
/// address. A network or host that has gone meanwhile is refused.
pub fn give_foothold(image: &Image, time: u64, network: &str, host: &str) -> Decided<EndpointView> {
    let (tenant, name) = network.split_once(':').unwrap_or_default();
    let foothold = Foothold {
        tenant,
        network: name,
        host,
    };
    let request = EndpointRequest {
        pool: PoolRef {
            tenant: tenant.to_owned(),
            network: name.to_owned(),
            group: None,
        },
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    put_endpoint(image, time, host, &foothold.to_string(), &request)
}

/// The hosts that have no foothold yet, with the network's key; quick when there are none.
pub fn lacking_footholds(image: &Image) -> Vec<(String, String)> {
    let hosts = image.hosts().count();
    let mut lacking = Vec::new();
    for (key, network) in image.networks() {
        // Footholds alone are in it, each of a host that is known until its last one has ended.
        if network.parsed.nw_type != NetworkType::Infra
            || image.endpoints_of_network(key).count() == hosts
        {
            continue;
        }
        let without = image.hosts().filter(|host| {
            let (tenant, network) = (&network.parsed.tenant, &network.parsed.name);
            let foothold = Foothold {
                tenant,
                network,
                host: &host.name,
            };
            image.endpoint(&foothold.to_string()).is_none()
        });
        lacking.extend(without.map(|host| (key.to_owned(), host.name.clone())));
    }
    lacking
}

/// Refuses an endpoint that is not to be in the network: containers are in networks of their
/// own, and footholds of this host in `infra` networks.
pub(super) fn check(
    image: &Image,
    network: &KnownNetwork,
    host: &str,
    id: &str,
) -> Result<(), Refusal> {
    let parsed = &network.parsed;
    let foothold = Foothold {
        tenant: &parsed.tenant,
        network: &parsed.name,
        host,
    };
    let infra = parsed.nw_type == NetworkType::Infra;
    match (infra, Foothold::is_id(id)) {
        (false, false) => Ok(()),
        (true, _) if id == foothold.to_string() => match image.host(host) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(format!("host {host} is not known"))),
        },
        (true, _) => {
            let message = format!(
                "network {} is for the hosts themselves (infra), not for containers; choose another",
                parsed.name
            );
            Err(Refusal::conflict("network", message))
        }
        (false, true) => {
            let message = format!("{id} is the id of a host's interface in an infra network");
            Err(Refusal::invalid("id", message))
        }
    }
}

/// Refuses a network whose name cannot be that of a link on every host.
pub(super) fn check_network(image: &Image, network: &ParsedNetwork) -> Result<(), Refusal> {
    if network.nw_type != NetworkType::Infra {
        return Ok(());
    }
    let name = network.name.as_str();
    let refuse = |message: String| Err(Refusal::invalid("networkName", message));
    if name.len() > LINK_NAME {
        return refuse(format!(
            "{name} has more than {LINK_NAME} bytes, and each host's interface in an infra network \
             bears the network's name; choose a shorter one"
        ));
    }
    let of_endpoint = name
        .strip_prefix("cv")
        .or_else(|| name.strip_prefix("cc"))
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if OF_OTHERS.contains(&name) || of_endpoint {
        return refuse(format!(
            "hosts have interfaces that are named like {name}, and their one in an infra network \
             bears the network's name; choose another"
        ));
    }
    let mut others = image.networks().filter(|(_, other)| {
        other.parsed.nw_type == NetworkType::Infra && other.parsed.name == network.name
    });
    if let Some((other, _)) = others.next() {
        let message = format!(
            "network {other} has the name, and each host's interface in an infra network bears the \
             network's name; choose another"
        );
        return Err(Refusal::conflict("networkName", message));
    }
    Ok(())
}
