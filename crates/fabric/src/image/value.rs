//! Records on their way to and fro: from an image back to what is stored, and between
//! the image of what is committed and one that is ahead of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Serialize;

use super::{Applied, Image};
use crate::error::Error;
use crate::key::Key;
use crate::record::{Counter, Guard, Owner};

impl Image {
    /// What the store has at a key of the fabric; none when it is absent.
    pub fn value_of(&self, name: &str) -> Option<Bytes> {
        if self.number_of(name) == 0 {
            return None;
        }
        match Key::parse(name)? {
            Key::Global => json(&self.global.as_ref()?.record),
            Key::Tenant(name) => json(self.tenants.get(&name)?),
            Key::Network(name) => json(&self.networks.get(&name)?.record),
            Key::Group(name) => json(&self.groups.get(&name)?.record),
            Key::Policy(name) => json(&self.policies.get(&name)?.record),
            Key::Rule(name) => json(&self.rules.get(&name)?.record),
            Key::Endpoint(id) => json(self.endpoints.get(&id)?),
            Key::DockerNetwork(id) => json(self.docker_networks.get(&id)?),
            Key::Host(name) => json(self.hosts.get(&name)?),
            Key::Tunnel(address) => owner(self.tunnels.get(&address)?),
            Key::Number(of, number) => owner(self.number_owner(of, number)?),
            Key::Tag(encap, tag) => owner(self.tag_owner(encap, tag)?),
            Key::Counter(of) => json(&Counter {
                last: self.counter(of),
            }),
            Key::Address(network, address) => json(self.address(network, address)?),
            Key::Identity(place) => self.identity.value(&place),
            Key::Lease(name) => json(self.leases.get(&name)?),
            Key::Adoption => json(self.adoption.as_ref()?),
            Key::FabricGuard | Key::TenantGuard(_) | Key::NetworkGuard(_) | Key::PolicyGuard(_) => {
                json(&Guard {})
            }
        }
    }

    /// Has at these keys what another image has there.
    pub fn take_over(&mut self, keys: &BTreeSet<String>, from: &Image) -> Result<(), Error> {
        let mut applied = Applied::default();
        for key in keys {
            match from.value_of(key) {
                Some(value) => {
                    let number = from.number_of(key);
                    self.put(key, &value, number, &mut applied)?;
                    self.numbers.insert(key.clone(), number);
                }
                None => {
                    self.delete(key, &mut applied);
                    self.numbers.remove(key);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn json(record: &impl Serialize) -> Option<Bytes> {
    let value = serde_json::to_vec(record).expect("records are maps with names for keys");
    Some(value.into())
}

fn owner(owner: &str) -> Option<Bytes> {
    let owner = owner.to_owned();
    json(&Owner { owner })
}
