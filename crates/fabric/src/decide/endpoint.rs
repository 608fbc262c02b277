//! Endpoints: one interface of one container.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_ipam::AddressState;
use contiv_model::agent::{EndpointRequest, EndpointView, Mac, PoolRef};

use super::address::{Place, held};
use crate::decision::{Decided, Draft, settled};
use crate::image::{DEFAULT_TENANT, Image};
use crate::key::Key;
use crate::record::EndpointRecord;
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Makes an endpoint, or answers again for the same one. Addresses that were granted
/// to the host become bound to it; absent ones are the lowest free ones.
pub fn put_endpoint(
    image: &Image,
    time: u64,
    host: &str,
    id: &str,
    request: &EndpointRequest,
) -> Decided<EndpointView> {
    if id.is_empty() {
        return Err(Refusal::invalid("id", "the endpoint has no id; give one"));
    }
    if let Some(known) = image.endpoint(id) {
        return repeat(known, host, request);
    }
    let place = Place::of(image, &request.pool)?;
    let ipv4 = match request.ipv4 {
        Some(wish) => wish,
        None => lowest_ipv4(&place, host)?,
    };
    let ipv6 = match (request.ipv6, place.network.parsed.ipv6_subnet) {
        (Some(wish), _) => Some(wish),
        (None, Some(_)) => Some(lowest_ipv6(&place, host)?),
        (None, None) => None,
    };
    let PoolRef {
        tenant,
        network,
        group,
    } = request.pool.clone();
    let record = EndpointRecord {
        created: time,
        id: id.to_owned(),
        tenant,
        network,
        group,
        host: host.to_owned(),
        ipv4,
        ipv6,
        mac: mac(request.mac, ipv4)?,
    };
    let mut draft = place.draft();
    for address in record.addresses() {
        let bound = AddressState::bind(place.state(host, address)?, id, host)
            .map_err(|refusal| held(address, &refusal))?;
        draft.put(&place.key(address), &bound);
    }
    draft.put(&Key::Endpoint(id.to_owned()), &record);
    Ok(draft.answer(record.view()))
}

/// Ends an endpoint that is gone from its host. Its addresses drain until every host
/// that knows of the tenant's endpoints has heard of it: they may still send there.
pub fn delete_endpoint(image: &Image, reports: &HostReports, host: &str, id: &str) -> Decided<()> {
    let Some(known) = image.endpoint(id) else {
        return Ok(settled(()));
    };
    check_host(known, host)?;
    let mut awaited: BTreeSet<String> = image.hosts_of(&known.tenant).map(str::to_owned).collect();
    if known.tenant == DEFAULT_TENANT {
        // Hosts belong to this tenant themselves, with or without a container of it.
        awaited.extend(reports.live().map(|(host, _)| host.to_owned()));
    }
    let mut draft = Draft::new(image);
    draft.delete(&Key::Endpoint(id.to_owned()));
    let network = image.network(&format!("{}:{}", known.tenant, known.network));
    for (network, address) in network
        .into_iter()
        .flat_map(|n| known.addresses().map(|address| (n.record.number, address)))
    {
        let key = Key::Address(network, address);
        let state = image.address(network, address).cloned();
        match AddressState::unbind(state, id, awaited.clone()) {
            Some(state) => draft.put(&key, &state),
            None => draft.delete(&key),
        }
    }
    Ok(draft.answer(()))
}

fn repeat(known: &EndpointRecord, host: &str, request: &EndpointRequest) -> Decided<EndpointView> {
    check_host(known, host)?;
    let PoolRef {
        tenant,
        network,
        group,
    } = &request.pool;
    let same = known.tenant == *tenant
        && known.network == *network
        && known.group == *group
        && request.ipv4.is_none_or(|ipv4| ipv4 == known.ipv4)
        && request.ipv6.is_none_or(|ipv6| Some(ipv6) == known.ipv6)
        && request.mac.is_none_or(|mac| mac == known.mac);
    if same {
        return Ok(settled(known.view()));
    }
    let message = format!(
        "endpoint {} exists in network {}:{} with address {}; delete it first",
        known.id, known.tenant, known.network, known.ipv4
    );
    Err(Refusal::conflict("id", message))
}

fn check_host(known: &EndpointRecord, host: &str) -> Result<(), Refusal> {
    if known.host == host {
        return Ok(());
    }
    let message = format!(
        "endpoint {} is one of host {}, not of {host}",
        known.id, known.host
    );
    Err(Refusal::conflict("host", message))
}

fn lowest_ipv4(place: &Place<'_>, host: &str) -> Result<Ipv4Addr, Refusal> {
    match place.lowest(host, false)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => unreachable!("a pool of IPv4 has such addresses only"),
    }
}

fn lowest_ipv6(place: &Place<'_>, host: &str) -> Result<Ipv6Addr, Refusal> {
    match place.lowest(host, true)? {
        IpAddr::V6(address) => Ok(address),
        IpAddr::V4(_) => unreachable!("a pool of IPv6 has such addresses only"),
    }
}

fn mac(wish: Option<Mac>, ipv4: Ipv4Addr) -> Result<Mac, Refusal> {
    match wish {
        None => Ok(Mac::of_ipv4(ipv4)),
        Some(mac) if mac.0[0] & 1 == 0 && mac != Mac::default() => Ok(mac),
        Some(mac) => {
            let message = format!("{mac} is not the address of one interface; choose another");
            Err(Refusal::invalid("mac", message))
        }
    }
}
