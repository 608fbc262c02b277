//! What commits changed: enough to tell hosts the difference.

use std::collections::BTreeMap;

use contiv_model::agent::DockerNetwork;

use crate::key::Key;
use crate::record::{
    EndpointRecord, GlobalRecord, GroupRecord, HostRecord, NetworkRecord, PolicyRecord, RuleRecord,
    TenantRecord,
};

/// The objects that commits wrote, with what each was before the first of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    pub(crate) objects: BTreeMap<String, (Key, Option<Before>)>,
}

/// An object as it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    Global(GlobalRecord),
    Tenant(TenantRecord),
    Network(NetworkRecord),
    Group(GroupRecord),
    Policy(PolicyRecord),
    Rule(RuleRecord),
    Endpoint(EndpointRecord),
    DockerNetwork(DockerNetwork),
    Host(HostRecord),
}

impl Applied {
    /// Adds what later commits changed: together they are one change.
    pub fn merge(&mut self, later: Applied) {
        for (key, change) in later.objects {
            self.objects.entry(key).or_insert(change);
        }
    }

    /// Whether nothing that hosts are told of has changed.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.objects.contains_key(&key.to_string())
    }

    /// The first word on a key stands.
    pub(crate) fn note(&mut self, key: Key, before: Option<Before>) {
        let name = key.to_string();
        self.objects.entry(name).or_insert((key, before));
    }
}
