//! The difference that commits make to hosts.
//!
//! 1. An object that was written is put if the host is to know it now, and deleted if
//!    it was to know it before and is not now.
//! 2. A rule is put as well when the group or network that it names comes or goes.
//! 3. When a tenant comes to a host, with its first endpoint there, or leaves it, all of
//!    the tenant's policies, rules and endpoints do.
//! 4. A host is told of when it comes to share a tenant with the receiver, or its tunnel
//!    address changes.
//!
//! Most changes mean the same to many hosts. What is common to all of them is found once,
//! in [`Delta::new`]; hosts of one [`Audience`] are told the same.

use contiv_model::agent::{HostObject, ObjectKind, ObjectRef};
use std::collections::{BTreeMap, BTreeSet};

use super::shift::Shift;
use super::{is_for, object};
use crate::image::{Applied, Before, Image};
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

/// Who is told the same of a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// It is of no concern to the host.
    Nobody,
    /// All hosts that are equal in this.
    Shared(Vec<u32>),
    /// The host alone: something of its own has changed.
    One,
}

/// What commits changed, ready to be told to any host.
#[derive(Clone, Debug)]
pub struct Delta {
    applied: Applied,
    shift: Shift,
    /// Something has changed that all hosts know.
    for_all: bool,
    /// Tenants of which something has changed that only their hosts know.
    tenants: BTreeSet<String>,
    /// Hosts whose own bindings have changed.
    bindings: BTreeSet<String>,
    /// Networks of Swarms have changed, which are on all hosts.
    swarms: bool,
}

/// What the commits of `applied`, the last of which made `image`, mean to `host`.
pub fn change(image: &Image, applied: &Applied, host: &str) -> HostChange {
    Delta::new(image, applied.clone()).change(image, host)
}

impl Delta {
    /// The commits of `applied`, the last of which made `image`.
    pub fn new(image: &Image, applied: Applied) -> Delta {
        let shift = Shift::of(image, &applied);
        let (mut for_all, mut swarms) = (false, false);
        let (mut tenants, mut bindings) = (BTreeSet::new(), BTreeSet::new());
        for (key, before) in applied.objects.values() {
            match key {
                Key::Global | Key::Tenant(_) => for_all = true,
                Key::Network(name) | Key::Group(name) => {
                    for_all = true;
                    tenants.insert(tenant_of(name).to_owned());
                }
                Key::Policy(name) | Key::Rule(name) => {
                    tenants.insert(tenant_of(name).to_owned());
                }
                Key::Endpoint(id) => {
                    if let Some(Before::Endpoint(before)) = before {
                        tenants.insert(before.tenant.clone());
                    }
                    tenants.extend(image.endpoint(id).map(|e| e.tenant.clone()));
                }
                Key::DockerNetwork(id) => {
                    let before = match before {
                        Some(Before::DockerNetwork(before)) => Some(before),
                        _ => None,
                    };
                    for binding in before.into_iter().chain(image.docker_network(id)) {
                        swarms |= binding.swarm.is_some();
                        bindings.insert(binding.host.clone());
                    }
                }
                _ => {}
            }
        }
        Delta {
            applied,
            shift,
            for_all,
            tenants,
            bindings,
            swarms,
        }
    }

    /// With whom a host has this change in common. `image` is the one that the delta was
    /// made of.
    pub fn audience(&self, image: &Image, host: &str) -> Audience {
        let own = self.swarms || self.bindings.contains(host);
        if own || self.shift.moved(host).next().is_some() {
            return Audience::One;
        }
        let mut common = Vec::new();
        for (n, tenant) in (0u32..).zip(&self.tenants) {
            if self.shift.knows(image, tenant, host) {
                common.push(n);
            }
        }
        let mut concerned = self.for_all || !common.is_empty();
        for other in self.shift.hosts() {
            let seen = self.shift.seen(image, host, other);
            concerned |= seen.0 != seen.1;
            common.extend([
                u32::MAX,
                u32::from(seen.0.is_some()),
                u32::from(seen.1.is_some()),
            ]);
        }
        match concerned {
            true => Audience::Shared(common),
            false => Audience::Nobody,
        }
    }

    /// What a host is to do. `image` is the one that the delta was made of.
    pub fn change(&self, image: &Image, host: &str) -> HostChange {
        let receiver = Receiver {
            image,
            shift: &self.shift,
            host,
        };
        let mut objects = Objects::default();
        for (key, before) in self.applied.objects.values() {
            objects.take(&receiver, key, before.as_ref());
        }
        // Those that were written have had their turn.
        let same = |key: Key| !self.applied.has(&key);
        for tenant in self.shift.moved(host) {
            let now = receiver.now(tenant);
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
        for other in self.shift.candidates(image, host) {
            let (before, now) = self.shift.seen(image, host, other);
            if before != now {
                objects.set(ObjectKind::Host, other, now.map(HostObject::Host));
            }
        }
        objects.change()
    }
}

/// Whom a change is told to.
struct Receiver<'a> {
    image: &'a Image,
    shift: &'a Shift,
    host: &'a str,
}

impl Receiver<'_> {
    fn before(&self, tenant: &str) -> bool {
        self.shift.knew(self.image, tenant, self.host)
    }

    fn now(&self, tenant: &str) -> bool {
        self.shift.knows(self.image, tenant, self.host)
    }
}

/// What becomes of each object; none means that it goes.
#[derive(Default)]
struct Objects(BTreeMap<ObjectRef, Option<HostObject>>);

impl Objects {
    fn take(&mut self, receiver: &Receiver<'_>, key: &Key, before: Option<&Before>) {
        let Receiver { image, host, .. } = *receiver;
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
                self.resolve_again(receiver, name);
            }
            Key::Group(name) => {
                let view = image.group(name).map(object::group);
                self.settle(ObjectKind::Group, name, existed, view);
                self.resolve_again(receiver, name);
            }
            Key::Policy(name) => {
                let tenant = tenant_of(name);
                let policy = image.policy(name).filter(|_| receiver.now(tenant));
                let known = existed && receiver.before(tenant);
                self.settle(ObjectKind::Policy, name, known, policy.map(object::policy));
            }
            Key::Rule(name) => {
                let tenant = tenant_of(name);
                let rule = image.rule(name).filter(|_| receiver.now(tenant));
                let view = rule.map(|rule| object::rule(image, rule));
                let known = existed && receiver.before(tenant);
                self.settle(ObjectKind::Rule, name, known, view);
            }
            Key::Endpoint(id) => {
                let known =
                    matches!(before, Some(Before::Endpoint(b)) if receiver.before(&b.tenant));
                let now = image.endpoint(id).filter(|e| receiver.now(&e.tenant));
                let view = now.map(|e| HostObject::Endpoint(e.view()));
                self.settle(ObjectKind::Endpoint, id, known, view);
            }
            Key::DockerNetwork(id) => {
                let known = matches!(before, Some(Before::DockerNetwork(b)) if is_for(b, host));
                let now = image.docker_network(id).filter(|d| is_for(d, host));
                let view = now.cloned().map(HostObject::DockerNetwork);
                self.settle(ObjectKind::DockerNetwork, id, known, view);
            }
            _ => {}
        }
    }

    fn resolve_again(&mut self, receiver: &Receiver<'_>, peer: &str) {
        if !receiver.now(tenant_of(peer)) {
            return;
        }
        let image = receiver.image;
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
