//! Who belongs to whom, kept beside the records.

use std::collections::{BTreeMap, BTreeSet};

use contiv_model::object::{EndpointGroup, Rule};

use crate::record::EndpointRecord;

/// Sets of keys by some other key; no set is empty.
pub(crate) type Index = BTreeMap<String, BTreeSet<String>>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Indexes {
    pub(crate) network_numbers: BTreeMap<u32, String>,
    pub(crate) groups_by_network: Index,
    pub(crate) endpoints_by_network: Index,
    pub(crate) endpoints_by_group: Index,
    /// Number of endpoints by tenant and host: whose rules a host needs.
    pub(crate) presence: BTreeMap<(String, String), usize>,
    pub(crate) endpoints_by_host: Index,
    /// Tenants by the hosts that have endpoints of them.
    pub(crate) tenants_by_host: Index,
    /// Rules by the group or network that they name as peer; both share one name space.
    pub(crate) rules_by_peer: Index,
}

impl Indexes {
    pub(crate) fn add_network(&mut self, key: &str, number: u32) {
        self.network_numbers.insert(number, key.to_owned());
    }

    pub(crate) fn remove_network(&mut self, number: u32) {
        self.network_numbers.remove(&number);
    }

    pub(crate) fn add_group(&mut self, key: &str, group: &EndpointGroup) {
        let network = format!("{}:{}", group.tenant_name, group.network_name);
        add(&mut self.groups_by_network, network, key);
    }

    pub(crate) fn remove_group(&mut self, key: &str, group: &EndpointGroup) {
        let network = format!("{}:{}", group.tenant_name, group.network_name);
        remove(&mut self.groups_by_network, network, key);
    }

    pub(crate) fn add_endpoint(&mut self, endpoint: &EndpointRecord) {
        add(
            &mut self.endpoints_by_network,
            network_key(endpoint),
            &endpoint.id,
        );
        if let Some(group) = group_key(endpoint) {
            add(&mut self.endpoints_by_group, group, &endpoint.id);
        }
        add(
            &mut self.endpoints_by_host,
            endpoint.host.clone(),
            &endpoint.id,
        );
        add(
            &mut self.tenants_by_host,
            endpoint.host.clone(),
            &endpoint.tenant,
        );
        *self.presence.entry(place(endpoint)).or_default() += 1;
    }

    pub(crate) fn remove_endpoint(&mut self, endpoint: &EndpointRecord) {
        remove(
            &mut self.endpoints_by_network,
            network_key(endpoint),
            &endpoint.id,
        );
        if let Some(group) = group_key(endpoint) {
            remove(&mut self.endpoints_by_group, group, &endpoint.id);
        }
        if let Some(count) = self.presence.get_mut(&place(endpoint)) {
            *count -= 1;
            if *count == 0 {
                self.presence.remove(&place(endpoint));
                let host = endpoint.host.clone();
                remove(&mut self.tenants_by_host, host, &endpoint.tenant);
            }
        }
        let host = endpoint.host.clone();
        remove(&mut self.endpoints_by_host, host, &endpoint.id);
    }

    pub(crate) fn add_rule(&mut self, key: &str, rule: &Rule) {
        for peer in peers(rule) {
            add(&mut self.rules_by_peer, peer, key);
        }
    }

    pub(crate) fn remove_rule(&mut self, key: &str, rule: &Rule) {
        for peer in peers(rule) {
            remove(&mut self.rules_by_peer, peer, key);
        }
    }
}

fn network_key(endpoint: &EndpointRecord) -> String {
    format!("{}:{}", endpoint.tenant, endpoint.network)
}

fn group_key(endpoint: &EndpointRecord) -> Option<String> {
    let group = endpoint.group.as_ref()?;
    Some(format!("{}:{group}", endpoint.tenant))
}

fn place(endpoint: &EndpointRecord) -> (String, String) {
    (endpoint.tenant.clone(), endpoint.host.clone())
}

fn peers(rule: &Rule) -> impl Iterator<Item = String> {
    let names = [
        &rule.from_endpoint_group,
        &rule.to_endpoint_group,
        &rule.from_network,
        &rule.to_network,
    ];
    let named = names.into_iter().filter(|name| !name.is_empty());
    named.map(|name| format!("{}:{name}", rule.tenant_name))
}

fn add(index: &mut Index, key: String, member: &str) {
    index.entry(key).or_default().insert(member.to_owned());
}

fn remove(index: &mut Index, key: String, member: &str) {
    if let Some(members) = index.get_mut(&key) {
        members.remove(member);
        if members.is_empty() {
            index.remove(&key);
        }
    }
}

/// The keys in the set of this key, in order.
pub(crate) fn members<'a>(index: &'a Index, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let members = index.get(key).into_iter().flatten();
    members.map(String::as_str)
}
