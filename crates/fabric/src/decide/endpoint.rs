//! Endpoints: one interface of one container.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_ipam::{AddressState, For};
use contiv_model::agent::{EndpointRequest, EndpointView, Foothold, Mac, PoolRef};

use super::address::{Place, held};
use super::{adopt, foothold};
use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::Key;
use crate::record::EndpointRecord;
use crate::refusal::Refusal;

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
    foothold::check(image, place.network, host, id)?;
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
        boot_id: match Foothold::is_id(id) {
            // It is the host's, in each boot.
            true => String::new(),
            false => image
                .host(host)
                .map(|h| h.boot_id.clone())
                .unwrap_or_default(),
        },
        ipv4,
        ipv6,
        mac: mac(request.mac, ipv4)?,
    };
    let mut draft = place.draft();
    if request.ipv4.is_none() || request.begins {
        // What lives on a host already names its addresses. What comes now has none of before, even
        // if the host has had the address until now: it may be another's, which is still to be told.
        adopt::check(image)?;
    }
    if image.host(host).is_some() {
        // A boot that begins meanwhile would end the endpoint at once.
        draft.rely_on(&Key::Host(host.to_owned()));
    }
    if let Some(old) = replaced(image, host, request, &record)? {
        draft.delete(&Key::Endpoint(old.id.clone()));
    }
    for address in record.addresses() {
        let state = place.state(address)?;
        let before = request.replaces.as_deref();
        let handed = before.and_then(|old| AddressState::hand_on(state, old, host, id));
        let bound = match handed {
            Some(handed) => handed,
            None => {
                let whom = whom(image, host, id, request, state);
                AddressState::bind(state, id, host, whom)
                    .map_err(|refusal| held(address, &refusal))?
            }
        };
        draft.put(&place.key(address), &bound);
    }
    draft.put(&Key::Endpoint(id.to_owned()), &record);
    Ok(draft.answer(record.view()))
}

/// Ends an endpoint that is gone from its host. Its addresses drain until every host
/// that knows of the tenant's endpoints has heard of it: they may still send there.
pub fn delete_endpoint(image: &Image, host: &str, id: &str) -> Decided<()> {
    let Some(known) = image.endpoint(id) else {
        return Ok(settled(()));
    };
    check_host(known, host)?;
    if Foothold::is_id(id) {
        // It ends with the network or with the host, and by nobody's word.
        return Ok(settled(()));
    }
    let mut draft = Draft::new(image);
    end(&mut draft, image, known);
    Ok(draft.answer(()))
}

/// Deletes an endpoint and has its addresses drain.
pub(super) fn end(draft: &mut Draft<'_>, image: &Image, known: &EndpointRecord) {
    let awaited: BTreeSet<String> = image.hosts_of(&known.tenant).map(str::to_owned).collect();
    draft.delete(&Key::Endpoint(known.id.clone()));
    let network = image.network(&format!("{}:{}", known.tenant, known.network));
    for (network, address) in network
        .into_iter()
        .flat_map(|n| known.addresses().map(|address| (n.record.number, address)))
    {
        let key = Key::Address(network, address);
        let state = image.address(network, address).cloned();
        let after = AddressState::unbind(state, &known.id, awaited.clone());
        draft.replace(&key, after.as_ref());
    }
}

/// Whether an endpoint may have what a Swarm has reserved: a new task of it may, and whatever lives
/// on a host that tells of it again, which need not say whose it is.
///
/// 1. It, or the one in whose place it comes, had the address last.
/// 2. The store was restored, and the host is still to say what lives on it: the address may have
///    become the endpoint's after the snapshot.
fn whom(
    image: &Image,
    host: &str,
    id: &str,
    request: &EndpointRequest,
    state: Option<&AddressState>,
) -> For {
    let before = [Some(id), request.replaces.as_deref()];
    let returns = |state: &AddressState| before.into_iter().flatten().any(|id| state.was(id));
    let is_awaited = image.adoption().is_some_and(|a| a.hosts.contains(host));
    let adopted = request.ipv4.is_some() && is_awaited;
    match request.of_swarm || adopted || state.is_some_and(returns) {
        true => For::Task,
        false => For::Engine,
    }
}

/// The endpoint in whose place the new one comes: it is of the same host, network and
/// addresses, so that whoever sends there meets the new one and nothing has to drain.
fn replaced<'a>(
    image: &'a Image,
    host: &str,
    request: &EndpointRequest,
    new: &EndpointRecord,
) -> Result<Option<&'a EndpointRecord>, Refusal> {
    let Some(old) = request.replaces.as_ref().and_then(|id| image.endpoint(id)) else {
        return Ok(None);
    };
    check_host(old, host)?;
    let place = |e: &EndpointRecord| (e.tenant.clone(), e.network.clone(), e.ipv4, e.ipv6);
    if place(old) == place(new) {
        return Ok(Some(old));
    }
    let message = format!(
        "endpoint {} has other addresses than the one that is to replace it; delete it first",
        old.id
    );
    Err(Refusal::conflict("replaces", message))
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
