//! Questions that an image answers.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use contiv_ipam::{AddressState, RangeSet};
use contiv_model::agent::{DockerNetwork, Encap, PoolRef};

use super::index::Index;
use super::{AddressOwner, Image, Known, KnownGlobal, KnownGroup, KnownNetwork, KnownRule, Pool};
use crate::key::Numbered;
use crate::record::{EndpointRecord, PolicyRecord, TenantRecord};
use crate::refusal::Refusal;

// === What there is ===

impl Image {
    /// Number of the commit that the image is of.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Number of the last commit of a key; 0 when it is absent.
    pub fn number_of(&self, key: &str) -> u64 {
        self.numbers.get(key).copied().unwrap_or_default()
    }

    /// Settings of the fabric; none before it is bootstrapped.
    pub fn global(&self) -> Option<&KnownGlobal> {
        self.global.as_ref()
    }

    pub fn tenant(&self, name: &str) -> Option<&TenantRecord> {
        self.tenants.get(name)
    }

    /// Every tenant, by name.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &TenantRecord)> {
        self.tenants.iter().map(|(name, t)| (name.as_str(), t))
    }

    /// The network of this key, `tenant:name`.
    pub fn network(&self, key: &str) -> Option<&KnownNetwork> {
        self.networks.get(key)
    }

    /// Every network, by key.
    pub fn networks(&self) -> impl Iterator<Item = (&str, &KnownNetwork)> {
        self.networks.iter().map(|(key, n)| (key.as_str(), n))
    }

    /// The networks of a tenant, by key.
    pub fn networks_of(&self, tenant: &str) -> impl Iterator<Item = (&str, &KnownNetwork)> {
        below(&self.networks, tenant)
    }

    pub fn group(&self, key: &str) -> Option<&KnownGroup> {
        self.groups.get(key)
    }

    /// Every group, by key.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &KnownGroup)> {
        self.groups.iter().map(|(key, g)| (key.as_str(), g))
    }

    /// The groups of a tenant, by key.
    pub fn groups_of(&self, tenant: &str) -> impl Iterator<Item = (&str, &KnownGroup)> {
        below(&self.groups, tenant)
    }

    /// The groups in a network, by key.
    pub fn groups_of_network(&self, network: &str) -> impl Iterator<Item = (&str, &KnownGroup)> {
        let keys = members(&self.indexes.groups_by_network, network);
        keys.filter_map(|key| Some((key, self.groups.get(key)?)))
    }

    pub fn policy(&self, key: &str) -> Option<&PolicyRecord> {
        self.policies.get(key)
    }

    /// Every policy, by key.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &PolicyRecord)> {
        self.policies.iter().map(|(key, p)| (key.as_str(), p))
    }

    /// The policies of a tenant, by key.
    pub fn policies_of(&self, tenant: &str) -> impl Iterator<Item = (&str, &PolicyRecord)> {
        below(&self.policies, tenant)
    }

    pub fn rule(&self, key: &str) -> Option<&KnownRule> {
        self.rules.get(key)
    }

    /// Every rule, by key.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &KnownRule)> {
        self.rules.iter().map(|(key, r)| (key.as_str(), r))
    }

    /// The rules of a tenant or of a policy, by key.
    pub fn rules_of(&self, owner: &str) -> impl Iterator<Item = (&str, &KnownRule)> {
        below(&self.rules, owner)
    }

    /// The rules whose peer is this group, by key.
    pub fn rules_about_group(&self, group: &str) -> impl Iterator<Item = &str> {
        let rules = members(&self.indexes.rules_by_peer, group);
        rules.filter(|key| {
            self.rules
                .get(*key)
                .is_some_and(|r| r.parsed.peer_group.is_some())
        })
    }

    pub fn endpoint(&self, id: &str) -> Option<&EndpointRecord> {
        self.endpoints.get(id)
    }

    /// Every endpoint, by id.
    pub fn endpoints(&self) -> impl Iterator<Item = &EndpointRecord> {
        self.endpoints.values()
    }

    /// The endpoints in a network, by id.
    pub fn endpoints_of_network(&self, network: &str) -> impl Iterator<Item = &EndpointRecord> {
        let ids = members(&self.indexes.endpoints_by_network, network);
        ids.filter_map(|id| self.endpoints.get(id))
    }

    /// The endpoints in a group, by id.
    pub fn endpoints_of_group(&self, group: &str) -> impl Iterator<Item = &EndpointRecord> {
        let ids = members(&self.indexes.endpoints_by_group, group);
        ids.filter_map(|id| self.endpoints.get(id))
    }

    /// The endpoints of a tenant.
    pub fn endpoints_of_tenant(&self, tenant: &str) -> impl Iterator<Item = &EndpointRecord> {
        let networks = self.networks_of(tenant);
        networks.flat_map(|(network, _)| self.endpoints_of_network(network))
    }

    pub fn docker_network(&self, id: &str) -> Option<&DockerNetwork> {
        self.docker_networks.get(id)
    }

    /// Every binding of an engine's network, by its id.
    pub fn docker_networks(&self) -> impl Iterator<Item = &DockerNetwork> {
        self.docker_networks.values()
    }

    /// Every address in use, by network and address.
    pub fn addresses(&self) -> impl Iterator<Item = AddressOwner<'_>> {
        self.addresses.all().filter_map(|(number, address, state)| {
            let key = self.indexes.network_numbers.get(&number)?;
            let (tenant, network) = key.split_once(':')?;
            Some(AddressOwner {
                tenant,
                network,
                address,
                state,
            })
        })
    }

    /// Whether a host has endpoints of a tenant.
    pub fn is_present(&self, tenant: &str, host: &str) -> bool {
        self.endpoints_at(tenant, host) > 0
    }
}

// === What decisions ask ===

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
    pub(crate) fn pool(&self, of: &PoolRef, ipv6: bool) -> Option<Pool> {
        let key = format!("{}:{}", of.tenant, of.network);
        let parsed = &self.network(&key)?.parsed;
        if ipv6 {
            let net = parsed.ipv6_subnet?;
            // A subnet's first address names its routers (RFC 4291); a /127 has none
            // (RFC 6164).
            let skipped = u128::from(net.prefix_len() < 127);
            let first = Ipv6Addr::from_bits(net.network().to_bits() + skipped);
            return Some(Pool::new(first.into(), net.broadcast().into()));
        }
        let of_group = of.group.as_ref().and_then(|group| {
            let group = self.group(&format!("{}:{group}", of.tenant))?;
            group.parsed.pool
        });
        if let Some(range) = of_group {
            return Some(Pool::new(range.first.into(), range.last.into()));
        }
        let usable = parsed.subnet.usable()?;
        let mut pool = Pool::new(usable.first.into(), usable.last.into());
        let groups = self.groups_of_network(&key);
        for range in groups.filter_map(|(_, Known { parsed, .. })| parsed.pool) {
            pool.carve(range.first.into(), range.last.into());
        }
        Some(pool)
    }

    pub(crate) fn lowest_free(&self, network: u32, pool: &Pool) -> Option<IpAddr> {
        self.addresses.lowest_free(network, pool)
    }

    pub(crate) fn address(&self, network: u32, address: IpAddr) -> Option<&AddressState> {
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

    pub(crate) fn addresses_in_use(&self, network: u32, ipv6: bool) -> Option<&RangeSet> {
        self.addresses.in_use(network, ipv6)
    }

    pub(crate) fn draining_until(&self, number: u64) -> impl Iterator<Item = (u64, u32, IpAddr)> {
        self.addresses.draining_until(number)
    }

    pub(crate) fn tentative_before(&self, time: u64) -> impl Iterator<Item = (u32, IpAddr)> {
        self.addresses.tentative_before(time)
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

    pub(crate) fn tags_mut(
        &mut self,
        encap: Encap,
    ) -> &mut std::collections::BTreeMap<u32, String> {
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

    /// The hosts that have endpoints of a tenant.
    pub(crate) fn hosts_of(&self, tenant: &str) -> impl Iterator<Item = &str> {
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

/// The entries whose key is `owner:…`; names have no colon, and `;` comes after it.
fn below<'a, T>(
    map: &'a std::collections::BTreeMap<String, T>,
    owner: &str,
) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
    let range = map.range(format!("{owner}:")..format!("{owner};"));
    range.map(|(key, value)| (key.as_str(), value))
}

fn members<'a>(index: &'a Index, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let members = index.get(key).into_iter().flatten();
    members.map(String::as_str)
}
