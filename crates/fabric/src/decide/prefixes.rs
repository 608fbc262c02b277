//! Prefixes that no network may overlap.

use contiv_model::parsed::ParsedNetwork;
use ipnet::IpNet;

use crate::image::{DEFAULT_TENANT, Image};
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Refuses a network that overlaps
///
/// 1. the private subnet, of which every endpoint has an address on its host;
/// 2. a prefix that a present host uses for itself, when the network is of tenant
///    `default`: hosts route to its networks, and would cut themselves off. They
///    have no routes to networks of other tenants.
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
    if network.tenant != DEFAULT_TENANT {
        return Ok(());
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

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}
