//! What there is in an image.

use std::collections::BTreeMap;

use contiv_ipam::Lane;
use contiv_model::agent::{DockerNetwork, Revision};

use super::index::members;
use super::{AddressOwner, Image, KnownGlobal, KnownGroup, KnownNetwork, KnownPolicy, KnownRule};
use crate::identity::Identity;
use crate::key::Key;
use crate::record::{AdoptionRecord, EndpointRecord, HostRecord, LeaseRecord, TenantRecord};

impl Image {
    /// Number of the commit that the image is of.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// In which epoch of the store the image's numbers count.
    pub fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The commit of this number. Hosts may still be in an earlier epoch, with greater numbers.
    pub fn revision(&self, number: u64) -> Revision {
        Revision {
            epoch: self.epoch,
            number,
        }
    }

    /// Number of the last commit of a key; 0 when it is absent.
    pub fn number_of(&self, key: &str) -> u64 {
        self.numbers.get(key).copied().unwrap_or_default()
    }

    /// Every key of the store.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// Who holds a lease; none when nobody does.
    pub fn lease(&self, name: &str) -> Option<&LeaseRecord> {
        self.leases.get(name)
    }

    /// The hosts that a restored store waits for; none when it waits for none.
    pub fn adoption(&self) -> Option<&AdoptionRecord> {
        self.adoption.as_ref()
    }

    /// Where decisions on this image look for free addresses first.
    pub fn set_lane(&mut self, lane: Option<Lane>) {
        self.lane = lane;
    }

    /// Settings of the fabric; none before it is bootstrapped.
    pub fn global(&self) -> Option<&KnownGlobal> {
        self.global.as_ref()
    }

    /// Who may speak to masters.
    pub fn identity(&self) -> &Identity {
        &self.identity
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

    pub fn policy(&self, key: &str) -> Option<&KnownPolicy> {
        self.policies.get(key)
    }

    /// Every policy, by key.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &KnownPolicy)> {
        self.policies.iter().map(|(key, p)| (key.as_str(), p))
    }

    /// The policies of a tenant, by key.
    pub fn policies_of(&self, tenant: &str) -> impl Iterator<Item = (&str, &KnownPolicy)> {
        below(&self.policies, tenant)
    }

    /// Number of the last commit that changed a policy, its rules or which groups have it, or what
    /// these do where no rule matches; 0 when it is absent.
    pub fn policy_number(&self, key: &str) -> u64 {
        let number = |key: Key| self.number_of(&key.to_string());
        // Deleted rules, and groups that have it no longer, have left their mark on the guard.
        let own = number(Key::Policy(key.to_owned()));
        own.max(number(Key::PolicyGuard(key.to_owned())))
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

    /// The host of this name, if it has registered.
    pub fn host(&self, name: &str) -> Option<&HostRecord> {
        self.hosts.get(name)
    }

    /// Every host that has registered, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &HostRecord> {
        self.hosts.values()
    }

    /// The endpoints on a host, by id.
    pub fn endpoints_on(&self, host: &str) -> impl Iterator<Item = &EndpointRecord> {
        let ids = members(&self.indexes.endpoints_by_host, host);
        ids.filter_map(|id| self.endpoints.get(id))
    }

    /// The tenants that a host has endpoints of.
    pub fn tenants_on(&self, host: &str) -> impl Iterator<Item = &str> {
        members(&self.indexes.tenants_by_host, host)
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

/// The entries whose key is `owner:…`; names have no colon, and `;` comes after it.
fn below<'a, T>(
    map: &'a BTreeMap<String, T>,
    owner: &str,
) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
    let range = map.range(format!("{owner}:")..format!("{owner};"));
    range.map(|(key, value)| (key.as_str(), value))
}
