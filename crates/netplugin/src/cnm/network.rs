//! NetworkDriver.CreateNetwork and DeleteNetwork: what a Docker network stands for.
//!
//! 1. Driver options `tenant`, `network`, `group` name one of our objects, and
//!    must fit the pools that the engine took from us.
//! 2. Without them the subnet decides: the network of tenant `default` that has it.
//! 3. If there is none, one is made, named after the Docker network's id, and
//!    goes with the Docker network.
//!
//! The master keeps the binding, because the engine never tells it again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use contiv_model::agent::{DockerNetwork, PoolRef, SwarmLife};
use contiv_model::object::Network;
use ipnet::IpNet;

use super::Driver;
use super::address::address;
use super::pool::{is_known, subnet, subnet_of};
use super::wire::{CreateNetwork, GENERIC, INTERNAL, IpamData, NetworkRef, Nothing, user_option};
use crate::error::Error;
use crate::mirror::DEFAULT_TENANT;

/// What the masters keep with the binding of a Docker network.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) aux_addresses: Vec<IpAddr>,
    pub(super) swarm: Option<SwarmLife>,
}

impl Driver {
    pub(super) async fn create_network(
        self: Arc<Self>,
        request: CreateNetwork,
    ) -> Result<Nothing, Error> {
        let id = &request.network_id;
        if id.is_empty() {
            return Err(Error::Refused("NetworkID is missing".into()));
        }
        refuse_what_is_not_kept(&request)?;
        let subnets = subnets(&request.ipv4_data, &request.ipv6_data)?;
        let named = self
            .named(|name| user_option(&request.options, name))
            .await?;
        let data = (&request.ipv4_data[..], &request.ipv6_data[..]);
        let kept = Kept {
            aux_addresses: aux_addresses(&request)?,
            swarm: None,
        };
        self.stand_for(id, named, data, &subnets, kept).await?;
        Ok(Nothing {})
    }

    /// Binds a Docker network to the object that was named, else to the one that its subnets
    /// name; `kept` goes with it.
    pub(super) async fn stand_for(
        &self,
        id: &str,
        named: Option<PoolRef>,
        data: (&[IpamData], &[IpamData]),
        subnets: &[IpNet],
        kept: Kept,
    ) -> Result<(), Error> {
        let (pool, made) = match named {
            Some(pool) => {
                self.check_pools(&pool, subnets).await?;
                (pool, false)
            }
            None => self.by_subnet(id, data, subnets).await?,
        };
        let binding = DockerNetwork {
            id: id.to_owned(),
            host: self.host_name.clone(),
            tenant: pool.tenant,
            network: pool.network,
            group: pool.group,
            aux_addresses: kept.aux_addresses,
            swarm: kept.swarm,
        };
        if let Err(error) = self.bind(&binding).await {
            if made {
                self.unmake(&binding).await;
            }
            return Err(error);
        }
        let mut memory = self.memory();
        for subnet in subnets {
            memory.named_pools.remove(subnet);
        }
        tracing::info!(
            docker_network = id,
            tenant = binding.tenant,
            network = binding.network,
            group = binding.group,
            swarm = binding.swarm.is_some(),
            "Docker network bound"
        );
        Ok(())
    }

    pub(super) async fn delete_network(
        self: Arc<Self>,
        request: NetworkRef,
    ) -> Result<Nothing, Error> {
        let id = &request.network_id;
        if id.is_empty() {
            return Ok(Nothing {});
        }
        match self.host.delete_docker_network(id).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => tracing::info!(docker_network = id, "Docker network no longer bound"),
        }
        self.memory().unbound.insert(id.clone());
        let automatic = automatic_name(id);
        let made_by_us = self
            .replica
            .read()
            .network(DEFAULT_TENANT, &automatic)
            .is_some();
        if made_by_us {
            match self
                .client
                .delete::<Network>(&format!("{DEFAULT_TENANT}:{automatic}"))
                .await
            {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Nothing {})
    }

    /// Removes a network that was made for what has failed.
    async fn unmake(&self, binding: &DockerNetwork) {
        let key = format!("{}:{}", binding.tenant, binding.network);
        if let Err(error) = self.client.delete::<Network>(&key).await {
            tracing::warn!(network = key, %error, "a network without use is left over");
        }
    }

    /// Has the master remember it. What a Docker network stands for never changes: containers
    /// may be in it already.
    async fn bind(&self, binding: &DockerNetwork) -> Result<(), Error> {
        let known = self.binding(&binding.id).await?;
        let means = |b: &DockerNetwork| (b.tenant.clone(), b.network.clone(), b.group.clone());
        if let Some(known) = known.filter(|known| means(known) != means(binding)) {
            return Err(Error::Refused(format!(
                "Docker network {} stands for network {} of tenant {} already; remove it first",
                known.id, known.network, known.tenant
            )));
        }
        self.host.put_docker_network(binding).await?;
        self.memory().unbound.remove(&binding.id);
        Ok(())
    }

    async fn check_pools(&self, pool: &PoolRef, subnets: &[IpNet]) -> Result<(), Error> {
        let network = self.usable_network(pool).await?;
        let ours: Vec<IpNet> = [false, true]
            .into_iter()
            .filter_map(|ipv6| subnet_of(&network, ipv6))
            .collect();
        let strange = subnets.iter().find(|subnet| !ours.contains(subnet));
        if let Some(strange) = strange {
            return Err(Error::Refused(format!(
                "network {} of tenant {} has no subnet {strange}: give tenant, network and \
                 group both as --ipam-opt and as -o, and --ipam-driver netplugin",
                pool.network, pool.tenant
            )));
        }
        let asked = subnets
            .iter()
            .find_map(|s| self.memory().named_pools.get(s).cloned());
        match asked {
            Some(asked) if asked != *pool => Err(differ(&asked)),
            _ => Ok(()),
        }
    }

    /// The network of tenant `default` that has the subnets, and whether it was made now.
    async fn by_subnet(
        &self,
        docker_id: &str,
        (ipv4_data, ipv6_data): (&[IpamData], &[IpamData]),
        subnets: &[IpNet],
    ) -> Result<(PoolRef, bool), Error> {
        let asked = subnets
            .iter()
            .find_map(|s| self.memory().named_pools.get(s).cloned());
        if let Some(asked) = asked {
            return Err(differ(&asked));
        }
        let pool = |network: String| PoolRef {
            tenant: DEFAULT_TENANT.into(),
            network,
            group: None,
        };
        let known = subnets.iter().find_map(|s| {
            self.replica
                .read()
                .network_with_subnet(*s)
                .map(|n| n.name.clone())
        });
        if let Some(name) = known {
            let pool = pool(name);
            self.check_pools(&pool, subnets).await?;
            return Ok((pool, false));
        }
        let name = automatic_name(docker_id);
        let network = Network {
            tenant_name: DEFAULT_TENANT.into(),
            network_name: name.clone(),
            nw_type: "data".into(),
            encap: "vxlan".into(),
            subnet: one(ipv4_data)?.map(|d| d.pool.clone()).unwrap_or_default(),
            gateway: gateway(one(ipv4_data)?)?,
            ipv6_subnet: one(ipv6_data)?.map(|d| d.pool.clone()).unwrap_or_default(),
            ipv6_gateway: gateway(one(ipv6_data)?)?,
            ..Network::default()
        };
        self.client.put(&network).await?;
        // The next calls look for it in the mirror.
        if self
            .find(|m| m.network(DEFAULT_TENANT, &name).map(|_| ()))
            .await
            .is_none()
        {
            tracing::warn!(
                network = name,
                "the master is slow to tell of a new network"
            );
        }
        Ok((pool(name), true))
    }
}

/// The name of a network that is made for a Docker network.
pub fn automatic_name(docker_id: &str) -> String {
    let digits: String = docker_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect();
    format!("docker-{digits}")
}

/// An option that is taken and then does nothing would be a lie.
fn refuse_what_is_not_kept(request: &CreateNetwork) -> Result<(), Error> {
    if request
        .options
        .get(INTERNAL)
        .is_some_and(|v| v.as_bool() == Some(true))
    {
        return Err(Error::Refused(
            "--internal is not for Contiv networks: keep containers from the world with a \
             policy, or with a network that has no gateway"
                .into(),
        ));
    }
    let options = request
        .options
        .get(GENERIC)
        .and_then(|generic| generic.as_object());
    let mut names = options.into_iter().flat_map(|o| o.keys());
    let strange = names.find(|name| !is_known(name));
    match strange {
        None => Ok(()),
        Some(name) => Err(Error::Refused(format!(
            "option {name:?} means nothing to Contiv; it knows tenant, network, group and contiv-tag"
        ))),
    }
}

fn differ(asked: &PoolRef) -> Error {
    let group = asked
        .group
        .as_ref()
        .map(|g| format!(" -o group={g}"))
        .unwrap_or_default();
    Error::Refused(format!(
        "the addresses were asked from network {} of tenant {}: say the same to the network \
         driver, with -o tenant={} -o network={}{group}",
        asked.network, asked.tenant, asked.tenant, asked.network
    ))
}

pub(super) fn subnets(ipv4_data: &[IpamData], ipv6_data: &[IpamData]) -> Result<Vec<IpNet>, Error> {
    let data = [one(ipv4_data)?, one(ipv6_data)?];
    let subnets: Vec<IpNet> = data
        .into_iter()
        .flatten()
        .map(|data| subnet(&data.pool))
        .collect::<Result<_, _>>()?;
    if !subnets.iter().any(|subnet| matches!(subnet, IpNet::V4(_))) {
        return Err(Error::Refused(
            "the network has no IPv4 pool; use --ipam-driver netplugin".into(),
        ));
    }
    Ok(subnets)
}

fn one(data: &[IpamData]) -> Result<Option<&IpamData>, Error> {
    match data {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(Error::Refused(
            "a Contiv network has one subnet per address family; give one --subnet".into(),
        )),
    }
}

fn gateway(data: Option<&IpamData>) -> Result<String, Error> {
    match data.map(|d| d.gateway.as_str()) {
        None | Some("") => Ok(String::new()),
        Some(text) => Ok(address(text)?.to_string()),
    }
}

fn aux_addresses(request: &CreateNetwork) -> Result<Vec<IpAddr>, Error> {
    let texts = request.ipv4_data.iter().chain(&request.ipv6_data);
    let texts: BTreeSet<&String> = texts.flat_map(|d| d.aux_addresses.values()).collect();
    texts.into_iter().map(|text| address(text)).collect()
}
