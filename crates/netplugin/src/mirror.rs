//! What masters told this host, kept in memory: the pure half.
//!
//! A snapshot replaces everything, a change is applied whole, a bookmark only
//! moves the revision. Nothing is ever taken from anywhere else.

mod desired;
mod remote;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use desired::{Surroundings, desired, endpoint_spec, problem};
pub(crate) use remote::Remotes;

use std::collections::{BTreeMap, BTreeSet};

use contiv_model::agent::{
    DockerNetwork, EndpointView, GlobalView, GroupView, HostObject, HostView, NetworkView,
    ObjectKind, ObjectRef, PolicyView, PoolRef, Revision, RuleView, StreamMessage, TenantView,
};
use ipnet::IpNet;

/// The tenant that exists from the start, and that the host itself belongs to.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// The objects of the tenants of this host, as of one revision.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    revision: Revision,
    /// A snapshot has come since the agent started: absence of an object means something.
    complete: bool,
    objects: BTreeMap<ObjectRef, HostObject>,
    touched: Touched,
}

/// Endpoints that may be others than they were, in themselves or in what they refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// By id.
    Endpoints(BTreeSet<String>),
    All,
}

impl Default for Touched {
    fn default() -> Touched {
        Touched::Endpoints(BTreeSet::new())
    }
}

impl Touched {
    fn take(&mut self, object: &ObjectRef) {
        match (object.kind, &mut *self) {
            (ObjectKind::Endpoint, Touched::Endpoints(ids)) => {
                ids.insert(object.key.clone());
            }
            (ObjectKind::Tenant | ObjectKind::Network | ObjectKind::Group, _) => {
                *self = Touched::All;
            }
            _ => {}
        }
    }
}

impl Mirror {
    /// Takes one message of the stream.
    pub fn apply(&mut self, message: StreamMessage) {
        match message {
            StreamMessage::Snapshot { revision, objects } => {
                self.objects = objects.into_iter().map(|o| (o.object_ref(), o)).collect();
                self.revision = revision;
                self.complete = true;
                self.touched = Touched::All;
            }
            StreamMessage::Change {
                revision,
                put,
                delete,
            } => {
                for gone in &delete {
                    self.touched.take(gone);
                    self.objects.remove(gone);
                }
                for object in put {
                    let name = object.object_ref();
                    self.touched.take(&name);
                    self.objects.insert(name, object);
                }
                self.revision = revision;
            }
            StreamMessage::Bookmark { revision } => self.revision = revision,
            StreamMessage::Unknown => {}
        }
    }

    /// What was touched since this was asked last.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Whether something that was touched may be gone.
    pub(crate) fn has_lost(&self, touched: &Touched) -> bool {
        match touched {
            Touched::All => true,
            Touched::Endpoints(ids) => ids.iter().any(|id| self.endpoint(id).is_none()),
        }
    }

    /// The revision that the objects are of.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether what is absent here is known to be absent at the master.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Settings of the fabric; none before the first snapshot.
    pub fn global(&self) -> Option<&GlobalView> {
        self.of(ObjectKind::Global).find_map(|o| match o {
            HostObject::Global(global) => Some(global),
            _ => None,
        })
    }

    /// Every tenant, by name.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantView> {
        self.of(ObjectKind::Tenant).filter_map(|o| match o {
            HostObject::Tenant(tenant) => Some(tenant),
            _ => None,
        })
    }

    /// Every network.
    pub fn networks(&self) -> impl Iterator<Item = &NetworkView> {
        self.of(ObjectKind::Network).filter_map(|o| match o {
            HostObject::Network(network) => Some(network),
            _ => None,
        })
    }

    /// Every group.
    pub fn groups(&self) -> impl Iterator<Item = &GroupView> {
        self.of(ObjectKind::Group).filter_map(|o| match o {
            HostObject::Group(group) => Some(group),
            _ => None,
        })
    }

    /// Every policy.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyView> {
        self.of(ObjectKind::Policy).filter_map(|o| match o {
            HostObject::Policy(policy) => Some(policy),
            _ => None,
        })
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = &RuleView> {
        self.of(ObjectKind::Rule).filter_map(|o| match o {
            HostObject::Rule(rule) => Some(rule),
            _ => None,
        })
    }

    /// Every known endpoint, of this and of other hosts.
    pub fn endpoints(&self) -> impl Iterator<Item = &EndpointView> {
        self.of(ObjectKind::Endpoint).filter_map(|o| match o {
            HostObject::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        })
    }

    /// The other hosts that share a tenant with this one.
    pub fn hosts(&self) -> impl Iterator<Item = &HostView> {
        self.of(ObjectKind::Host).filter_map(|o| match o {
            HostObject::Host(host) => Some(host),
            _ => None,
        })
    }

    /// What the networks of this host's engine stand for.
    pub fn docker_networks(&self) -> impl Iterator<Item = &DockerNetwork> {
        self.of(ObjectKind::DockerNetwork).filter_map(|o| match o {
            HostObject::DockerNetwork(network) => Some(network),
            _ => None,
        })
    }

    /// The tenant of this name.
    pub fn tenant(&self, name: &str) -> Option<&TenantView> {
        match self.get(ObjectKind::Tenant, name.to_owned())? {
            HostObject::Tenant(tenant) => Some(tenant),
            _ => None,
        }
    }

    /// The network of this name.
    pub fn network(&self, tenant: &str, name: &str) -> Option<&NetworkView> {
        match self.get(ObjectKind::Network, format!("{tenant}:{name}"))? {
            HostObject::Network(network) => Some(network),
            _ => None,
        }
    }

    /// The group of this name.
    pub fn group(&self, tenant: &str, name: &str) -> Option<&GroupView> {
        match self.get(ObjectKind::Group, format!("{tenant}:{name}"))? {
            HostObject::Group(group) => Some(group),
            _ => None,
        }
    }

    /// The group that has this tag, else the network that has it.
    pub fn tagged(&self, tag: &str) -> Option<PoolRef> {
        let group = self.groups().find(|group| group.group_tag == tag);
        let group = group.map(|group| PoolRef {
            tenant: group.tenant.clone(),
            network: group.network.clone(),
            group: Some(group.name.clone()),
        });
        let network = || {
            let network = self.networks().find(|n| n.network_tag == tag)?;
            Some(PoolRef {
                tenant: network.tenant.clone(),
                network: network.name.clone(),
                group: None,
            })
        };
        group.or_else(network)
    }

    /// The endpoint of this id.
    pub fn endpoint(&self, id: &str) -> Option<&EndpointView> {
        match self.get(ObjectKind::Endpoint, id.to_owned())? {
            HostObject::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// What the engine's network of this id stands for.
    pub fn docker_network(&self, id: &str) -> Option<&DockerNetwork> {
        match self.get(ObjectKind::DockerNetwork, id.to_owned())? {
            HostObject::DockerNetwork(network) => Some(network),
            _ => None,
        }
    }

    /// The network that a pool's addresses are of.
    pub fn network_of(&self, pool: &PoolRef) -> Option<&NetworkView> {
        self.network(&pool.tenant, &pool.network)
    }

    /// The network of tenant `default` with exactly this subnet, of either family.
    pub fn network_with_subnet(&self, subnet: IpNet) -> Option<&NetworkView> {
        self.networks().find(|n| {
            n.tenant == DEFAULT_TENANT
                && !n.infra
                && match subnet {
                    IpNet::V4(v4) => n.subnet.trunc() == v4.trunc(),
                    IpNet::V6(v6) => n.ipv6_subnet.is_some_and(|s| s.trunc() == v6.trunc()),
                }
        })
    }

    /// The uid of a network or group that is known.
    pub fn uid(&self, object: &ObjectRef) -> Option<&str> {
        match self.objects.get(object)? {
            HostObject::Network(network) => Some(&network.uid),
            HostObject::Group(group) => Some(&group.uid),
            _ => None,
        }
    }

    fn of(&self, kind: ObjectKind) -> impl Iterator<Item = &HostObject> {
        let first = ObjectRef {
            kind,
            key: String::new(),
        };
        self.objects
            .range(first..)
            .take_while(move |(r, _)| r.kind == kind)
            .map(|(_, o)| o)
    }

    fn get(&self, kind: ObjectKind, key: String) -> Option<&HostObject> {
        self.objects.get(&ObjectRef { kind, key })
    }
}
