//! Everything that is stored, as typed values with the indexes that decisions need.
//!
//! An image is made of the store's entries once and then kept current with each
//! commit's writes. It knows the number of each key's last commit, so that a
//! decision can say what it relied on.

mod addresses;
mod applied;
mod ask;
mod index;
mod read;
mod value;
mod weights;

pub use addresses::AddressOwner;
pub use applied::{Applied, Before};
pub(crate) use value::json;

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_ipam::Lane;
use contiv_model::Invalid;
use contiv_model::agent::DockerNetwork;
use contiv_model::parsed::{ParsedGlobal, ParsedGroup, ParsedNetwork, ParsedPolicy, ParsedRule};
use contiv_policy::Weights;
use contiv_store::{Entry, TICKETS, Write};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::identity::Identity;
use crate::key::{Key, Numbered};
use crate::record::{
    AdoptionRecord, Counter, EndpointRecord, GlobalRecord, GroupRecord, HostRecord, LeaseRecord,
    NetworkRecord, Owner, PolicyRecord, RuleRecord, TenantRecord,
};
use addresses::Addresses;
use index::Indexes;

/// The tenant that exists from the start, and that hosts themselves belong to.
pub const DEFAULT_TENANT: &str = "default";

/// A record, and what its object says in typed values.
#[derive(Clone, Debug, PartialEq)]
pub struct Known<R, P> {
    pub record: R,
    pub parsed: P,
}

pub type KnownGlobal = Known<GlobalRecord, ParsedGlobal>;
pub type KnownNetwork = Known<NetworkRecord, ParsedNetwork>;
pub type KnownGroup = Known<GroupRecord, ParsedGroup>;
pub type KnownPolicy = Known<PolicyRecord, ParsedPolicy>;
pub type KnownRule = Known<RuleRecord, ParsedRule>;

/// The state of the fabric as of one commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    epoch: u64,
    number: u64,
    /// Number of the last commit of every key.
    numbers: BTreeMap<String, u64>,
    global: Option<KnownGlobal>,
    tenants: BTreeMap<String, TenantRecord>,
    networks: BTreeMap<String, KnownNetwork>,
    groups: BTreeMap<String, KnownGroup>,
    policies: BTreeMap<String, KnownPolicy>,
    rules: BTreeMap<String, KnownRule>,
    endpoints: BTreeMap<String, EndpointRecord>,
    docker_networks: BTreeMap<String, DockerNetwork>,
    hosts: BTreeMap<String, HostRecord>,
    tunnels: BTreeMap<IpAddr, String>,
    owners: BTreeMap<(Numbered, u32), String>,
    counters: BTreeMap<Numbered, u32>,
    vlans: BTreeMap<u32, String>,
    vxlans: BTreeMap<u32, String>,
    identity: Identity,
    leases: BTreeMap<String, LeaseRecord>,
    adoption: Option<AdoptionRecord>,
    lane: Option<Lane>,
    addresses: Addresses,
    indexes: Indexes,
    /// By tenant, how large its policies are at most.
    weights: BTreeMap<String, Weights>,
}

impl Image {
    /// The image of a store that holds `entries` after commit `number`.
    pub fn load(number: u64, entries: impl IntoIterator<Item = Entry>) -> Result<Image, Error> {
        let mut image = Image::default();
        let mut applied = Applied::default();
        for entry in entries {
            image.put(&entry.key, &entry.value, entry.number, &mut applied)?;
            image.numbers.insert(entry.key, entry.number);
        }
        image.number = number;
        Ok(image)
    }

    /// Takes the writes of commit `number`, or of a ticket's; tells what they changed.
    pub fn apply(&mut self, number: u64, writes: &[Write]) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    self.put(key, value, number, &mut applied)?;
                    self.numbers.insert(key.clone(), number);
                }
                Write::Delete { key } => {
                    self.delete(key, &mut applied);
                    self.numbers.remove(key);
                }
            }
        }
        if number < TICKETS {
            self.number = number;
        }
        Ok(applied)
    }

    fn put(
        &mut self,
        key: &str,
        value: &[u8],
        number: u64,
        applied: &mut Applied,
    ) -> Result<(), Error> {
        let Some(parsed) = Key::parse(key) else {
            return Ok(()); // Not of the fabric.
        };
        self.delete(key, applied);
        match parsed {
            Key::Global => {
                self.global = Some(known(key, value, |r: &GlobalRecord| r.object.parse())?);
            }
            Key::Tenant(name) => {
                self.tenants.insert(name, read(key, value)?);
            }
            Key::Network(name) => {
                let known = known(key, value, |r: &NetworkRecord| r.object.parse())?;
                self.indexes.add_network(&name, known.record.number);
                self.networks.insert(name.clone(), known);
                self.weigh_rules_about(&name);
            }
            Key::Group(name) => {
                let known = known(key, value, |r: &GroupRecord| r.object.parse())?;
                self.indexes.add_group(&name, &known.record.object);
                self.groups.insert(name, known);
            }
            Key::Policy(name) => {
                let known = known(key, value, |r: &PolicyRecord| r.object.parse())?;
                self.policies.insert(name, known);
            }
            Key::Rule(name) => {
                let known = known(key, value, |r: &RuleRecord| r.object.parse())?;
                self.indexes.add_rule(&name, &known.record.object);
                self.weigh(&known);
                self.rules.insert(name, known);
            }
            Key::Endpoint(id) => {
                let record: EndpointRecord = read(key, value)?;
                self.indexes.add_endpoint(&record);
                self.endpoints.insert(id, record);
            }
            Key::DockerNetwork(id) => {
                self.docker_networks.insert(id, read(key, value)?);
            }
            Key::Host(name) => {
                self.hosts.insert(name, read(key, value)?);
            }
            Key::Tunnel(address) => {
                let owner: Owner = read(key, value)?;
                self.tunnels.insert(address, owner.owner);
            }
            Key::Number(of, number) => {
                let owner: Owner = read(key, value)?;
                self.owners.insert((of, number), owner.owner);
            }
            Key::Counter(of) => {
                let counter: Counter = read(key, value)?;
                self.counters.insert(of, counter.last);
            }
            Key::Tag(encap, tag) => {
                let owner: Owner = read(key, value)?;
                self.tags_mut(encap).insert(tag, owner.owner);
            }
            Key::Address(network, address) => {
                self.addresses
                    .insert(network, address, read(key, value)?, number);
            }
            Key::Identity(place) => self.identity.put(place, key, value)?,
            Key::Lease(name) => {
                self.leases.insert(name, read(key, value)?);
            }
            Key::Adoption => self.adoption = Some(read(key, value)?),
            Key::FabricGuard | Key::TenantGuard(_) | Key::NetworkGuard(_) | Key::PolicyGuard(_) => {
            }
        }
        Ok(())
    }

    fn delete(&mut self, key: &str, applied: &mut Applied) {
        let Some(parsed) = Key::parse(key) else {
            return;
        };
        let before = match &parsed {
            Key::Global => self.global.take().map(|known| Before::Global(known.record)),
            Key::Tenant(name) => self.tenants.remove(name).map(Before::Tenant),
            Key::Network(name) => self.networks.remove(name).map(|known| {
                self.indexes.remove_network(known.record.number);
                self.weigh_rules_about(name);
                Before::Network(known.record)
            }),
            Key::Group(name) => self.groups.remove(name).map(|known| {
                self.indexes.remove_group(name, &known.record.object);
                Before::Group(known.record)
            }),
            Key::Policy(name) => self
                .policies
                .remove(name)
                .map(|known| Before::Policy(known.record)),
            Key::Rule(name) => self.rules.remove(name).map(|known| {
                self.indexes.remove_rule(name, &known.record.object);
                self.weigh_no_more(&known);
                Before::Rule(known.record)
            }),
            Key::Endpoint(id) => self.endpoints.remove(id).map(|record| {
                self.indexes.remove_endpoint(&record);
                Before::Endpoint(record)
            }),
            Key::DockerNetwork(id) => self.docker_networks.remove(id).map(Before::DockerNetwork),
            Key::Host(name) => self.hosts.remove(name).map(Before::Host),
            Key::Tunnel(address) => {
                self.tunnels.remove(address);
                return;
            }
            Key::Number(of, number) => {
                self.owners.remove(&(*of, *number));
                return;
            }
            Key::Counter(of) => {
                self.counters.remove(of);
                return;
            }
            Key::Tag(encap, tag) => {
                self.tags_mut(*encap).remove(tag);
                return;
            }
            Key::Address(network, address) => {
                self.addresses.remove(*network, *address);
                return;
            }
            Key::Identity(place) => {
                self.identity.delete(place);
                return;
            }
            Key::Lease(name) => {
                self.leases.remove(name);
                return;
            }
            Key::Adoption => {
                self.adoption = None;
                return;
            }
            Key::FabricGuard | Key::TenantGuard(_) | Key::NetworkGuard(_) | Key::PolicyGuard(_) => {
                return;
            }
        };
        applied.note(parsed, before);
    }
}

fn known<R: DeserializeOwned, P>(
    key: &str,
    value: &[u8],
    parse: impl Fn(&R) -> Result<P, Invalid>,
) -> Result<Known<R, P>, Error> {
    let record: R = read(key, value)?;
    match parse(&record) {
        Ok(parsed) => Ok(Known { record, parsed }),
        Err(invalid) => Err(Error::Record {
            key: key.to_owned(),
            reason: invalid.to_string(),
        }),
    }
}

pub(crate) fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| Error::Record {
        key: key.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
