//! Networks.

use std::net::IpAddr;

use contiv_ipam::AddressState;
use contiv_model::agent::{Encap, Foothold};
use contiv_model::object::{Keyed, Network};
use contiv_model::parsed::ParsedNetwork;

use super::docker_network::forget_swarms;
use super::tenant::counted;
use super::{claim, expected, foothold, prefixes, room};
use crate::decision::{Decided, Draft, settled};
use crate::image::{Image, KnownNetwork};
use crate::key::{Key, Numbered};
use crate::record::{Guard, Meta, NetworkRecord, Stamp};
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Makes a network, with its number, its tag and its gateways' addresses. One that
/// exists stays as it is.
///
/// 1. Its tenant exists, and no group of the tenant has its name: both become Docker
///    networks.
/// 2. It shares no address with a network of its tenant, nor with what hosts use.
/// 3. Its tag, asked for or the lowest free one, is of the global range.
/// 4. Hosts have room for its subnets in the rules that name it already.
pub fn put_network(
    image: &Image,
    reports: &HostReports,
    stamp: &Stamp,
    network: &Network,
    expected: Option<u64>,
) -> Decided<Network> {
    let decision = put_network_anyway(image, reports, stamp, network, expected)?;
    let named = image.rules_by_peer(&decision.answer.key).next().is_some();
    match named && !decision.is_settled() {
        true => room::check_after(image, &network.tenant_name, decision),
        false => Ok(decision),
    }
}

/// As [`put_network`], whatever there is room for.
pub(super) fn put_network_anyway(
    image: &Image,
    reports: &HostReports,
    stamp: &Stamp,
    network: &Network,
    expected: Option<u64>,
) -> Decided<Network> {
    let parsed = network.parse()?;
    let mut object = network.clone();
    object.key = object.key_of_fields();
    let name = object.key.clone();
    let key = Key::Network(name.clone());
    expected::check(image, &key, expected)?;
    image.required_tenant(&parsed.tenant)?;
    if let Some(known) = image.network(&name) {
        return match difference(known, &parsed) {
            None => Ok(settled(known.record.object.clone())),
            Some(field) => {
                let message = format!(
                    "network {name} exists with another {field}, and networks cannot be changed; \
                     delete it and create it anew, or send it as it is"
                );
                Err(Refusal::conflict(field, message))
            }
        };
    }
    if image.group(&name).is_some() {
        let message = format!(
            "{name} is the name of a group, and both become Docker networks; choose another"
        );
        return Err(Refusal::conflict("networkName", message));
    }
    for (_, other) in image.networks_of(&parsed.tenant) {
        parsed
            .check_apart_from(&other.parsed)
            .map_err(Refusal::clash)?;
    }
    prefixes::check(image, reports, &parsed)?;
    foothold::check_network(image, &parsed)?;
    let global = image.required_global()?;
    parsed.check_tag(&global.parsed)?;

    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Global);
    draft.rely_on(&Key::Tenant(parsed.tenant.to_string()));
    draft.put(&Key::FabricGuard, &Guard {});
    draft.put(&Key::TenantGuard(parsed.tenant.to_string()), &Guard {});
    let range = match parsed.encap {
        Encap::Vlan => global.parsed.vlans,
        Encap::Vxlan => global.parsed.vxlans,
    };
    let tag = claim::tag(&mut draft, image, (parsed.encap, range), parsed.tag, &name)?;
    let number = claim::number(&mut draft, image, Numbered::Networks, &name)?;
    for gateway in gateways(&parsed) {
        draft.put(&Key::Address(number, gateway), &AddressState::Gateway);
    }
    let record = NetworkRecord {
        meta: Meta::from(stamp),
        number,
        tag,
        object,
    };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
}

/// Deletes a network that has neither groups nor endpoints of containers, with all it holds: the
/// hosts' own interfaces in it, too.
pub fn delete_network(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let decision = delete_network_anyway(image, name, expected)?;
    match image.network(name) {
        Some(known) if image.rules_by_peer(name).next().is_some() => {
            room::check_removal(image, known.parsed.tenant.as_str(), decision)
        }
        _ => Ok(decision),
    }
}

/// As [`delete_network`], whatever there is room for.
pub(super) fn delete_network_anyway(
    image: &Image,
    name: &str,
    expected: Option<u64>,
) -> Decided<()> {
    let key = Key::Network(name.to_owned());
    expected::check(image, &key, expected)?;
    let Some(known) = image.network(name) else {
        return Err(Refusal::not_found(format!("network {name} not found")));
    };
    let groups = image.groups_of_network(name).count();
    if groups > 0 {
        let message = format!(
            "network {name} still has {}; delete them first",
            counted(groups, "group")
        );
        return Err(Refusal::conflict("", message));
    }
    let (footholds, endpoints): (Vec<_>, Vec<_>) = image
        .endpoints_of_network(name)
        .partition(|endpoint| Foothold::is_id(&endpoint.id));
    let endpoints = endpoints.len();
    if endpoints > 0 {
        let message = format!(
            "network {name} still has {}; remove their containers first",
            counted(endpoints, "endpoint")
        );
        return Err(Refusal::conflict("", message));
    }
    let NetworkRecord { number, tag, .. } = known.record;
    let mut draft = Draft::new(image);
    draft.put(&Key::FabricGuard, &Guard {});
    draft.put(
        &Key::TenantGuard(known.parsed.tenant.to_string()),
        &Guard {},
    );
    draft.delete(&Key::NetworkGuard(number));
    // Who takes an address only compares the guard.
    draft.rely_on_range(Key::addresses(number));
    draft.delete(&Key::Number(Numbered::Networks, number));
    draft.delete(&Key::Tag(known.parsed.encap, tag));
    let of = (known.parsed.tenant.as_str(), known.parsed.name.as_str());
    forget_swarms(&mut draft, image, of, None);
    for foothold in footholds {
        draft.delete(&Key::Endpoint(foothold.id.clone()));
    }
    for (address, _) in image.addresses_of(number) {
        draft.delete(&Key::Address(number, address));
    }
    draft.delete(&key);
    Ok(draft.answer(()))
}

fn gateways(network: &ParsedNetwork) -> impl Iterator<Item = IpAddr> + use<> {
    let ipv4 = network.gateway.map(IpAddr::from);
    let ipv6 = network.ipv6_gateway.map(IpAddr::from);
    [ipv4, ipv6].into_iter().flatten()
}

/// The field in which the request differs from what there is. A tag that was chosen
/// for the network may be named or left open.
fn difference(known: &KnownNetwork, wish: &ParsedNetwork) -> Option<&'static str> {
    let ParsedNetwork {
        nw_type,
        encap,
        subnet,
        gateway,
        ipv6_subnet,
        ipv6_gateway,
        cfgd_tag,
        ..
    } = &known.parsed;
    [
        ("nwType", *nw_type != wish.nw_type),
        ("encap", *encap != wish.encap),
        (
            "pktTag",
            wish.tag.is_some_and(|tag| tag != known.record.tag),
        ),
        ("subnet", *subnet != wish.subnet),
        ("gateway", *gateway != wish.gateway),
        ("ipv6Subnet", *ipv6_subnet != wish.ipv6_subnet),
        ("ipv6Gateway", *ipv6_gateway != wish.ipv6_gateway),
        ("cfgdTag", *cfgd_tag != wish.cfgd_tag),
    ]
    .into_iter()
    .find_map(|(field, differs)| differs.then_some(field))
}
