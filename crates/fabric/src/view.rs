//! What hosts are told.
//!
//! 1. Every host knows the settings, all tenants, networks and groups, and which of
//!    them its own engine's networks stand for: it makes a Docker network for each.
//! 2. The policies, rules and endpoints of a tenant are for the hosts that have an endpoint of it.
//!    Those of tenant `default` are for all, since hosts belong to it themselves.

mod delta;
mod object;

pub use delta::{HostChange, change};

use contiv_model::agent::HostObject;

use crate::image::{DEFAULT_TENANT, Image};

/// All that a host is to know.
pub fn snapshot(image: &Image, host: &str) -> Vec<HostObject> {
    let mut objects: Vec<HostObject> = image.global().map(object::global).into_iter().collect();
    objects.extend(image.tenants().map(|(_, tenant)| object::tenant(tenant)));
    objects.extend(
        image
            .networks()
            .map(|(_, network)| object::network(network)),
    );
    objects.extend(image.groups().map(|(_, group)| object::group(group)));
    for (tenant, _) in image.tenants() {
        if tenant == DEFAULT_TENANT || image.is_present(tenant, host) {
            let policies = image.policies_of(tenant);
            objects.extend(policies.map(|(_, policy)| object::policy(policy)));
            let rules = image.rules_of(tenant);
            objects.extend(rules.map(|(_, rule)| object::rule(image, rule)));
            let endpoints = image.endpoints_of_tenant(tenant);
            objects.extend(endpoints.map(|e| HostObject::Endpoint(e.view())));
        }
    }
    let bindings = image.docker_networks().filter(|d| d.host == host);
    objects.extend(bindings.cloned().map(HostObject::DockerNetwork));
    objects
}

#[cfg(test)]
mod tests;
