//! Which object an engine's network stands for.

use std::net::IpAddr;

use contiv_ipam::AddressState;
use contiv_model::agent::{DockerNetwork, PoolRef};

use crate::decision::{Decided, Draft, settled};
use crate::image::{Image, KnownNetwork};
use crate::key::Key;
use crate::refusal::Refusal;

/// Remembers what an engine's network stands for, and holds its auxiliary addresses.
///
/// A Swarm's network is one and the same on all hosts; whichever engine leads tells of it, and of
/// each new life of its allocator.
pub fn put_docker_network(image: &Image, binding: &DockerNetwork) -> Decided<()> {
    let known = image.docker_network(&binding.id);
    if let Some(known) = known {
        let life = |d: &DockerNetwork| d.swarm.as_ref().map(|swarm| swarm.life.clone());
        if known == binding || life(known).is_some() && life(known) == life(binding) {
            return Ok(settled(()));
        }
        check_host(known, &binding.host)?;
    }
    let pool = PoolRef {
        tenant: binding.tenant.clone(),
        network: binding.network.clone(),
        group: binding.group.clone(),
    };
    let network = image.pool_network(&pool)?;
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Network(network.record.object.key.clone()));
    draft.rely_on(&Key::NetworkGuard(network.record.number));
    if let Some(group) = &binding.group {
        draft.rely_on(&Key::Group(format!("{}:{group}", binding.tenant)));
    }
    if let Some(known) = known {
        // An equal address of another network is another address.
        let moved = (&known.tenant, &known.network) != (&binding.tenant, &binding.network);
        let dropped = |a: &&IpAddr| moved || !binding.aux_addresses.contains(a);
        for address in known.aux_addresses.iter().filter(dropped) {
            release(&mut draft, image, known, *address);
        }
    }
    for address in &binding.aux_addresses {
        hold(&mut draft, image, network, binding, *address)?;
    }
    draft.put(&Key::DockerNetwork(binding.id.clone()), binding);
    Ok(draft.answer(()))
}

/// Forgets an engine's network and frees its auxiliary addresses.
pub fn delete_docker_network(image: &Image, host: &str, id: &str) -> Decided<()> {
    let Some(known) = image.docker_network(id) else {
        return Ok(settled(()));
    };
    check_host(known, host)?;
    let mut draft = Draft::new(image);
    forget(&mut draft, image, known);
    Ok(draft.answer(()))
}

/// Deletes a binding and frees its auxiliary addresses.
pub(super) fn forget(draft: &mut Draft<'_>, image: &Image, known: &DockerNetwork) {
    for address in &known.aux_addresses {
        release(draft, image, known, *address);
    }
    if let Some(swarm) = &known.swarm {
        let_go(draft, image, known, &swarm.life);
    }
    draft.delete(&Key::DockerNetwork(known.id.clone()));
}

/// Deletes what Swarms have of an object that goes: `group` of the network, or all of it.
pub(super) fn forget_swarms(
    draft: &mut Draft<'_>,
    image: &Image,
    (tenant, network): (&str, &str),
    group: Option<&str>,
) {
    let of = |d: &&DockerNetwork| {
        d.swarm.is_some()
            && (d.tenant.as_str(), d.network.as_str()) == (tenant, network)
            && (group.is_none() || d.group.as_deref() == group)
    };
    for known in image.docker_networks().filter(of) {
        forget(draft, image, known);
    }
}

/// Frees what a Swarm's network has reserved; what endpoints have stays theirs.
fn let_go(draft: &mut Draft<'_>, image: &Image, known: &DockerNetwork, life: &str) {
    let Some(network) = image.network(&format!("{}:{}", known.tenant, known.network)) else {
        return;
    };
    let number = network.record.number;
    for (address, state) in image.addresses_of(number) {
        if state.reservation().is_some_and(|r| r.life == life) {
            let after = AddressState::unreserve(Some(state.clone()), |_| true);
            draft.replace(&Key::Address(number, address), after.as_ref());
        }
    }
}

fn check_host(known: &DockerNetwork, host: &str) -> Result<(), Refusal> {
    if known.host == host || known.swarm.is_some() {
        return Ok(());
    }
    let message = format!(
        "Docker network {} is one of host {}, not of {host}",
        known.id, known.host
    );
    Err(Refusal::conflict("host", message))
}

fn hold(
    draft: &mut Draft<'_>,
    image: &Image,
    network: &KnownNetwork,
    binding: &DockerNetwork,
    address: IpAddr,
) -> Result<(), Refusal> {
    let inside = match address {
        IpAddr::V4(ipv4) => network.parsed.subnet.has_host(ipv4),
        IpAddr::V6(ipv6) => {
            let subnet = network.parsed.ipv6_subnet;
            subnet.is_some_and(|net| net.contains(&ipv6) && net.network() != ipv6)
        }
    };
    if !inside {
        let message = format!(
            "{address} is not an address of network {}; choose one of its subnet",
            network.parsed.name
        );
        return Err(Refusal::invalid("auxAddresses", message));
    }
    let number = network.record.number;
    let held = AddressState::hold(image.address(number, address), &binding.id, &binding.host)
        .map_err(|refusal| Refusal::conflict("auxAddresses", format!("{address}: {refusal}")))?;
    draft.put(&Key::Address(number, address), &held);
    Ok(())
}

/// The network may be gone, and its addresses with it, or another one have the name.
fn release(draft: &mut Draft<'_>, image: &Image, known: &DockerNetwork, address: IpAddr) {
    let Some(network) = image.network(&format!("{}:{}", known.tenant, known.network)) else {
        return;
    };
    let number = network.record.number;
    let state = image.address(number, address).cloned();
    if state.is_some() && AddressState::let_go(state, &known.id, &known.host).is_none() {
        draft.delete(&Key::Address(number, address));
    }
}
