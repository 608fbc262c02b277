//! What decisions should come to, obvious by reading: sets that are walked.

mod hosts;
mod objects;
mod pools;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contiv_model::agent::{DockerNetwork, PoolRef};
use contiv_model::object::{EndpointGroup, Network, Rule};

use crate::world::Step;

/// The state of an address. One that is free has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Gateway,
    Auxiliary(String, String),
    /// The host, since when, and whether the host is still awaited for who had it before.
    Tentative(String, u64, bool),
    Bound(String, String),
    /// Awaited hosts, and the number of the commit that they are to apply.
    Draining(BTreeSet<String>, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) boot: String,
    pub(super) pool: PoolRef,
    pub(super) addresses: Vec<IpAddr>,
}

/// Everything, by the keys of the API.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) tenants: BTreeSet<String>,
    /// Networks with the tags that they got.
    pub(super) networks: BTreeMap<String, (Network, u32)>,
    pub(super) groups: BTreeMap<String, EndpointGroup>,
    /// With their tiers.
    pub(super) policies: BTreeMap<String, String>,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) docker_networks: BTreeMap<String, DockerNetwork>,
    /// Boots and tunnel addresses.
    pub(super) hosts: BTreeMap<String, (String, Option<IpAddr>)>,
    pub(super) uses: BTreeMap<(String, IpAddr), Use>,
    pub(super) vlans: (u32, u32),
}

/// The step is refused.
#[derive(Debug)]
pub(super) struct Refused;

type Outcome = Result<(), Refused>;

fn require(holds: bool) -> Outcome {
    holds.then_some(()).ok_or(Refused)
}

impl Reference {
    pub(super) fn new() -> Reference {
        Reference {
            tenants: BTreeSet::from(["default".to_owned()]),
            vlans: (1, 4094),
            ..Reference::default()
        }
    }

    /// Does the step at `time`, as commit `number`, or nothing.
    pub(super) fn take(&mut self, step: &Step, time: u64, number: u64) -> Outcome {
        match step {
            Step::PutTenant(name) => {
                self.tenants.insert((*name).to_owned());
                Ok(())
            }
            Step::DeleteTenant(name) => {
                let inside = format!("{name}:");
                require(*name != "default")?;
                require(!self.groups.keys().any(|key| key.starts_with(&inside)))?;
                require(!self.policies.keys().any(|key| key.starts_with(&inside)))?;
                require(!self.networks.keys().any(|key| key.starts_with(&inside)))?;
                require(self.tenants.remove(*name))
            }
            Step::PutNetwork(network) => self.put_network(network),
            Step::DeleteNetwork(key) => {
                require(!self.groups.values().any(|g| network_of_group(g) == *key))?;
                require(!self.endpoints.values().any(|e| network_of(&e.pool) == *key))?;
                self.uses.retain(|(network, _), _| network != key);
                require(self.networks.remove(key).is_some())
            }
            Step::PutGroup(group) => self.put_group(group),
            Step::DeleteGroup(key) => {
                let here = |e: &Endpoint| group_of(&e.pool).as_ref() == Some(key);
                require(!self.endpoints.values().any(here))?;
                require(self.groups.remove(key).is_some())
            }
            Step::PutPolicy(policy) => {
                require(self.tenants.contains(&policy.tenant_name))?;
                let key = format!("{}:{}", policy.tenant_name, policy.policy_name);
                let known = self.policies.get(&key);
                let tier = match (policy.tier.as_str(), known) {
                    ("", Some(tier)) => tier,
                    (tier, _) => tier,
                };
                let inside = format!("{key}:");
                let passes =
                    |(rule, r): (&String, &Rule)| rule.starts_with(&inside) && r.action == "pass";
                require(tier != "baseline" || !self.rules.iter().any(passes))?;
                let tier = tier.to_owned();
                self.policies.insert(key, tier);
                Ok(())
            }
            Step::DeletePolicy(key) => {
                let has = |g: &EndpointGroup| {
                    let mut names = g.policies.iter();
                    names.any(|policy| format!("{}:{policy}", g.tenant_name) == *key)
                };
                require(!self.groups.values().any(has))?;
                let inside = format!("{key}:");
                self.rules.retain(|rule, _| !rule.starts_with(&inside));
                require(self.policies.remove(key).is_some())
            }
            Step::PutRule(rule) => self.put_rule(rule),
            Step::DeleteRule(key) => require(self.rules.remove(key).is_some()),
            Step::PutGlobal(global) => {
                let (first, last) = global.vlans.split_once('-').unwrap();
                let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
                let inside = |tag: &u32| (first..=last).contains(tag);
                require(self.tags("vlan").iter().all(inside))?;
                self.vlans = (first, last);
                Ok(())
            }
            Step::RequestAddress(host, request) => {
                let address = self.choose(host, &request.pool, request.address, false)?;
                let place = (network_of(&request.pool), address);
                let drains = self.uses.contains_key(&place);
                let granted = Use::Tentative((*host).to_owned(), time, drains);
                match self.seen_by(host, &place) {
                    None => {
                        self.uses.insert(place, granted);
                        Ok(())
                    }
                    Some(
                        Use::Tentative(holder, ..)
                        | Use::Bound(_, holder)
                        | Use::Auxiliary(_, holder),
                    ) => require(holder == host),
                    Some(_) => Err(Refused),
                }
            }
            Step::ReleaseAddress(host, release) => {
                let place = (network_of(&release.pool), release.address);
                let has = |u: &Use| matches!(u, Use::Tentative(h, ..) if h == host);
                self.give_back(number, |at, holder| *at == place && has(holder));
                Ok(())
            }
            Step::PutEndpoint(host, id, request) => {
                let wish = request.ipv4.map(IpAddr::from);
                if let Some(known) = self.endpoints.get(id) {
                    require(known.host == *host && known.pool == request.pool)?;
                    return require(wish.is_none_or(|wish| known.addresses[0] == wish));
                }
                let mut addresses = vec![self.choose(host, &request.pool, wish, false)?];
                if !self.networks[&network_of(&request.pool)]
                    .0
                    .ipv6_subnet
                    .is_empty()
                {
                    addresses.push(self.choose(host, &request.pool, None, true)?);
                }
                for address in &addresses {
                    let place = (network_of(&request.pool), *address);
                    match self.seen_by(host, &place) {
                        None => {}
                        Some(Use::Tentative(holder, ..)) if holder == host => {}
                        Some(_) => return Err(Refused),
                    }
                }
                for address in &addresses {
                    let place = (network_of(&request.pool), *address);
                    let bound = Use::Bound(id.clone(), (*host).to_owned());
                    self.uses.insert(place, bound);
                }
                let endpoint = Endpoint {
                    host: (*host).to_owned(),
                    boot: self
                        .hosts
                        .get(*host)
                        .map(|h| h.0.clone())
                        .unwrap_or_default(),
                    pool: request.pool.clone(),
                    addresses,
                };
                self.endpoints.insert(id.clone(), endpoint);
                Ok(())
            }
            Step::DeleteEndpoint(host, id) => {
                let Some(known) = self.endpoints.get(id).cloned() else {
                    return Ok(());
                };
                require(known.host == *host)?;
                self.end(std::slice::from_ref(id), number);
                Ok(())
            }
            Step::PutDockerNetwork(binding) => self.put_docker_network(binding),
            Step::DeleteDockerNetwork(host, id) => {
                if let Some(known) = self.docker_networks.get(id) {
                    require(known.host == *host)?;
                    let own = Use::Auxiliary(id.clone(), (*host).to_owned());
                    self.uses.retain(|_, holder| *holder != own);
                    self.docker_networks.remove(id);
                }
                Ok(())
            }
            Step::Register(host, boot, tunnel) => self.register(host, boot, *tunnel),
            Step::CollectBoots(host) => {
                self.collect_boots(host, number);
                Ok(())
            }
            Step::CollectHost(host) => {
                self.collect_host(host, number);
                Ok(())
            }
            Step::Expire(age) => {
                let before = time.saturating_sub(*age);
                let old = |u: &Use| matches!(u, Use::Tentative(_, since, _) if *since < before);
                self.give_back(number, |_, holder| old(holder));
                Ok(())
            }
            Step::Settle(behind) => {
                // The image is the one of the commit before this one.
                let applied: BTreeMap<&str, u64> = behind
                    .iter()
                    .map(|(host, behind)| (*host, (number - 1).saturating_sub(*behind)))
                    .collect();
                let hosts = &self.hosts;
                let furthest = applied.values().max().copied().unwrap_or_default();
                self.uses.retain(|(network, _), holder| match holder {
                    Use::Draining(_, at) if *at > furthest => true,
                    Use::Draining(awaited, at) => {
                        let late = |h: &&str| applied[*h] < *at;
                        let of_hosts = network.starts_with("default:");
                        let mut awaited = awaited.iter().filter(|h| hosts.contains_key(*h));
                        awaited.any(|h| late(&h.as_str())) || of_hosts && applied.keys().any(late)
                    }
                    _ => true,
                });
                Ok(())
            }
        }
    }

    /// Ends grants.
    fn give_back(&mut self, number: u64, which: impl Fn(&(String, IpAddr), &Use) -> bool) {
        self.uses.retain(|at, holder| {
            let ends = which(at, holder);
            match holder {
                Use::Tentative(_, _, false) if ends => return false,
                Use::Tentative(host, _, true) if ends => {
                    *holder = Use::Draining(BTreeSet::from([host.clone()]), number);
                }
                _ => {}
            }
            true
        });
    }

    pub(super) fn tags(&self, encap: &str) -> BTreeSet<u32> {
        let same = self.networks.values().filter(|(n, _)| n.encap == encap);
        same.map(|(_, tag)| *tag).collect()
    }
}

fn network_of(pool: &PoolRef) -> String {
    format!("{}:{}", pool.tenant, pool.network)
}

fn group_of(pool: &PoolRef) -> Option<String> {
    let group = pool.group.as_ref()?;
    Some(format!("{}:{group}", pool.tenant))
}

fn network_of_group(group: &EndpointGroup) -> String {
    format!("{}:{}", group.tenant_name, group.network_name)
}
