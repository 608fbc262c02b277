//! Prefixes that no network may overlap.

use contiv_model::parsed::{NetworkType, ParsedNetwork};
use ipnet::IpNet;

use crate::image::{DEFAULT_TENANT, Image};
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Refuses a network that overlaps
///
/// 1. the private subnet, of which every endpoint has an address on its host;
/// 2. a prefix that a present host uses for itself, when the network is of tenant
///    `default` or for hosts: hosts route to it, and would cut themselves off. They
///    have no routes to other networks of other tenants;
/// 3. a network that hosts route to, when it is one itself, whosever it is: a host has
///    one table of routes.
pub(super) fn check(
    image: &Image,
    reports: &HostReports,
    network: &ParsedNetwork,
) -> Result<(), Refusal> {
    let ipv4 = ("subnet", IpNet::V4(network.subnet.net));
    let ipv6 = network
        .ipv6_subnet
        .map(|net| ("ipv6Subnet", IpNet::V6(net)));
    let subnets = || [Some(ipv4), ipv6].into_iter().flatten();
    if let Some(global) = image.global() {
        let private = IpNet::V4(global.parsed.pvt_subnet);
        if let Some((field, net)) = subnets().find(|(_, net)| overlap(*net, private)) {
            let message = format!(
                "{net} overlaps the private subnet {private}; choose another subnet, or another \
                 pvtSubnet of the global object"
            );
            return Err(Refusal::conflict(field, message));
        }
    }
    if !is_routed_to(network) {
        return Ok(());
    }
    for (name, other) in image.networks() {
        let other = &other.parsed;
        // What one tenant's networks share has been looked at.
        if other.tenant == network.tenant || !is_routed_to(other) {
            continue;
        }
        let v6 = other.ipv6_subnet.map(IpNet::V6);
        let theirs: Vec<IpNet> = [Some(IpNet::V4(other.subnet.net)), v6]
            .into_iter()
            .flatten()
            .collect();
        let hit = subnets().find(|(_, net)| theirs.iter().any(|other| overlap(*net, *other)));
        if let Some((field, net)) = hit {
            let message = format!(
                "{net} overlaps network {name}, and hosts reach both by their addresses: networks \
                 of tenant {DEFAULT_TENANT}, and infra networks; choose another subnet"
            );
            return Err(Refusal::conflict(field, message));
        }
    }
    for (host, report) in reports.live() {
        for taken in &report.taken {
            // A default route covers every subnet and takes none.
            let hit = subnets()
                .find(|(_, net)| taken.prefix.prefix_len() > 0 && overlap(*net, taken.prefix));
            if let Some((field, net)) = hit {
                let message = format!(
                    "{net} overlaps {} on host {host} ({}); choose another subnet, or free the \
                     prefix there",
                    taken.prefix, taken.by
                );
                return Err(Refusal::conflict(field, message));
            }
        }
    }
    Ok(())
}

/// Whether hosts have a route to the network.
fn is_routed_to(network: &ParsedNetwork) -> bool {
    network.tenant == DEFAULT_TENANT || network.nw_type == NetworkType::Infra
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}
