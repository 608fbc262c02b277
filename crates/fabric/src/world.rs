//! A fabric for tests: an image beside the entries of its store, and random requests.

#![allow(clippy::unwrap_used, reason = "a test")]

mod steps;

pub(crate) use steps::{HOSTS, step};

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_model::agent::{
    AddressRelease, AddressRequest, DockerNetwork, EndpointRequest, Register, STREAM_VERSION,
};
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use contiv_store::{Entry, Transaction, Write};

use crate::record::Stamp;
use crate::{Applied, Decided, Decision, HostReports, Image, Presets, Refusal};
use steps::{NETWORKS, SUBNETS, TENANTS, policy};

/// A store's contents, and the image that follows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) image: Image,
    entries: BTreeMap<String, Entry>,
    pub(crate) time: u64,
    pub(crate) reports: HostReports,
}

/// A request.
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
    /// A host, its boot and its tunnel address.
    Register(&'static str, &'static str, Option<IpAddr>),
    CollectBoots(&'static str),
    CollectHost(&'static str),
    /// Addresses that are tentative for so long are free again.
    Expire(u64),
    /// How many commits each host is behind.
    Settle(Vec<(&'static str, u64)>),
}

/// The first words of a host in this boot.
pub(crate) fn register(boot: &str, tunnel: Option<IpAddr>) -> Register {
    Register {
        stream_version: STREAM_VERSION,
        oldest_stream_version: None,
        agent_version: "1".into(),
        boot_id: boot.into(),
        taken: Vec::new(),
        tunnel,
        mtu: None,
        control: None,
        vxlan_port: None,
    }
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
            for (name, (subnet, gateway)) in NETWORKS.into_iter().zip(SUBNETS).take(2) {
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
        for range in &transaction.unchanged {
            let within = range.first.clone()..=range.last.clone();
            let mut entries = self.entries.range(within);
            if entries.any(|(_, entry)| entry.number > range.since) {
                return Err(range.first.clone());
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
            Step::DeleteEndpoint(host, id) => crate::delete_endpoint(image, host, id).map(only),
            Step::PutDockerNetwork(binding) => crate::put_docker_network(image, binding).map(only),
            Step::DeleteDockerNetwork(host, id) => {
                crate::delete_docker_network(image, host, id).map(only)
            }
            Step::Register(host, boot, tunnel) => {
                let register = register(boot, *tunnel);
                crate::register_host(image, &self.reports, time, host, &register).map(only)
            }
            Step::CollectBoots(host) => crate::collect_boots(image, host).map(only),
            Step::CollectHost(host) => crate::collect_host(image, host, None).map(only),
            Step::Expire(age) => Ok(crate::expire(image, time.saturating_sub(*age))),
            Step::Settle(behind) => {
                let applied = |(host, behind): &(&str, u64)| {
                    let number = image.number().saturating_sub(*behind);
                    ((*host).to_owned(), number)
                };
                let applied: BTreeMap<_, _> = behind.iter().map(applied).collect();
                let everywhere = applied.values().min().copied().unwrap_or(u64::MAX);
                Ok(crate::settle(image, &applied, everywhere))
            }
        }
    }
}
