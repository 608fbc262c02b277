//! The difference that commits make to one host.
//!
//! 1. An object that was written is put if the host is to know it now, and deleted if
//!    it was to know it before and is not now.
//! 2. A rule is put as well when the group or network that it names comes or goes.
//! 3. When a tenant comes to a host, with its first endpoint there, or leaves it, all of
//!    the tenant's policies, rules and endpoints do.

use std::collections::{BTreeMap, BTreeSet};

use contiv_model::agent::{HostObject, ObjectKind, ObjectRef};

use super::object;
use crate::image::{Applied, Before, DEFAULT_TENANT, Image};
use crate::key::Key;

/// What a host is to put in place and to delete, whole or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostChange {
    pub put: Vec<HostObject>,
    pub delete: Vec<ObjectRef>,
}

impl HostChange {
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.delete.is_empty()
    }
}

/// What the commits of `applied`, the last of which made `image`, mean to `host`.
pub fn change(image: &Image, applied: &Applied, host: &str) -> HostChange {
    let presence = Presence::of(image, applied, host);
    let mut objects = Objects::default();
    for (key, before) in applied.objects.values() {
        objects.take(image, key, before.as_ref(), host, &presence);
    }
    // Those that were written have had their turn.
    let same = |key: Key| !applied.has(&key);
    for tenant in presence.changed() {
        let now = presence.now(tenant);
        let policies = image.policies_of(tenant);
        for (key, policy) in policies.filter(|(key, _)| same(Key::Policy((*key).to_owned()))) {
            let view = now.then(|| object::policy(policy));
            objects.set(ObjectKind::Policy, key, view);
        }
        let rules = image.rules_of(tenant);
        for (key, rule) in rules.filter(|(key, _)| same(Key::Rule((*key).to_owned()))) {
            let view = now.then(|| object::rule(image, rule));
            objects.set(ObjectKind::Rule, key, view);
        }
        let endpoints = image.endpoints_of_tenant(tenant);
        for endpoint in endpoints.filter(|e| same(Key::Endpoint(e.id.clone()))) {
            let view = now.then(|| HostObject::Endpoint(endpoint.view()));
            objects.set(ObjectKind::Endpoint, &endpoint.id, view);
        }
    }
    objects.change()
}

/// Whether the tenants of this change were, and are, for the host.
struct Presence<'a> {
    /// Endpoints on the host before and now, of tenants whose endpoints changed there.
    counts: BTreeMap<&'a str, (usize, usize)>,
    image: &'a Image,
    host: &'a str,
}

impl<'a> Presence<'a> {
    fn of(image: &'a Image, applied: &'a Applied, host: &'a str) -> Presence<'a> {
        let mut gone: BTreeMap<&str, usize> = BTreeMap::new();
        let mut come: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, before) in applied.objects.values() {
            let Key::Endpoint(id) = key else {
                continue;
            };
            if let Some(Before::Endpoint(before)) = before
                && before.host == host
            {
                *gone.entry(&before.tenant).or_default() += 1;
            }
            if let Some(now) = image.endpoint(id)
                && now.host == host
            {
                *come.entry(&now.tenant).or_default() += 1;
            }
        }
        let tenants: BTreeSet<&str> = gone.keys().chain(come.keys()).copied().collect();
        let count = |tenant: &'a str| {
            let now = image.endpoints_at(tenant, host);
            let of = |counts: &BTreeMap<&str, usize>| counts.get(tenant).copied().unwrap_or(0);
            (tenant, (now + of(&gone) - of(&come), now))
        };
        Presence {
            counts: tenants.into_iter().map(count).collect(),
            image,
            host,
        }
    }

    fn before(&self, tenant: &str) -> bool {
        let now = || self.image.endpoints_at(tenant, self.host);
        let count = self
            .counts
            .get(tenant)
            .map_or_else(now, |(before, _)| *before);
        tenant == DEFAULT_TENANT || count > 0
    }

    fn now(&self, tenant: &str) -> bool {
        tenant == DEFAULT_TENANT || self.image.is_present(tenant, self.host)
    }

    fn changed(&self) -> impl Iterator<Item = &'a str> {
        let tenants = self.counts.keys().copied();
        tenants.filter(|tenant| self.before(tenant) != self.now(tenant))
    }
}

/// What becomes of each object; none means that it goes.
#[derive(Default)]
struct Objects(BTreeMap<ObjectRef, Option<HostObject>>);

impl Objects {
    fn take(
        &mut self,
        image: &Image,
        key: &Key,
        before: Option<&Before>,
        host: &str,
        presence: &Presence<'_>,
    ) {
        let existed = before.is_some();
        match key {
            Key::Global => {
                let view = image.global().map(object::global);
                self.settle(ObjectKind::Global, "global", existed, view);
            }
            Key::Tenant(name) => {
                let view = image.tenant(name).map(object::tenant);
                self.settle(ObjectKind::Tenant, name, existed, view);
            }
            Key::Network(name) => {
                let view = image.network(name).map(object::network);
                self.settle(ObjectKind::Network, name, existed, view);
                self.resolve_again(image, name, presence);
            }
            Key::Group(name) => {
                let view = image.group(name).map(object::group);
                self.settle(ObjectKind::Group, name, existed, view);
                self.resolve_again(image, name, presence);
            }
            Key::Policy(name) => {
                let tenant = tenant_of(name);
                let policy = image.policy(name).filter(|_| presence.now(tenant));
                let known = existed && presence.before(tenant);
                self.settle(ObjectKind::Policy, name, known, policy.map(object::policy));
            }
            Key::Rule(name) => {
                let tenant = tenant_of(name);
                let rule = image.rule(name).filter(|_| presence.now(tenant));
                let view = rule.map(|rule| object::rule(image, rule));
                let known = existed && presence.before(tenant);
                self.settle(ObjectKind::Rule, name, known, view);
            }
            Key::Endpoint(id) => {
                let known =
                    matches!(before, Some(Before::Endpoint(b)) if presence.before(&b.tenant));
                let now = image.endpoint(id).filter(|e| presence.now(&e.tenant));
                let view = now.map(|e| HostObject::Endpoint(e.view()));
                self.settle(ObjectKind::Endpoint, id, known, view);
            }
            Key::DockerNetwork(id) => {
                let known = matches!(before, Some(Before::DockerNetwork(b)) if b.host == host);
                let now = image.docker_network(id).filter(|d| d.host == host);
                let view = now.cloned().map(HostObject::DockerNetwork);
                self.settle(ObjectKind::DockerNetwork, id, known, view);
            }
            _ => {}
        }
    }

    fn resolve_again(&mut self, image: &Image, peer: &str, presence: &Presence<'_>) {
        if !presence.now(tenant_of(peer)) {
            return;
        }
        for key in image.rules_by_peer(peer) {
            let view = image.rule(key).map(|rule| object::rule(image, rule));
            self.set(ObjectKind::Rule, key, view);
        }
    }

    /// Nothing becomes of what the host neither knew nor is to know.
    fn settle(&mut self, kind: ObjectKind, key: &str, known: bool, view: Option<HostObject>) {
        if known || view.is_some() {
            self.set(kind, key, view);
        }
    }

    fn set(&mut self, kind: ObjectKind, key: &str, view: Option<HostObject>) {
        let key = key.to_owned();
        self.0.insert(ObjectRef { kind, key }, view);
    }

    fn change(self) -> HostChange {
        let mut change = HostChange::default();
        for (object, view) in self.0 {
            match view {
                Some(view) => change.put.push(view),
                None => change.delete.push(object),
            }
        }
        change
    }
}

/// The first name of a key.
fn tenant_of(key: &str) -> &str {
    key.split_once(':').map_or(key, |(tenant, _)| tenant)
}
