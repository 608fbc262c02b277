//! What decisions should come to, obvious by reading: sets that are walked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use contiv_model::agent::{DockerNetwork, PoolRef};
use contiv_model::object::{EndpointGroup, Network, Rule};

use crate::world::Step;

/// The state of an address. One that is free has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Gateway,
    Auxiliary(String, String),
    Tentative(String, u64),
    Bound(String, String),
    /// Awaited hosts, and the number of the commit that they are to apply.
    Draining(BTreeSet<String>, u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: String,
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
    pub(super) policies: BTreeSet<String>,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    pub(super) docker_networks: BTreeMap<String, DockerNetwork>,
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
                require(!self.policies.iter().any(|key| key.starts_with(&inside)))?;
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
                self.policies.insert(key);
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
                require(self.policies.remove(key))
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
                let granted = Use::Tentative((*host).to_owned(), time);
                match self.seen_by(host, &place) {
                    None => {
                        self.uses.insert(place, granted);
                        Ok(())
                    }
                    Some(
                        Use::Tentative(holder, _)
                        | Use::Bound(_, holder)
                        | Use::Auxiliary(_, holder),
                    ) => require(holder == host),
                    Some(_) => Err(Refused),
                }
            }
            Step::ReleaseAddress(host, release) => {
                let place = (network_of(&release.pool), release.address);
                if matches!(self.uses.get(&place), Some(Use::Tentative(h, _)) if h == host) {
                    self.uses.remove(&place);
                }
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
                        Some(Use::Tentative(holder, _)) if holder == host => {}
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
                let tenant = &known.pool.tenant;
                let present = self.endpoints.values().filter(|e| e.pool.tenant == *tenant);
                let awaited: BTreeSet<String> = present.map(|e| e.host.clone()).collect();
                for address in &known.addresses {
                    let place = (network_of(&known.pool), *address);
                    let draining = Use::Draining(awaited.clone(), number);
                    self.uses.insert(place, draining);
                }
                self.endpoints.remove(id);
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
            Step::Expire(age) => {
                let before = time.saturating_sub(*age);
                let old = |u: &Use| matches!(u, Use::Tentative(_, since) if *since < before);
                self.uses.retain(|_, holder| !old(holder));
                Ok(())
            }
            Step::Settle(behind) => {
                // The image is the one of the commit before this one.
                let applied: BTreeMap<&str, u64> = behind
                    .iter()
                    .map(|(host, behind)| (*host, (number - 1).saturating_sub(*behind)))
                    .collect();
                self.uses.retain(|_, holder| match holder {
                    Use::Draining(awaited, at) => awaited.iter().any(|h| applied[h.as_str()] < *at),
                    _ => true,
                });
                Ok(())
            }
        }
    }

    pub(super) fn tags(&self, encap: &str) -> BTreeSet<u32> {
        let same = self.networks.values().filter(|(n, _)| n.encap == encap);
        same.map(|(_, tag)| *tag).collect()
    }

    fn put_network(&mut self, network: &Network) -> Outcome {
        require(self.tenants.contains(&network.tenant_name))?;
        let key = format!("{}:{}", network.tenant_name, network.network_name);
        if let Some((known, tag)) = self.networks.get(&key) {
            let same = Network {
                pkt_tag: known.pkt_tag,
                ..network.clone()
            };
            require(same == *known)?;
            return require(network.pkt_tag == 0 || network.pkt_tag == *tag);
        }
        require(!self.groups.contains_key(&key))?;
        for (other, _) in self.networks.values() {
            let same_tenant = other.tenant_name == network.tenant_name;
            let ours = claimed(network);
            let theirs = claimed(other);
            let shared = ours.iter().any(|a| theirs.contains(a))
                || theirs.iter().any(|a| a.to_string() == network.gateway)
                || ours.iter().any(|a| a.to_string() == other.gateway);
            require(!same_tenant || !shared)?;
        }
        let used = self.tags(&network.encap);
        let (first, last) = match network.encap.as_str() {
            "vlan" => self.vlans,
            _ => (1, 10000),
        };
        let mut free = (first..=last).filter(|tag| !used.contains(tag));
        let tag = match network.pkt_tag {
            0 => free.next(),
            wish => free.find(|tag| *tag == wish),
        };
        let tag = tag.ok_or(Refused)?;
        if !network.gateway.is_empty() {
            let gateway = network.gateway.parse().unwrap();
            self.uses.insert((key.clone(), gateway), Use::Gateway);
        }
        self.networks.insert(key, (network.clone(), tag));
        Ok(())
    }

    fn put_group(&mut self, group: &EndpointGroup) -> Outcome {
        let key = format!("{}:{}", group.tenant_name, group.group_name);
        require(self.tenants.contains(&group.tenant_name))?;
        let network = self.networks.get(&network_of_group(group)).ok_or(Refused)?;
        for policy in &group.policies {
            let policy = format!("{}:{policy}", group.tenant_name);
            require(self.policies.contains(&policy))?;
        }
        match self.groups.get(&key) {
            Some(known) => {
                require(known.network_name == group.network_name)?;
                require(known.ip_pool == group.ip_pool)?;
            }
            None => {
                require(!self.networks.contains_key(&key))?;
                let usable = usable(&network.0);
                for address in range(&group.ip_pool) {
                    require(usable.contains(&address))?;
                    let place = (network_of_group(group), address.into());
                    require(!self.uses.contains_key(&place))?;
                    let taken = |other: &EndpointGroup| {
                        network_of_group(other) == network_of_group(group)
                            && range(&other.ip_pool).contains(&address)
                    };
                    require(!self.groups.values().any(taken))?;
                }
            }
        }
        self.groups.insert(key, group.clone());
        Ok(())
    }

    fn put_rule(&mut self, rule: &Rule) -> Outcome {
        let key = format!("{}:{}:{}", rule.tenant_name, rule.policy_name, rule.rule_id);
        if self.rules.get(&key) == Some(rule) {
            return Ok(()); // Even if its peer is gone by now.
        }
        let name = |name: &str| format!("{}:{name}", rule.tenant_name);
        require(self.policies.contains(&name(&rule.policy_name)))?;
        let group = &rule.from_endpoint_group;
        require(group.is_empty() || self.groups.contains_key(&name(group)))?;
        let network = &rule.from_network;
        require(network.is_empty() || self.networks.contains_key(&name(network)))?;
        self.rules.insert(key, rule.clone());
        Ok(())
    }

    fn put_docker_network(&mut self, binding: &DockerNetwork) -> Outcome {
        let pool = PoolRef {
            tenant: binding.tenant.clone(),
            network: binding.network.clone(),
            group: binding.group.clone(),
        };
        let own = Use::Auxiliary(binding.id.clone(), binding.host.clone());
        if let Some(known) = self.docker_networks.get(&binding.id) {
            if known == binding {
                return Ok(());
            }
            require(known.host == binding.host)?;
        }
        self.check_pool(&pool)?;
        let network = network_of(&pool);
        let (object, _) = &self.networks[&network];
        for address in &binding.aux_addresses {
            let hosts = subnet(object).2;
            require(hosts.iter().any(|host| IpAddr::from(*host) == *address))?;
            match self.uses.get(&(network.clone(), *address)) {
                None => {}
                Some(Use::Tentative(holder, _)) if *holder == binding.host => {}
                Some(holder) => require(*holder == own)?,
            }
        }
        self.uses.retain(|_, holder| *holder != own);
        for address in &binding.aux_addresses {
            self.uses.insert((network.clone(), *address), own.clone());
        }
        self.docker_networks
            .insert(binding.id.clone(), binding.clone());
        Ok(())
    }

    fn check_pool(&self, pool: &PoolRef) -> Outcome {
        require(self.networks.contains_key(&network_of(pool)))?;
        match group_of(pool) {
            None => Ok(()),
            Some(group) => {
                let known = self.groups.get(&group).ok_or(Refused)?;
                require(known.network_name == pool.network)
            }
        }
    }

    /// The wish if the pool has it, or the lowest that is free, or the lowest that is
    /// draining for this host alone.
    fn choose(
        &self,
        host: &str,
        pool: &PoolRef,
        wish: Option<IpAddr>,
        ipv6: bool,
    ) -> Result<IpAddr, Refused> {
        self.check_pool(pool)?;
        let addresses = self.addresses(pool, ipv6);
        if let Some(wish) = wish {
            return addresses.contains(&wish).then_some(wish).ok_or(Refused);
        }
        let place = |address: &IpAddr| (network_of(pool), *address);
        let free = addresses
            .iter()
            .find(|a| !self.uses.contains_key(&place(a)));
        let own = || {
            addresses
                .iter()
                .find(|a| self.seen_by(host, &place(a)).is_none())
        };
        free.or_else(own).copied().ok_or(Refused)
    }

    fn addresses(&self, pool: &PoolRef, ipv6: bool) -> Vec<IpAddr> {
        let (network, _) = &self.networks[&network_of(pool)];
        if ipv6 {
            let net = network.ipv6_subnet.strip_suffix("::/126").unwrap();
            return (1..=3)
                .map(|n| format!("{net}::{n}").parse().unwrap())
                .collect();
        }
        if let Some(group) = group_of(pool).map(|group| &self.groups[&group])
            && !group.ip_pool.is_empty()
        {
            return range(&group.ip_pool)
                .into_iter()
                .map(IpAddr::from)
                .collect();
        }
        let here = self
            .groups
            .values()
            .filter(|g| network_of_group(g) == network_of(pool));
        let carved: Vec<Ipv4Addr> = here.flat_map(|group| range(&group.ip_pool)).collect();
        let mut usable = usable(network);
        usable.retain(|address| !carved.contains(address));
        usable.into_iter().map(IpAddr::from).collect()
    }

    fn seen_by(&self, host: &str, place: &(String, IpAddr)) -> Option<&Use> {
        self.uses.get(place).filter(|holder| match holder {
            Use::Draining(awaited, _) => awaited.iter().any(|awaited| awaited != host),
            _ => true,
        })
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

fn claimed(network: &Network) -> Vec<Ipv4Addr> {
    subnet(network).0
}

fn usable(network: &Network) -> Vec<Ipv4Addr> {
    subnet(network).1
}

/// The addresses that a network claims, gives to endpoints, and that hosts of its
/// subnet can have.
fn subnet(network: &Network) -> (Vec<Ipv4Addr>, Vec<Ipv4Addr>, Vec<Ipv4Addr>) {
    let list = |first, last| (first..=last).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    match network.subnet.as_str() {
        "10.0.0.0/29" => (list(0, 7), list(1, 6), list(1, 6)),
        "10.0.0.8/30" => (list(8, 11), list(9, 10), list(9, 10)),
        "10.0.0.3-10.0.0.5/29" => (list(3, 5), list(3, 5), list(1, 6)),
        "10.0.0.0/28" => (list(0, 15), list(1, 14), list(1, 14)),
        other => panic!("{other} is not a subnet of the steps"),
    }
}

fn range(pool: &str) -> Vec<Ipv4Addr> {
    let Some((first, last)) = pool.split_once('-') else {
        return Vec::new();
    };
    let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
    (bits(first)..=bits(last))
        .map(Ipv4Addr::from_bits)
        .collect()
}
