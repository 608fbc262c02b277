//! IpamDriver.RequestPool: which of our networks a Docker network takes its addresses from.
//!
//! 1. Options `tenant`, `network`, `group` name it, and `--subnet` says the same.
//! 2. Without options, `--subnet` stands for the network of tenant `default` that
//!    has the subnet, or that CreateNetwork will make with it.
//! 3. Without a subnet the call fails. The engine, left free to take any pool, would
//!    not take one that the host has a route to, as it has to our networks: it would
//!    ask again and again, for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use contiv_model::agent::{Asker, NetworkView, PoolRef};
use ipnet::IpNet;

use super::Driver;
use super::pool_id::{Place, PoolId};
use super::wire::{ADDRESS_TYPE, Pool, RequestPool};
use super::{MANAGERS, Scope};
use crate::error::Error;

impl Driver {
    pub(super) async fn request_pool(
        self: Arc<Self>,
        request: RequestPool,
        scope: Scope,
    ) -> Result<Pool, Error> {
        refuse_unknown_options(&request.options)?;
        if !request.sub_pool.is_empty() {
            return Err(Error::Refused(
                "--ip-range is not for Contiv networks: give the network a range as its \
                 subnet, or a group an --ip-pool"
                    .into(),
            ));
        }
        let wish = match request.pool.as_str() {
            "" => None,
            text => Some(subnet(text)?),
        };
        let by = match (scope, request.address_space.as_str()) {
            (Scope::Local, _) => Asker::Engine,
            (Scope::Swarm, MANAGERS) => Asker::Manager { life: new_life() },
            (Scope::Swarm, _) => Asker::Node,
        };
        let option = |name: &str| request.options.get(name).map(String::as_str);
        let Some(pool) = self
            .named(|name| option(name).filter(|v| !v.is_empty()))
            .await?
        else {
            let subnet = wish.ok_or_else(|| {
                Error::Refused(
                    "which Contiv network is it to be? Name it with --ipam-opt network=NAME \
                     -o network=NAME (and tenant, group), or give a --subnet to make a new one"
                        .into(),
                )
            })?;
            self.remember(subnet, None, &by);
            let place = Place::Subnet(subnet);
            return Ok(Pool {
                pool_id: PoolId { place, by }.to_string(),
                pool: subnet,
            });
        };
        let network = self.usable_network(&pool).await?;
        let subnet = subnet_of(&network, request.v6).ok_or_else(|| {
            Error::Refused(format!(
                "network {} of tenant {} has no IPv6 subnet",
                pool.network, pool.tenant
            ))
        })?;
        // A manager takes the pool that it is given.
        let left_open = wish.is_none() && matches!(by, Asker::Manager { .. });
        if wish != Some(subnet) && !left_open {
            let wish = wish.map(|wish| format!(", not {wish}")).unwrap_or_default();
            return Err(Error::Refused(format!(
                "network {} of tenant {} has subnet {subnet}{wish}: give --subnet {subnet}",
                pool.network, pool.tenant
            )));
        }
        self.remember(subnet, Some(&pool), &by);
        let place = Place::Named {
            pool,
            ipv6: request.v6,
        };
        Ok(Pool {
            pool_id: PoolId { place, by }.to_string(),
            pool: subnet,
        })
    }

    /// Keeps what a pool was asked for until its network is made.
    fn remember(&self, subnet: IpNet, pool: Option<&PoolRef>, by: &Asker) {
        let mut memory = self.memory();
        if let Asker::Manager { life } = by {
            memory.swarm_pools.insert(subnet, life.clone());
        }
        match pool {
            // A node's network is its manager's, and says nothing on its own.
            _ if *by == Asker::Node => {}
            Some(pool) => drop(memory.named_pools.insert(subnet, pool.clone())),
            None => drop(memory.named_pools.remove(&subnet)),
        }
    }

    /// The network of a pool, if containers may be attached to it.
    pub(super) async fn usable_network(&self, pool: &PoolRef) -> Result<NetworkView, Error> {
        let network = self.find(|mirror| mirror.network_of(pool).cloned()).await;
        let network =
            network.ok_or_else(|| self.unknown("network", &pool.network, &pool.tenant))?;
        if network.infra {
            return Err(Error::Refused(format!(
                "network {} is for the hosts themselves (infra), not for containers",
                pool.network
            )));
        }
        if let Some(name) = &pool.group {
            let group = self.find(|m| m.group(&pool.tenant, name).cloned()).await;
            let group = group.ok_or_else(|| self.unknown("group", name, &pool.tenant))?;
            if group.network != pool.network {
                return Err(Error::Refused(format!(
                    "group {name} belongs to network {}, not {}",
                    group.network, pool.network
                )));
            }
        }
        Ok(network)
    }
}

/// The subnet of a network, of one family, without host bits.
pub(super) fn subnet_of(network: &NetworkView, ipv6: bool) -> Option<IpNet> {
    match ipv6 {
        false => Some(network.subnet.trunc().into()),
        true => network.ipv6_subnet.map(|subnet| subnet.trunc().into()),
    }
}

/// A prefix as the engine writes it.
pub(super) fn subnet(text: &str) -> Result<IpNet, Error> {
    let parsed = text.parse::<IpNet>().map(|net| net.trunc());
    parsed.map_err(|_| Error::Refused(format!("{text:?} is not a subnet such as 10.1.2.0/24")))
}

/// Whether an option is one of ours, or one that engines add to their own calls.
pub(super) fn is_known(option: &str) -> bool {
    ["tenant", "network", "group", "contiv-tag", ADDRESS_TYPE].contains(&option)
        || option.starts_with("com.docker.network.")
}

/// Unlike any other, also of another host.
fn new_life() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos();
    format!("{nanos:x}-{:x}", std::process::id())
}

pub(super) fn refuse_unknown_options(options: &BTreeMap<String, String>) -> Result<(), Error> {
    match options.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Refused(format!(
            "option {name:?} means nothing to Contiv; it knows tenant, network, group and \
             contiv-tag"
        ))),
    }
}
