//! Objects.

use std::net::IpAddr;

use contiv_model::agent::{DockerNetwork, PoolRef};
use contiv_model::object::{EndpointGroup, Network, Rule};

use super::pools::{claimed, range, subnet, usable};
use super::{Outcome, Reference, Refused, Use, network_of, network_of_group, require};

impl Reference {
    pub(super) fn put_network(&mut self, network: &Network) -> Outcome {
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

    pub(super) fn put_group(&mut self, group: &EndpointGroup) -> Outcome {
        let key = format!("{}:{}", group.tenant_name, group.group_name);
        require(self.tenants.contains(&group.tenant_name))?;
        let network = self.networks.get(&network_of_group(group)).ok_or(Refused)?;
        for policy in &group.policies {
            let policy = format!("{}:{policy}", group.tenant_name);
            require(self.policies.contains_key(&policy))?;
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

    pub(super) fn put_rule(&mut self, rule: &Rule) -> Outcome {
        let key = format!("{}:{}:{}", rule.tenant_name, rule.policy_name, rule.rule_id);
        if self.rules.get(&key) == Some(rule) {
            return Ok(()); // Even if its peer is gone by now.
        }
        let name = |name: &str| format!("{}:{name}", rule.tenant_name);
        let tier = self.policies.get(&name(&rule.policy_name));
        require(tier.is_some_and(|tier| rule.action != "pass" || tier != "baseline"))?;
        let group = &rule.from_endpoint_group;
        require(group.is_empty() || self.groups.contains_key(&name(group)))?;
        let network = &rule.from_network;
        require(network.is_empty() || self.networks.contains_key(&name(network)))?;
        self.rules.insert(key, rule.clone());
        Ok(())
    }

    pub(super) fn put_docker_network(&mut self, binding: &DockerNetwork) -> Outcome {
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
                Some(Use::Tentative(holder, _, false)) if *holder == binding.host => {}
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
}
