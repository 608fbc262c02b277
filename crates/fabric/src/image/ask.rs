//! What decisions and views ask of an image.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use contiv_ipam::{AddressPool, AddressState, Family, RangeSet};
use contiv_model::agent::{Encap, PoolRef};

use super::index::members;
use super::{DEFAULT_TENANT, Image, Known, KnownGlobal, KnownNetwork};
use crate::key::Numbered;
use crate::record::TenantRecord;
use crate::refusal::Refusal;

impl Image {
    pub(crate) fn required_global(&self) -> Result<&KnownGlobal, Refusal> {
        let message = "the fabric has no global object yet; try again";
        let missing = || Refusal::conflict("", message);
        self.global().ok_or_else(missing)
    }

    pub(crate) fn required_tenant(&self, name: &str) -> Result<&TenantRecord, Refusal> {
        self.tenant(name).ok_or_else(|| {
            let message = format!("tenant {name} does not exist; create it first");
            Refusal::invalid("tenantName", message)
        })
    }

    /// The network that a pool's addresses are of; the pool's group must be in it.
    pub(crate) fn pool_network(&self, pool: &PoolRef) -> Result<&KnownNetwork, Refusal> {
        let key = format!("{}:{}", pool.tenant, pool.network);
        let network = self.network(&key).ok_or_else(|| {
            Refusal::not_found(format!("network {key} does not exist; create it first"))
        })?;
        if let Some(group) = &pool.group {
            let group = format!("{}:{group}", pool.tenant);
            let known = self.group(&group).ok_or_else(|| {
                Refusal::not_found(format!("group {group} does not exist; create it first"))
            })?;
            if known.parsed.network != *pool.network {
                let message = format!(
                    "group {group} is in network {}, not in {}",
                    known.parsed.network, pool.network
                );
                return Err(Refusal::conflict("network", message));
            }
        }
        Ok(network)
    }

    /// The addresses that a network or a group may give; none without such a subnet.
    ///
    /// 1. A group with a pool has its addresses, and no others of that family.
    /// 2. Everybody else has those of the network that are in no group's pool.
    pub(crate) fn pool(&self, of: &PoolRef, family: Family) -> Option<AddressPool> {
        let key = format!("{}:{}", of.tenant, of.network);
        let parsed = &self.network(&key)?.parsed;
        if family == Family::Ipv6 {
            let net = parsed.ipv6_subnet?;
            // A subnet's first address names its routers (RFC 4291); a /127 has none
            // (RFC 6164).
            let skipped = u128::from(net.prefix_len() < 127);
            let first = Ipv6Addr::from_bits(net.network().to_bits() + skipped);
            return Some(AddressPool::new(first.into(), net.broadcast().into()));
        }
        let of_group = of.group.as_ref().and_then(|group| {
            let group = self.group(&format!("{}:{group}", of.tenant))?;
            group.parsed.pool
        });
        if let Some(range) = of_group {
            return Some(AddressPool::new(range.first.into(), range.last.into()));
        }
        let usable = parsed.subnet.usable()?;
        let mut pool = AddressPool::new(usable.first.into(), usable.last.into());
        let groups = self.groups_of_network(&key);
        for range in groups.filter_map(|(_, Known { parsed, .. })| parsed.pool) {
            pool.carve(range.first.into(), range.last.into());
        }
        Some(pool)
    }

    pub(crate) fn lowest_free(&self, network: u32, pool: &AddressPool) -> Option<IpAddr> {
        let lane = self.lane.as_ref();
        let first = lane.and_then(|lane| self.addresses.lowest_free_in(network, pool, lane));
        first.or_else(|| self.addresses.lowest_free(network, pool))
    }

    /// Who has an address of a network, by its number; none when it is free.
    pub fn address(&self, network: u32, address: IpAddr) -> Option<&AddressState> {
        self.addresses.get(network, address)
    }

    /// The addresses of a network that are in use, IPv4 first.
    pub(crate) fn addresses_of(
        &self,
        network: u32,
    ) -> impl Iterator<Item = (IpAddr, &AddressState)> {
        let lowest = IpAddr::from([0u8; 4]);
        let highest = IpAddr::from([u8::MAX; 16]);
        self.addresses.within(network, lowest..=highest)
    }

    pub(crate) fn addresses_within(
        &self,
        network: u32,
        range: RangeInclusive<IpAddr>,
    ) -> impl Iterator<Item = (IpAddr, &AddressState)> {
        self.addresses.within(network, range)
    }

    pub(crate) fn addresses_in_use(&self, network: u32, family: Family) -> Option<&RangeSet> {
        self.addresses.in_use(network, family)
    }

    /// Whether a network is of the tenant that hosts belong to themselves.
    pub(crate) fn is_of_hosts(&self, network: u32) -> bool {
        let key = self.indexes.network_numbers.get(&network);
        let tenant = key.and_then(|key| key.split_once(':'));
        tenant.is_some_and(|(tenant, _)| tenant == DEFAULT_TENANT)
    }

    /// Whether there are addresses that wait for hosts.
    pub fn has_draining(&self) -> bool {
        self.draining_until(u64::MAX).next().is_some()
    }

    pub(crate) fn draining_until(&self, number: u64) -> impl Iterator<Item = (u64, u32, IpAddr)> {
        self.addresses.draining_until(number)
    }

    /// The addresses that are tentative or drain.
    pub(crate) fn unsettled_addresses(&self) -> impl Iterator<Item = (u32, IpAddr, &AddressState)> {
        self.addresses.unsettled()
    }

    pub(crate) fn tentative_before(&self, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
        self.addresses.tentative_before(time)
    }

    pub(crate) fn reserved_before(&self, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
        self.addresses.reserved_before(time)
    }

    /// The tags in use, lowest first.
    pub(crate) fn tags(&self, encap: Encap) -> impl Iterator<Item = u32> {
        let tags = match encap {
            Encap::Vlan => &self.vlans,
            Encap::Vxlan => &self.vxlans,
        };
        tags.keys().copied()
    }

    pub(crate) fn tag_owner(&self, encap: Encap, tag: u32) -> Option<&str> {
        let tags = match encap {
            Encap::Vlan => &self.vlans,
            Encap::Vxlan => &self.vxlans,
        };
        tags.get(&tag).map(String::as_str)
    }

    pub(crate) fn tags_mut(&mut self, encap: Encap) -> &mut BTreeMap<u32, String> {
        match encap {
            Encap::Vlan => &mut self.vlans,
            Encap::Vxlan => &mut self.vxlans,
        }
    }

    pub(crate) fn number_owner(&self, of: Numbered, number: u32) -> Option<&str> {
        self.owners.get(&(of, number)).map(String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn numbers_in_use(&self, of: Numbered) -> usize {
        self.owners.keys().filter(|(kind, _)| *kind == of).count()
    }

    /// The number of this kind that was given last; 0 when none was.
    pub(crate) fn counter(&self, of: Numbered) -> u32 {
        self.counters.get(&of).copied().unwrap_or_default()
    }

    /// The host that is reached at a tunnel address.
    pub(crate) fn tunnel_owner(&self, address: IpAddr) -> Option<&str> {
        self.tunnels.get(&address).map(String::as_str)
    }

    /// The hosts that have endpoints of a tenant.
    pub fn hosts_of(&self, tenant: &str) -> impl Iterator<Item = &str> {
        let first = (tenant.to_owned(), String::new());
        let places = self.indexes.presence.range(first..);
        let here = places.take_while(move |((of, _), _)| of == tenant);
        here.map(|((_, host), _)| host.as_str())
    }

    /// How many endpoints of a tenant a host has.
    pub(crate) fn endpoints_at(&self, tenant: &str, host: &str) -> usize {
        let place = (tenant.to_owned(), host.to_owned());
        self.indexes
            .presence
            .get(&place)
            .copied()
            .unwrap_or_default()
    }

    /// The rules that name a group or a network of this key as their peer.
    pub(crate) fn rules_by_peer(&self, peer: &str) -> impl Iterator<Item = &str> {
        members(&self.indexes.rules_by_peer, peer)
    }
}
