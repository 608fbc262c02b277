//! IpamDriver.RequestAddress and ReleaseAddress.
//!
//! Gateways belong to the network: they are told, not allocated, and never freed
//! here. Everything else is the master's to decide; a release is a hint to it.

use std::net::IpAddr;
use std::sync::Arc;

use contiv_model::agent::{
    AddressGrant, AddressRelease, AddressRequest, Asker, NetworkView, PoolRef,
};
use ipnet::IpNet;

use super::Driver;
use super::endpoint::REPEATED;
use super::pool::subnet_of;
use super::pool_id::{Place, PoolId};
use super::wire::{ADDRESS_TYPE, Address, GATEWAY_TYPE, Nothing, ReleaseAddress, RequestAddress};
use crate::error::Error;
use crate::mirror::DEFAULT_TENANT;

/// How often masters are asked for an address that no container here has.
const TRIES: usize = 3;

impl Driver {
    pub(super) async fn request_address(
        self: Arc<Self>,
        request: RequestAddress,
    ) -> Result<Address, Error> {
        if request.pool_id.is_empty() {
            return Err(Error::Refused(format!("PoolID is missing: {REPEATED}")));
        }
        let wish = match request.address.as_str() {
            "" => None,
            text => Some(address(text)?),
        };
        let gateway = request
            .options
            .get(ADDRESS_TYPE)
            .is_some_and(|t| t == GATEWAY_TYPE);
        let id: PoolId = request.pool_id.parse().map_err(Error::Refused)?;
        let by = id.by;
        let (pool, network, ipv6) = match id.place {
            Place::Named { pool, ipv6 } => {
                let network = self.usable_network(&pool).await?;
                (pool, network, ipv6)
            }
            Place::Subnet(subnet) => {
                let known = self.replica.read().network_with_subnet(subnet).cloned();
                let Some(network) = known else {
                    return self.before_the_network(subnet, wish, gateway);
                };
                let tenant = DEFAULT_TENANT.to_owned();
                let pool = PoolRef {
                    tenant,
                    network: network.name.clone(),
                    group: None,
                };
                (pool, network, matches!(subnet, IpNet::V6(_)))
            }
        };
        let names_gateway = wish.is_some() && wish == gateway_address(&network, ipv6);
        if gateway || names_gateway && by != Asker::Engine {
            return gateway_of(&network, ipv6, wish);
        }
        let request = AddressRequest {
            pool,
            ipv6,
            address: wish,
            by,
        };
        let (address, prefix_len) = match self.ask(&request).await {
            Ok(grant) => (grant.address, grant.prefix_len),
            Err(Error::Master(error)) if error.is_transient() => {
                let held = self.held(&request.pool, wish).and_then(|old| match ipv6 {
                    false => Some(IpAddr::from(old.ipv4)),
                    true => old.ipv6.map(IpAddr::from),
                });
                let subnet = subnet_of(&network, ipv6);
                let (Some(address), Some(subnet)) = (held, subnet) else {
                    return Err(error.into());
                };
                tracing::info!(%address, "no master answers: an address that this host held");
                (address, subnet.prefix_len())
            }
            Err(error) => return Err(error),
        };
        Ok(Address {
            address: format!("{address}/{prefix_len}"),
        })
    }

    /// What masters give. They may have heard of the end of an endpoint without an answer, and not
    /// yet of the one that took its place here meanwhile: they take the address for free, to this
    /// host first of all. It is kept for that one, and they are asked for another.
    async fn ask(&self, request: &AddressRequest) -> Result<AddressGrant, Error> {
        let mut tries = 0..TRIES;
        loop {
            let grant = self.host.request_address(request).await?;
            match self.given(&request.pool, grant.address) {
                // An engine that starts asks once more for what its containers have.
                Some(holder) if request.address.is_none() => {
                    if tries.next().is_none() {
                        return Err(held_by(grant.address, &holder));
                    }
                }
                _ => return Ok(grant),
            }
        }
    }

    pub(super) async fn release_address(
        self: Arc<Self>,
        request: ReleaseAddress,
    ) -> Result<Nothing, Error> {
        let (Ok(PoolId { place, by }), Ok(address)) =
            (request.pool_id.parse(), address(&request.address))
        else {
            return Ok(Nothing {});
        };
        let pool = match place {
            Place::Named { pool, .. } => pool,
            Place::Subnet(subnet) => {
                let mirror = self.replica.read();
                let Some(network) = mirror.network_with_subnet(subnet) else {
                    return Ok(Nothing {});
                };
                let tenant = DEFAULT_TENANT.to_owned();
                PoolRef {
                    tenant,
                    network: network.name.clone(),
                    group: None,
                }
            }
        };
        if self.departures.orphans.holder(&pool, address).is_some() {
            return Ok(Nothing {}); // Another endpoint has it by now.
        }
        let release = AddressRelease { pool, address, by };
        if let Err(error) = self.host.release_address(&release).await {
            // What no endpoint holds expires at the master by itself.
            tracing::debug!(%address, %error, "an address was not released");
        }
        Ok(Nothing {})
    }

    /// The engine asks for gateway and auxiliary addresses before it names the network:
    /// CreateNetwork will bring them along, so they are only told here.
    fn before_the_network(
        &self,
        subnet: IpNet,
        wish: Option<IpAddr>,
        gateway: bool,
    ) -> Result<Address, Error> {
        let address = match wish {
            Some(wish) if subnet.contains(&wish) => wish,
            Some(wish) => {
                return Err(Error::Refused(format!(
                    "{wish} is not an address of {subnet}"
                )));
            }
            None if gateway => first_address(subnet),
            None => {
                return Err(self.unless_untold(format!(
                    "no Contiv network of tenant default has subnet {subnet}"
                )));
            }
        };
        Ok(Address {
            address: format!("{address}/{}", subnet.prefix_len()),
        })
    }
}

/// Refuses an address that a container here has, of which masters are still to hear.
pub(super) fn held_by(address: IpAddr, holder: &str) -> Error {
    Error::Refused(format!(
        "{address} is that of endpoint {holder} on this host, which masters do not know of yet; try again"
    ))
}

/// What the engine shows as gateway. A network without one answers its own network
/// address, since the engine insists; Join then says that there is none.
fn gateway_of(network: &NetworkView, ipv6: bool, wish: Option<IpAddr>) -> Result<Address, Error> {
    let refused = |reason: String| Err(Error::Refused(reason));
    let Some(subnet) = subnet_of(network, ipv6) else {
        return refused(format!("network {} has no IPv6 subnet", network.name));
    };
    let gateway = gateway_address(network, ipv6);
    let answer = gateway.unwrap_or_else(|| subnet.network());
    match (wish, gateway) {
        (Some(wish), Some(gateway)) if wish != gateway => refused(format!(
            "network {} has gateway {gateway}, not {wish}; leave --gateway out",
            network.name
        )),
        (Some(wish), None) if wish != answer => refused(format!(
            "network {} has no gateway, and gets none by --gateway {wish}; leave it out",
            network.name
        )),
        _ => Ok(Address {
            address: format!("{answer}/{}", subnet.prefix_len()),
        }),
    }
}

fn gateway_address(network: &NetworkView, ipv6: bool) -> Option<IpAddr> {
    match ipv6 {
        false => network.gateway.map(Into::into),
        true => network.ipv6_gateway.map(Into::into),
    }
}

/// The gateway that Docker's users expect when they name none.
fn first_address(subnet: IpNet) -> IpAddr {
    subnet.hosts().next().unwrap_or_else(|| subnet.network())
}

/// An address as the engine writes it, with or without prefix length.
pub(super) fn address(text: &str) -> Result<IpAddr, Error> {
    let bare = text.split_once('/').map_or(text, |(address, _)| address);
    bare.parse()
        .map_err(|_| Error::Refused(format!("{text:?} is not an address")))
}
