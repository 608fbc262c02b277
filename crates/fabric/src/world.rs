//! A fabric for tests: an image beside the entries of its store, and random requests.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use contiv_model::agent::{
    AddressRelease, AddressRequest, DockerNetwork, EndpointRequest, PoolRef,
};
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use contiv_store::{Entry, Transaction, Write};
use proptest::prelude::*;
use proptest::sample::select;

use crate::record::Stamp;
use crate::{Applied, Decided, Decision, HostReports, Image, Presets, Refusal};

/// A store's contents, and the image that follows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) image: Image,
    entries: BTreeMap<String, Entry>,
    pub(crate) time: u64,
    pub(crate) reports: HostReports,
}

/// A request, in few names so that requests meet.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    PutTenant(&'static str),
    DeleteTenant(&'static str),
    PutNetwork(Box<Network>),
    DeleteNetwork(String),
    PutGroup(EndpointGroup),
    DeleteGroup(String),
    PutPolicy(Policy),
    DeletePolicy(String),
    PutRule(Box<Rule>),
    DeleteRule(String),
    PutGlobal(Global),
    RequestAddress(&'static str, AddressRequest),
    ReleaseAddress(&'static str, AddressRelease),
    PutEndpoint(&'static str, String, EndpointRequest),
    DeleteEndpoint(&'static str, String),
    PutDockerNetwork(DockerNetwork),
    DeleteDockerNetwork(&'static str, String),
    /// Addresses that are tentative for so long are free again.
    Expire(u64),
    /// How many commits each host is behind.
    Settle(Vec<(&'static str, u64)>),
}

impl World {
    /// A fabric as it is after its first start.
    pub(crate) fn new() -> World {
        let mut world = World::default();
        let (global, tenant) = (world.stamp(), world.stamp());
        let first = crate::bootstrap(&world.image, Presets::default(), &global, &tenant);
        world.grant(first);
        world
    }

    /// The same with tenants, networks, groups, policies and rules, so that steps find
    /// something: tenant `red` is empty, network `n2` only has rules about it.
    pub(crate) fn furnished() -> World {
        let mut world = World::new();
        for tenant in TENANTS {
            world.take(&Step::PutTenant(tenant));
        }
        for tenant in ["default", "blue"] {
            for (name, subnet, gateway) in SUBNETS
                .iter()
                .take(2)
                .zip(NETWORKS)
                .map(|((subnet, gateway), name)| (name, *subnet, *gateway))
            {
                world.take(&Step::PutNetwork(Box::new(Network {
                    tenant_name: tenant.into(),
                    network_name: name.into(),
                    encap: "vlan".into(),
                    subnet: subnet.into(),
                    gateway: gateway.into(),
                    ..Network::default()
                })));
            }
            world.take(&Step::PutPolicy(policy(&format!("{tenant}:p1"))));
            world.take(&Step::PutGroup(EndpointGroup {
                tenant_name: tenant.into(),
                group_name: "g1".into(),
                network_name: "n1".into(),
                policies: vec!["p1".into()],
                ..EndpointGroup::default()
            }));
            for (id, group, network) in [("r1", "g1", ""), ("r2", "", "n2")] {
                world.take(&Step::PutRule(Box::new(Rule {
                    tenant_name: tenant.into(),
                    policy_name: "p1".into(),
                    rule_id: id.into(),
                    direction: "in".into(),
                    action: "allow".into(),
                    from_endpoint_group: group.into(),
                    from_network: network.into(),
                    ..Rule::default()
                })));
            }
        }
        world
    }

    fn take(&mut self, step: &Step) {
        let transaction = self.decide(step).unwrap();
        self.commit(transaction).unwrap();
    }

    /// The next moment, and a uid of it.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.time += 1;
        Stamp {
            uid: format!("uid-{}", self.time),
            time: self.time,
        }
    }

    /// Commits what was granted and gives the answer.
    pub(crate) fn grant<A>(&mut self, decided: Decided<A>) -> A {
        let Decision {
            transaction,
            answer,
        } = decided.unwrap();
        self.commit(transaction).unwrap();
        answer
    }

    /// What the store would do: the key that has changed is the error.
    pub(crate) fn commit(&mut self, transaction: Transaction) -> Result<Applied, String> {
        self.holds(&transaction)?;
        if transaction.writes.is_empty() {
            return Ok(Applied::default());
        }
        let number = self.image.number() + 1;
        for write in transaction.writes.clone() {
            match write {
                Write::Delete { key } => {
                    self.entries.remove(&key);
                }
                Write::Put { key, value } => {
                    let entry = Entry {
                        key: key.clone(),
                        value,
                        number,
                    };
                    self.entries.insert(key, entry);
                }
            }
        }
        Ok(self.image.apply(number, &transaction.writes).unwrap())
    }

    /// Whether the store would commit this.
    pub(crate) fn holds(&self, transaction: &Transaction) -> Result<(), String> {
        for compare in &transaction.compares {
            let number = self.entries.get(&compare.key).map_or(0, |e| e.number);
            if number != compare.number {
                return Err(compare.key.clone());
            }
        }
        Ok(())
    }

    /// The image that a master would make of the store at its start.
    pub(crate) fn reloaded(&self) -> Image {
        Image::load(self.image.number(), self.entries.values().cloned()).unwrap()
    }

    /// Decides a step on the image as it is.
    pub(crate) fn decide(&mut self, step: &Step) -> Result<Transaction, Refusal> {
        let stamp = self.stamp();
        let (image, time) = (&self.image, self.time);
        fn only<A>(decision: Decision<A>) -> Transaction {
            decision.transaction
        }
        match step {
            Step::PutTenant(name) => {
                let tenant = Tenant {
                    tenant_name: (*name).into(),
                    ..Tenant::default()
                };
                crate::put_tenant(image, &stamp, &tenant, None).map(only)
            }
            Step::DeleteTenant(name) => crate::delete_tenant(image, name, None).map(only),
            Step::PutNetwork(network) => {
                crate::put_network(image, &self.reports, &stamp, network, None).map(only)
            }
            Step::DeleteNetwork(key) => crate::delete_network(image, key, None).map(only),
            Step::PutGroup(group) => crate::put_group(image, &stamp, group, None).map(only),
            Step::DeleteGroup(key) => crate::delete_group(image, key, None).map(only),
            Step::PutPolicy(policy) => crate::put_policy(image, &stamp, policy, None).map(only),
            Step::DeletePolicy(key) => crate::delete_policy(image, key, None).map(only),
            Step::PutRule(rule) => crate::put_rule(image, &stamp, rule, None).map(only),
            Step::DeleteRule(key) => crate::delete_rule(image, key, None).map(only),
            Step::PutGlobal(global) => crate::put_global(image, &stamp, global, None).map(only),
            Step::RequestAddress(host, request) => {
                crate::request_address(image, time, host, request).map(only)
            }
            Step::ReleaseAddress(host, release) => {
                crate::release_address(image, host, release).map(only)
            }
            Step::PutEndpoint(host, id, request) => {
                crate::put_endpoint(image, time, host, id, request).map(only)
            }
            Step::DeleteEndpoint(host, id) => {
                crate::delete_endpoint(image, &self.reports, host, id).map(only)
            }
            Step::PutDockerNetwork(binding) => crate::put_docker_network(image, binding).map(only),
            Step::DeleteDockerNetwork(host, id) => {
                crate::delete_docker_network(image, host, id).map(only)
            }
            Step::Expire(age) => Ok(crate::expire(image, time.saturating_sub(*age))),
            Step::Settle(behind) => {
                let applied = |(host, behind): &(&str, u64)| {
                    let number = image.number().saturating_sub(*behind);
                    ((*host).to_owned(), number)
                };
                Ok(crate::settle(image, &behind.iter().map(applied).collect()))
            }
        }
    }
}

// === Requests at random ===

const TENANTS: [&str; 3] = ["default", "blue", "red"];
pub(crate) const HOSTS: [&str; 2] = ["h1", "h2"];

/// One request.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let objects = prop_oneof![
        3 => tenant().prop_map(Step::PutTenant),
        1 => tenant().prop_map(Step::DeleteTenant),
        4 => network().prop_map(|n| Step::PutNetwork(Box::new(n))),
        2 => key(&NETWORKS).prop_map(Step::DeleteNetwork),
        4 => group().prop_map(Step::PutGroup),
        2 => key(&GROUPS).prop_map(Step::DeleteGroup),
        3 => key(&POLICIES).prop_map(|key| Step::PutPolicy(policy(&key))),
        1 => key(&POLICIES).prop_map(Step::DeletePolicy),
        4 => rule().prop_map(|r| Step::PutRule(Box::new(r))),
        1 => (key(&POLICIES), select(vec!["r1", "r2"]))
            .prop_map(|(policy, id)| Step::DeleteRule(format!("{policy}:{id}"))),
        1 => select(vec!["1-4", "2-5", "1-6"]).prop_map(|vlans| {
            Step::PutGlobal(Global { vlans: vlans.into(), ..Global::default() })
        }),
    ];
    let addresses = prop_oneof![
        4 => (host(), pool(), address()).prop_map(|(host, pool, address)| {
            Step::RequestAddress(host, AddressRequest { pool, ipv6: false, address })
        }),
        2 => (host(), pool(), any_address()).prop_map(|(host, pool, address)| {
            Step::ReleaseAddress(host, AddressRelease { pool, address })
        }),
        6 => (host(), endpoint_id(), pool(), address()).prop_map(|(host, id, pool, address)| {
            let ipv4 = address.map(|address| match address {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => unreachable!("addresses at random are IPv4"),
            });
            let request = EndpointRequest { pool, ipv4, ipv6: None, mac: None };
            Step::PutEndpoint(host, id, request)
        }),
        4 => (host(), endpoint_id()).prop_map(|(host, id)| Step::DeleteEndpoint(host, id)),
        2 => docker_network().prop_map(Step::PutDockerNetwork),
        1 => (host(), select(vec!["d1", "d2"]))
            .prop_map(|(host, id)| Step::DeleteDockerNetwork(host, id.into())),
        1 => (0u64..20).prop_map(Step::Expire),
        2 => (0u64..6, 0u64..6).prop_map(|(a, b)| Step::Settle(vec![("h1", a), ("h2", b)])),
    ];
    prop_oneof![objects, addresses]
}

const NETWORKS: [&str; 3] = ["n1", "n2", "both"];
const GROUPS: [&str; 3] = ["g1", "g2", "both"];
const POLICIES: [&str; 2] = ["p1", "p2"];

fn tenant() -> impl Strategy<Value = &'static str> {
    // The first one most of the time: what is there is to be used.
    prop_oneof![3 => Just(TENANTS[0]), 2 => Just(TENANTS[1]), 1 => Just(TENANTS[2])]
}

fn host() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(HOSTS[0]), 1 => Just(HOSTS[1])]
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(names[0]), 1 => select(names.to_vec())]
}

fn key(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    (tenant(), name(names)).prop_map(|(tenant, name)| format!("{tenant}:{name}"))
}

/// Subnets with their gateways.
const SUBNETS: [(&str, &str); 4] = [
    ("10.0.0.0/29", "10.0.0.6"),
    ("10.0.0.8/30", ""),
    ("10.0.0.3-10.0.0.5/29", "10.0.0.1"),
    ("10.0.0.0/28", ""),
];

fn network() -> impl Strategy<Value = Network> {
    let subnet = select(SUBNETS.to_vec());
    let encap = select(vec!["vlan", "vxlan"]);
    let tag = prop_oneof![2 => Just(0), 1 => 1..8u32];
    (tenant(), name(&NETWORKS), subnet, encap, tag, any::<bool>()).prop_map(
        |(tenant, name, (subnet, gateway), encap, pkt_tag, ipv6)| Network {
            tenant_name: tenant.into(),
            network_name: name.into(),
            encap: encap.into(),
            pkt_tag,
            subnet: subnet.into(),
            gateway: gateway.into(),
            ipv6_subnet: match ipv6 {
                true => format!("fd00:{}::/126", &name[1..2].replace('o', "3")),
                false => String::new(),
            },
            ..Network::default()
        },
    )
}

fn group() -> impl Strategy<Value = EndpointGroup> {
    let pool = select(vec!["", "", "10.0.0.2-10.0.0.3", "10.0.0.4-10.0.0.4"]);
    let policies = proptest::sample::subsequence(POLICIES.to_vec(), 0..=2);
    (tenant(), name(&GROUPS), name(&NETWORKS), pool, policies).prop_map(
        |(tenant, name, network, pool, policies)| EndpointGroup {
            tenant_name: tenant.into(),
            group_name: name.into(),
            network_name: network.into(),
            ip_pool: pool.into(),
            policies: policies.into_iter().map(str::to_owned).collect(),
            ..EndpointGroup::default()
        },
    )
}

fn policy(key: &str) -> Policy {
    let (tenant, name) = key.split_once(':').unwrap();
    Policy {
        tenant_name: tenant.into(),
        policy_name: name.into(),
        ..Policy::default()
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let peer = prop_oneof![
        Just(("", "")),
        name(&GROUPS).prop_map(|group| (group, "")),
        name(&NETWORKS).prop_map(|network| ("", network)),
    ];
    let id = select(vec!["r1", "r2"]);
    (key(&POLICIES), id, peer, 1..3u32).prop_map(|(policy, id, (group, network), priority)| {
        let (tenant, policy) = policy.split_once(':').unwrap();
        Rule {
            tenant_name: tenant.into(),
            policy_name: policy.into(),
            rule_id: id.into(),
            direction: "in".into(),
            action: "allow".into(),
            from_endpoint_group: group.into(),
            from_network: network.into(),
            priority,
            ..Rule::default()
        }
    })
}

fn pool() -> impl Strategy<Value = PoolRef> {
    let group = prop_oneof![2 => Just(None), 1 => name(&GROUPS).prop_map(Some)];
    (tenant(), name(&NETWORKS), group).prop_map(|(tenant, network, group)| PoolRef {
        tenant: tenant.into(),
        network: network.into(),
        group: group.map(str::to_owned),
    })
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    (0..12u8).prop_map(|last| Ipv4Addr::new(10, 0, 0, last).into())
}

fn address() -> impl Strategy<Value = Option<IpAddr>> {
    prop_oneof![2 => Just(None), 1 => any_address().prop_map(Some)]
}

fn endpoint_id() -> impl Strategy<Value = String> {
    (0..8u8).prop_map(|n| format!("e{n}"))
}

fn docker_network() -> impl Strategy<Value = DockerNetwork> {
    let id = select(vec!["d1", "d2"]);
    let aux = proptest::collection::vec(any_address(), 0..2);
    (host(), id, pool(), aux).prop_map(|(host, id, pool, aux_addresses)| DockerNetwork {
        id: id.into(),
        host: host.into(),
        tenant: pool.tenant,
        network: pool.network,
        group: pool.group,
        aux_addresses,
    })
}
