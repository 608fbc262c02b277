//! What is stored, as JSON.
//!
//! The record of an address is [`contiv_ipam::AddressState`], that of a Docker network
//! [`contiv_model::agent::DockerNetwork`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_model::agent::{EndpointView, Mac};
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use serde::{Deserialize, Serialize};

/// What a caller brings along for what it makes: decisions have neither clock nor chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// A uuid, the object's own for all time.
    pub uid: String,
    /// Now, in milliseconds since 1970.
    pub time: u64,
}

/// What every object has besides its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    pub uid: String,
    /// Milliseconds since 1970.
    pub created: u64,
}

impl From<&Stamp> for Meta {
    fn from(stamp: &Stamp) -> Meta {
        Meta {
            uid: stamp.uid.clone(),
            created: stamp.time,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlobalRecord {
    pub meta: Meta,
    pub object: Global,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantRecord {
    pub meta: Meta,
    pub number: u32,
    pub object: Tenant,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRecord {
    pub meta: Meta,
    pub number: u32,
    /// The tag that it has, chosen when the object names none.
    pub tag: u32,
    pub object: Network,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupRecord {
    pub meta: Meta,
    pub number: u32,
    pub object: EndpointGroup,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRecord {
    pub meta: Meta,
    pub object: Policy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRecord {
    pub meta: Meta,
    pub number: u32,
    pub object: Rule,
}

/// One interface of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointRecord {
    pub created: u64,
    pub id: String,
    pub tenant: String,
    pub network: String,
    pub group: Option<String>,
    pub host: String,
    /// The boot of the host that it was made in; empty when the host had not registered.
    #[serde(default)]
    pub boot_id: String,
    pub ipv4: Ipv4Addr,
    pub ipv6: Option<Ipv6Addr>,
    pub mac: Mac,
}

/// A host that has registered, until it is removed or lost for too long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostRecord {
    pub name: String,
    /// Milliseconds since 1970.
    pub created: u64,
    /// Where others send what is for its endpoints; no other host has it.
    pub tunnel: Option<IpAddr>,
    /// Largest packet, in bytes, of its link to the others.
    pub mtu: Option<u32>,
    /// Where people find it.
    pub control: Option<IpAddr>,
    pub boot_id: String,
    /// When it registered first in this boot, in milliseconds since 1970.
    pub since: u64,
    pub agent_version: String,
    /// When some master last took note that it reports, in milliseconds since 1970. Masters
    /// do so now and then only: what is told from it is that it has changed.
    pub heard: u64,
}

impl EndpointRecord {
    /// The endpoint as hosts see it.
    pub fn view(&self) -> EndpointView {
        EndpointView {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            network: self.network.clone(),
            group: self.group.clone(),
            host: self.host.clone(),
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            mac: self.mac,
        }
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let ipv6 = self.ipv6.map(IpAddr::from);
        [Some(IpAddr::from(self.ipv4)), ipv6].into_iter().flatten()
    }
}

/// The object that has a number or a tag, by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub owner: String,
}

/// The last number that was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    pub last: u32,
}

/// Who does work that is to be done once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The life of a master.
    pub holder: String,
    /// Counts renewals.
    pub turn: u64,
}

/// Whom a restored store waits for before it gives addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionRecord {
    pub hosts: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub until: u64,
}

/// Written to make decisions on what is absent collide; says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {}
