//! Hosts: who they are, and what goes with them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Outcome, Reference, Use, network_of, require};

impl Reference {
    pub(super) fn register(&mut self, host: &str, boot: &str, tunnel: Option<IpAddr>) -> Outcome {
        let others = self.hosts.iter().filter(|(name, _)| *name != host);
        let taken = others
            .clone()
            .any(|(_, (_, has))| has.is_some() && *has == tunnel);
        require(!taken)?;
        self.hosts
            .insert(host.to_owned(), (boot.to_owned(), tunnel));
        Ok(())
    }

    /// No endpoint outlives the boot that it was made in.
    pub(super) fn collect_boots(&mut self, host: &str, number: u64) {
        let Some((boot, _)) = self.hosts.get(host) else {
            return;
        };
        let stale = self
            .endpoints
            .iter()
            .filter(|(_, e)| e.host == host && !e.boot.is_empty() && e.boot != *boot);
        let stale: Vec<String> = stale.map(|(id, _)| id.clone()).collect();
        self.end(&stale, number);
    }

    /// Endpoints and bindings first, then addresses that are promised, then the host.
    pub(super) fn collect_host(&mut self, host: &str, number: u64) {
        if !self.hosts.contains_key(host) {
            return;
        }
        let here = self.endpoints.iter().filter(|(_, e)| e.host == host);
        let here: Vec<String> = here.map(|(id, _)| id.clone()).collect();
        let bound = self.docker_networks.values().any(|d| d.host == host);
        if !here.is_empty() || bound {
            self.end(&here, number);
            self.docker_networks.retain(|_, d| d.host != host);
            let held = |u: &Use| matches!(u, Use::Auxiliary(_, has) if has == host);
            self.uses.retain(|_, holder| !held(holder));
            return;
        }
        let mut released = false;
        self.uses.retain(|_, holder| match holder {
            Use::Tentative(has, ..) if has == host => {
                released = true;
                false
            }
            Use::Draining(awaited, at) if awaited.contains(host) => {
                released = true;
                *at = number;
                awaited.remove(host);
                !awaited.is_empty()
            }
            _ => true,
        });
        if !released {
            self.hosts.remove(host);
        }
    }

    /// Endpoints end together; their addresses drain on every host that has the tenant.
    pub(super) fn end(&mut self, ids: &[String], number: u64) {
        let mut draining = Vec::new();
        for id in ids {
            let known = &self.endpoints[id];
            let tenant = &known.pool.tenant;
            let present = self.endpoints.values().filter(|e| e.pool.tenant == *tenant);
            let awaited: BTreeSet<String> = present.map(|e| e.host.clone()).collect();
            for address in &known.addresses {
                let place = (network_of(&known.pool), *address);
                draining.push((place, Use::Draining(awaited.clone(), number)));
            }
        }
        self.uses.extend(draining);
        self.endpoints.retain(|id, _| !ids.contains(id));
    }
}
