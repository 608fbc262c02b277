//! Addresses before there is an endpoint: the requests of an engine.

use std::net::IpAddr;

use contiv_ipam::{AddressState, Family, For, Reservation};
use contiv_model::agent::{AddressGrant, AddressRelease, AddressRequest, Asker, PoolRef};

use super::adopt;
use crate::decision::{Decided, Draft, settled};
use crate::image::{Image, KnownNetwork};
use crate::key::Key;
use crate::refusal::Refusal;

/// Grants an address to a host; it is tentative until an endpoint is made of it.
///
/// 1. An address that is asked for must be one of the pool, and free or the host's own.
/// 2. Otherwise it is the lowest free one of the pool.
/// 3. An address that drains, and only this very host is awaited, is free to it when it
///    is asked for or when nothing else is left: the host applies the end of the old
///    endpoint before it hears of a new one. So a restart keeps its `--ip`, and a pool
///    of one address is enough for one container.
/// 4. A Swarm's manager reserves instead: what it has stays its own until it lets it go.
pub fn request_address(
    image: &Image,
    time: u64,
    host: &str,
    request: &AddressRequest,
) -> Decided<AddressGrant> {
    let place = Place::of(image, &request.pool)?;
    let address = match request.address {
        Some(wish) if wish.is_ipv6() != request.ipv6 => {
            let message = format!("{wish} is not of the address family that is asked for");
            return Err(Refusal::invalid("address", message));
        }
        Some(wish) => wish,
        None => place.lowest(host, request.ipv6)?,
    };
    let before = place.state(address)?;
    let asked = match &request.by {
        Asker::Engine => AddressState::request(before, host, For::Engine, time),
        Asker::Node => AddressState::request(before, host, For::Task, time),
        Asker::Manager { life } => {
            let wish = Reservation {
                life: life.clone(),
                since: time,
                was: None,
            };
            AddressState::reserve(before, wish, |life| lives(image, life))
        }
    };
    let state = asked.map_err(|r| held(address, &r))?;
    let grant = AddressGrant {
        address,
        prefix_len: place.prefix_len(address),
    };
    if before == Some(&state) {
        return Ok(settled(grant));
    }
    adopt::check(image)?;
    let mut draft = place.draft();
    draft.put(&place.key(address), &state);
    Ok(draft.answer(grant))
}

/// Takes back what was granted. Engines release addresses of containers that still run
/// and gateways that others share, so this frees only what is tentative on the same host,
/// and what a Swarm's manager itself has reserved.
pub fn release_address(image: &Image, host: &str, release: &AddressRelease) -> Decided<()> {
    let PoolRef {
        tenant, network, ..
    } = &release.pool;
    let Some(network) = image.network(&format!("{tenant}:{network}")) else {
        return Ok(settled(()));
    };
    let number = network.record.number;
    let before = image.address(number, release.address);
    let state = before.cloned();
    let after = match &release.by {
        Asker::Engine | Asker::Node => AddressState::release(state, host),
        Asker::Manager { life } => {
            AddressState::unreserve(state, |r| r.life == *life || !lives(image, &r.life))
        }
    };
    if before == after.as_ref() {
        return Ok(settled(()));
    }
    let mut draft = Draft::new(image);
    draft.replace(&Key::Address(number, release.address), after.as_ref());
    Ok(draft.answer(()))
}

/// Whether some Swarm's network is in this life of its manager.
pub(super) fn lives(image: &Image, life: &str) -> bool {
    let mut swarms = image.docker_networks().filter_map(|d| d.swarm.as_ref());
    swarms.any(|swarm| swarm.life == life)
}

/// Where addresses come from: a network, or a group of it.
pub(super) struct Place<'a> {
    image: &'a Image,
    pool: &'a PoolRef,
    pub(super) network: &'a KnownNetwork,
}

impl<'a> Place<'a> {
    pub(super) fn of(image: &'a Image, pool: &'a PoolRef) -> Result<Place<'a>, Refusal> {
        let network = image.pool_network(pool)?;
        Ok(Place {
            image,
            pool,
            network,
        })
    }

    /// A transaction that takes something of this place.
    pub(super) fn draft(&self) -> Draft<'a> {
        let mut draft = Draft::new(self.image);
        draft.rely_on(&Key::Network(self.network.record.object.key.clone()));
        if let Some(group) = &self.pool.group {
            draft.rely_on(&Key::Group(format!("{}:{group}", self.pool.tenant)));
        }
        // A group that comes takes addresses of the network's pool away.
        draft.rely_on(&Key::NetworkGuard(self.number()));
        draft
    }

    pub(super) fn key(&self, address: IpAddr) -> Key {
        Key::Address(self.number(), address)
    }

    /// Who has the address; refuses one that the pool does not have.
    pub(super) fn state(&self, address: IpAddr) -> Result<Option<&'a AddressState>, Refusal> {
        self.check_inside(address)?;
        Ok(self.image.address(self.number(), address))
    }

    /// The lowest address that the host may have.
    pub(super) fn lowest(&self, host: &str, ipv6: bool) -> Result<IpAddr, Refusal> {
        let family = match ipv6 {
            false => Family::Ipv4,
            true => Family::Ipv6,
        };
        let Some(pool) = self.image.pool(self.pool, family) else {
            let message = format!("network {} has no IPv6 subnet", self.network.parsed.name);
            return Err(Refusal::invalid("ipv6", message));
        };
        let free = self.image.lowest_free(self.number(), &pool);
        let reusable = || {
            let mut known = self.image.addresses_within(self.number(), pool.span());
            let draining = known
                .find(|(address, state)| pool.contains(*address) && state.drains_only_on(host));
            draining.map(|(address, _)| address)
        };
        free.or_else(reusable).ok_or_else(|| {
            let message = format!(
                "every address of {} is in use; remove containers, or use another network",
                self.name()
            );
            Refusal::conflict("address", message)
        })
    }

    fn check_inside(&self, address: IpAddr) -> Result<(), Refusal> {
        let pool = self.image.pool(self.pool, Family::of(address));
        match pool {
            Some(pool) if pool.contains(address) => Ok(()),
            Some(pool) => {
                let message = format!(
                    "{address} is not one of the addresses of {}, {pool}; choose one of them",
                    self.name()
                );
                Err(Refusal::invalid("address", message))
            }
            None => {
                let message = format!("network {} has no IPv6 subnet", self.network.parsed.name);
                Err(Refusal::invalid("address", message))
            }
        }
    }

    fn prefix_len(&self, address: IpAddr) -> u8 {
        match (address, self.network.parsed.ipv6_subnet) {
            (IpAddr::V6(_), Some(net)) => net.prefix_len(),
            _ => self.network.parsed.subnet.net.prefix_len(),
        }
    }

    fn number(&self) -> u32 {
        self.network.record.number
    }

    fn name(&self) -> String {
        let PoolRef {
            tenant,
            network,
            group,
        } = self.pool;
        match group {
            Some(group) => format!("group {tenant}:{group}"),
            None => format!("network {tenant}:{network}"),
        }
    }
}

pub(super) fn held(address: IpAddr, refusal: &contiv_ipam::Refusal) -> Refusal {
    let message = format!("{address}: {refusal}");
    match refusal {
        contiv_ipam::Refusal::Draining { .. } => Refusal::draining("address", message),
        _ => Refusal::conflict("address", message),
    }
}
