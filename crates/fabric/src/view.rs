//! What hosts are told.
//!
//! 1. Every host knows the settings, all tenants, networks and groups, and which of
//!    them its own engine's networks stand for: it makes a Docker network for each. It
//!    knows so of the networks of Swarms as well, which are on all of their engines.
//! 2. The policies, rules and endpoints of a tenant are for the hosts that have an endpoint of it.
//!    Those of tenant `default` are for all, since hosts belong to it themselves.
//! 3. A host with endpoints of a tenant is told to the hosts that know of the tenant's
//!    endpoints: they send there, and take what comes from there.
//!
//! That tenants, networks and groups go to all is the price of Docker networks that are on
//! every engine before a container asks for one: some hundred bytes for each, once, in
//! lines that all hosts share.

mod delta;
mod object;
mod policy;
mod shift;

pub use delta::{Audience, Delta, HostChange, change};
pub(crate) use policy::{rule_of, tenant_policy};

use std::collections::BTreeSet;

use contiv_model::agent::{DockerNetwork, HostObject};

use crate::image::{DEFAULT_TENANT, Image};

/// All that a host is to know.
pub fn snapshot(image: &Image, host: &str) -> Vec<HostObject> {
    let mut objects = common(image);
    for tenant in known_tenants(image, host) {
        objects.extend(of_tenant(image, tenant));
    }
    objects.extend(own(image, host));
    objects
}

/// What every host knows.
pub fn common(image: &Image) -> Vec<HostObject> {
    let mut objects: Vec<HostObject> = image.global().map(object::global).into_iter().collect();
    objects.extend(image.tenants().map(|(_, tenant)| object::tenant(tenant)));
    let networks = image.networks();
    objects.extend(networks.map(|(_, network)| object::network(network)));
    objects.extend(image.groups().map(|(_, group)| object::group(group)));
    objects
}

/// The tenants whose policies, rules and endpoints a host knows.
pub fn known_tenants<'a>(image: &'a Image, host: &str) -> impl Iterator<Item = &'a str> {
    let present = image.tenants_on(host);
    let others = present.filter(|tenant| *tenant != DEFAULT_TENANT);
    std::iter::once(DEFAULT_TENANT).chain(others)
}

/// What the hosts that know a tenant know of it.
pub fn of_tenant(image: &Image, tenant: &str) -> Vec<HostObject> {
    let policies = image.policies_of(tenant);
    let mut objects: Vec<HostObject> = policies.map(|(_, p)| object::policy(p)).collect();
    let rules = image.rules_of(tenant);
    objects.extend(rules.map(|(_, rule)| object::rule(image, rule)));
    let endpoints = image.endpoints_of_tenant(tenant);
    objects.extend(endpoints.map(|e| HostObject::Endpoint(e.view())));
    objects
}

/// What a host alone is told: whom it shares tenants with, and its engine's networks.
pub fn own(image: &Image, host: &str) -> Vec<HostObject> {
    let known = known_tenants(image, host);
    let peers: BTreeSet<&str> = known.flat_map(|tenant| image.hosts_of(tenant)).collect();
    let peers = peers.into_iter().filter(|peer| *peer != host);
    let peers = peers.filter_map(|peer| object::host_view(image.host(peer)?).map(HostObject::Host));
    let bindings = image.docker_networks().filter(|d| is_for(d, host));
    peers
        .chain(bindings.cloned().map(HostObject::DockerNetwork))
        .collect()
}

/// Whether a host is told what an engine's network stands for: its own engine's, or a Swarm's.
fn is_for(binding: &DockerNetwork, host: &str) -> bool {
    binding.swarm.is_some() || binding.host == host
}

#[cfg(test)]
mod tests;
