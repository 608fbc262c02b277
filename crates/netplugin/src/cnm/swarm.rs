//! A Swarm's networks: NetworkDriver's calls at the socket of global scope.
//!
//! The leading manager's engine allocates a network once, with the pool that it has just
//! asked for, and again in each new life of its allocator; other engines only create and
//! delete what their manager has allocated, as tasks come and go.
//!
//! 1. Driver options name one of our objects, as for an engine's own networks, or
//!    `contiv-tag` does: the group that has this tag, else the network that has it.
//! 2. Without them the subnet decides, as for an engine's own networks.
//! 3. The masters keep the binding, and hosts hear of it: with it, of the manager's life.

use std::sync::Arc;

use contiv_model::agent::SwarmLife;

use super::Driver;
use super::network::Kept;
use super::wire::{AllocateNetwork, Allocated, CreateNetwork, NetworkRef, Nothing};
use crate::error::Error;

impl Driver {
    pub(super) async fn allocate_network(
        self: Arc<Self>,
        request: AllocateNetwork,
    ) -> Result<Allocated, Error> {
        let id = &request.network_id;
        if id.is_empty() {
            return Err(Error::Refused("NetworkID is missing".into()));
        }
        let named = |name: &str| {
            let value = request.options.get(name).map(String::as_str);
            value.filter(|value| !value.is_empty())
        };
        super::pool::refuse_unknown_options(&request.options)?;
        let subnets = super::network::subnets(&request.ipv4_data, &request.ipv6_data)?;
        let life = {
            let memory = self.memory();
            let lives = subnets.iter().find_map(|s| memory.swarm_pools.get(s));
            lives.cloned().ok_or_else(|| {
                Error::Refused(
                    "no addresses were asked for this network since netplugin was started; the \
                     manager asks anew"
                        .into(),
                )
            })?
        };
        let pool = self.named(named).await?;
        let data = (&request.ipv4_data[..], &request.ipv6_data[..]);
        let kept = Kept {
            swarm: Some(SwarmLife { life, since: 0 }),
            ..Kept::default()
        };
        self.stand_for(id, pool, data, &subnets, kept).await?;
        Ok(Allocated {
            options: request.options,
        })
    }

    /// What a node's engine makes of what its manager has allocated.
    pub(super) async fn enter_swarm_network(
        self: Arc<Self>,
        request: CreateNetwork,
    ) -> Result<Nothing, Error> {
        let id = &request.network_id;
        let told = self.find(|mirror| mirror.docker_network(id).cloned()).await;
        let known = match told {
            Some(known) => Some(known),
            None => self.host.docker_network(id).await?,
        };
        match known.filter(|known| known.swarm.is_some()) {
            Some(_) => Ok(Nothing {}),
            None => Err(Error::Refused(format!(
                "no manager of a Swarm has had network {id} allocated; see to netplugin on the \
                 leading manager's host"
            ))),
        }
    }

    /// The network stays allocated, for other nodes.
    pub(super) async fn leave_swarm_network(
        self: Arc<Self>,
        _: NetworkRef,
    ) -> Result<Nothing, Error> {
        Ok(Nothing {})
    }
}
