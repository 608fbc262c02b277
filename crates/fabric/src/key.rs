//! Where each record lives in the store.
//!
//! | key | record |
//! | --- | --- |
//! | `/objects/global` | [`GlobalRecord`] |
//! | `/objects/tenants/T` | [`TenantRecord`] |
//! | `/objects/networks/T:N` | [`NetworkRecord`] |
//! | `/objects/groups/T:G` | [`GroupRecord`] |
//! | `/objects/policies/T:P` | [`PolicyRecord`] |
//! | `/objects/rules/T:P:R` | [`RuleRecord`] |
//! | `/endpoints/ID` | [`EndpointRecord`] |
//! | `/docker-networks/ID` | [`DockerNetwork`](contiv_model::agent::DockerNetwork) |
//! | `/hosts/NAME` | [`HostRecord`] |
//! | `/tunnels/ADDRESS` | [`Owner`]: the host that is reached there |
//! | `/numbers/{tenants,networks,groups,rules}/NUMBER` | [`Owner`]: the object that has the number |
//! | `/counters/{tenants,networks,groups,rules}` | [`Counter`]: the number given last |
//! | `/tags/{vlan,vxlan}/TAG` | [`Owner`]: the network that has the tag |
//! | `/addresses/NUMBER/ADDRESS` | [`AddressState`], below its network's number |
//! | `/identity/…` | see [`Place`] |
//! | `/leases/WORK` | [`LeaseRecord`] |
//! | `/adoption` | [`AdoptionRecord`], after a restore |
//! | `/guards/fabric`, `/guards/tenants/T`, `/guards/networks/NUMBER`, `/guards/policies/T:P` | [`Guard`] |
//!
//! A compare sees one key, yet "no group is in this network" is about keys that do
//! not exist. So whatever adds to a tenant, to the list of networks, or a group to a
//! network, also writes the *guard* of it, and whatever relies on what is absent there
//! compares the guard. Of two such transactions that were decided on one image, the second
//! is decided anew.
//!
//! Addresses come by the thousand, from many masters, and each would wait for the others
//! at such a guard. They only compare the guard of their network, so that none is given
//! where a group was made or the network deleted meanwhile. Who relies on addresses that
//! are absent compares their whole range instead ([`Key::addresses`]): keys of addresses
//! are in the order of the addresses. The guard of a policy is written with each of its rules: its number is
//! that of the policy's last change.

mod earlier;
mod place;

use std::fmt;
use std::net::IpAddr;

#[allow(unused_imports, reason = "the table above links to it")]
use contiv_ipam::AddressState;
use contiv_model::agent::Encap;

pub use earlier::order_addresses;

use crate::identity::Place;
#[allow(unused_imports, reason = "the table above links to them")]
use crate::record::{
    AdoptionRecord, Counter, EndpointRecord, GlobalRecord, GroupRecord, Guard, HostRecord,
    LeaseRecord, NetworkRecord, Owner, PolicyRecord, RuleRecord, TenantRecord,
};

/// A place in the store, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Global,
    Tenant(String),
    Network(String),
    Group(String),
    Policy(String),
    Rule(String),
    Endpoint(String),
    DockerNetwork(String),
    Host(String),
    /// The host that is reached at an address.
    Tunnel(IpAddr),
    Number(Numbered, u32),
    Counter(Numbered),
    Tag(Encap, u32),
    /// An address of the network that has this number.
    Address(u32, IpAddr),
    Identity(Place),
    Lease(String),
    Adoption,
    FabricGuard,
    TenantGuard(String),
    NetworkGuard(u32),
    PolicyGuard(String),
}

/// What has a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbered {
    Tenants,
    Networks,
    Groups,
    Rules,
}

impl Numbered {
    fn word(self) -> &'static str {
        match self {
            Numbered::Tenants => "tenants",
            Numbered::Networks => "networks",
            Numbered::Groups => "groups",
            Numbered::Rules => "rules",
        }
    }

    fn parse(word: &str) -> Option<Numbered> {
        let all = [
            Numbered::Tenants,
            Numbered::Networks,
            Numbered::Groups,
            Numbered::Rules,
        ];
        all.into_iter().find(|numbered| numbered.word() == word)
    }
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Global => f.write_str("/objects/global"),
            Key::Tenant(name) => write!(f, "/objects/tenants/{name}"),
            Key::Network(name) => write!(f, "/objects/networks/{name}"),
            Key::Group(name) => write!(f, "/objects/groups/{name}"),
            Key::Policy(name) => write!(f, "/objects/policies/{name}"),
            Key::Rule(name) => write!(f, "/objects/rules/{name}"),
            Key::Endpoint(id) => write!(f, "/endpoints/{id}"),
            Key::DockerNetwork(id) => write!(f, "/docker-networks/{id}"),
            Key::Host(name) => write!(f, "/hosts/{name}"),
            Key::Tunnel(address) => write!(f, "/tunnels/{address}"),
            Key::Number(of, number) => write!(f, "/numbers/{}/{number}", of.word()),
            Key::Counter(of) => write!(f, "/counters/{}", of.word()),
            Key::Tag(Encap::Vlan, tag) => write!(f, "/tags/vlan/{tag}"),
            Key::Tag(Encap::Vxlan, tag) => write!(f, "/tags/vxlan/{tag}"),
            Key::Address(network, address) => {
                write!(f, "/addresses/{network}/{}", place::text(*address))
            }
            Key::Identity(place) => fmt::Display::fmt(place, f),
            Key::Lease(name) => write!(f, "/leases/{name}"),
            Key::Adoption => f.write_str("/adoption"),
            Key::FabricGuard => f.write_str("/guards/fabric"),
            Key::TenantGuard(name) => write!(f, "/guards/tenants/{name}"),
            Key::NetworkGuard(number) => write!(f, "/guards/networks/{number}"),
            Key::PolicyGuard(name) => write!(f, "/guards/policies/{name}"),
        }
    }
}

impl Key {
    /// The first and the last key that an address of the network can have.
    pub fn addresses(network: u32) -> (String, String) {
        // Comes after every digit.
        let all = |end: &str| format!("/addresses/{network}/{end}");
        (all(""), all("~"))
    }

    /// The place that a key of the store names; none when it is not one of ours.
    pub fn parse(key: &str) -> Option<Key> {
        if key == "/adoption" {
            return Some(Key::Adoption);
        }
        let mut parts = key.strip_prefix('/')?.splitn(3, '/');
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
        let named = || third.map(str::to_owned);
        let number = || third.and_then(|n| n.parse().ok());
        Some(match (first, second) {
            ("objects", "global") => Key::Global,
            ("objects", "tenants") => Key::Tenant(named()?),
            ("objects", "networks") => Key::Network(named()?),
            ("objects", "groups") => Key::Group(named()?),
            ("objects", "policies") => Key::Policy(named()?),
            ("objects", "rules") => Key::Rule(named()?),
            ("endpoints", _) => Key::Endpoint(key.strip_prefix("/endpoints/")?.to_owned()),
            ("docker-networks", _) => {
                Key::DockerNetwork(key.strip_prefix("/docker-networks/")?.to_owned())
            }
            ("hosts", _) => Key::Host(key.strip_prefix("/hosts/")?.to_owned()),
            ("tunnels", address) => Key::Tunnel(address.parse().ok()?),
            ("numbers", of) => Key::Number(Numbered::parse(of)?, number()?),
            ("counters", of) => Key::Counter(Numbered::parse(of)?),
            ("tags", "vlan") => Key::Tag(Encap::Vlan, number()?),
            ("tags", "vxlan") => Key::Tag(Encap::Vxlan, number()?),
            ("addresses", network) => Key::Address(network.parse().ok()?, place::parse(third?)?),
            ("identity", _) => Key::Identity(Place::parse(second, third)?),
            ("leases", name) => Key::Lease(name.to_owned()),
            ("guards", "fabric") => Key::FabricGuard,
            ("guards", "tenants") => Key::TenantGuard(named()?),
            ("guards", "networks") => Key::NetworkGuard(number()?),
            ("guards", "policies") => Key::PolicyGuard(named()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_as_it_is_written() {
        let name = || "blue:web".to_owned();
        for key in [
            Key::Global,
            Key::Tenant("blue".into()),
            Key::Network(name()),
            Key::Group(name()),
            Key::Policy(name()),
            Key::Rule("blue:web:1".into()),
            Key::Endpoint("a/b/c".into()),
            Key::DockerNetwork("0123".into()),
            Key::Host("h1.example".into()),
            Key::Tunnel("192.0.2.7".parse().unwrap()),
            Key::Number(Numbered::Rules, 16),
            Key::Counter(Numbered::Groups),
            Key::Tag(Encap::Vlan, 4094),
            Key::Tag(Encap::Vxlan, 1),
            Key::Address(7, "10.1.1.1".parse().unwrap()),
            Key::Address(7, "fd00::1".parse().unwrap()),
            Key::Identity(Place::Authority),
            Key::Identity(Place::Admin),
            Key::Identity(Place::Token("0a".into())),
            Key::Identity(Place::Certificate("h/1".into())),
            Key::Lease("sweep".into()),
            Key::Adoption,
            Key::FabricGuard,
            Key::TenantGuard("blue".into()),
            Key::NetworkGuard(7),
            Key::PolicyGuard(name()),
        ] {
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
        for foreign in [
            "",
            "/",
            "objects/global",
            "/objects/volumes/x",
            "/tags/vlan/x",
        ] {
            assert_eq!(Key::parse(foreign), None, "{foreign}");
        }
    }
}
