//! NetworkDriver's calls about one interface of one container.
//!
//! CreateEndpoint binds the address at the master, then makes the links, closed
//! to whatever the kernel has no policy for. Join lets the engine move the link
//! only when the kernel holds what the master said at that time. A call that
//! fails leaves the endpoint to [`crate::departures`], which removes it from the
//! kernel and the master, as often as it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use contiv_datapath::spec::link_names;
use contiv_model::agent::{EndpointGrant, EndpointRequest, EndpointView, Mac, PoolRef};

use super::Driver;
use super::address::{address, held_by};
use super::wire::{
    CreateEndpoint, CreatedEndpoint, EndpointRef, Interface, InterfaceName, Join, Joined, Nothing,
    PORT_MAP,
};
use crate::error::Error;
use crate::mirror::endpoint_spec;

/// Docker's client of plugins has sent the body when a connection breaks, and does not send it
/// again (`callWithRetry` of moby's `pkg/plugins`).
pub(super) const REPEATED: &str = "an engine repeats a call without its content when netplugin \
    ended before it had answered; start the container again";

impl Driver {
    pub(super) async fn create_endpoint(
        self: Arc<Self>,
        request: CreateEndpoint,
    ) -> Result<CreatedEndpoint, Error> {
        let id = request.endpoint_id.clone();
        if id.is_empty() {
            return Err(Error::Refused(format!("EndpointID is missing: {REPEATED}")));
        }
        if request.network_id.is_empty() {
            return Err(Error::Refused("NetworkID is missing".into()));
        }
        if publishes_ports(&request) {
            return Err(Error::Refused(
                "-p publishes nothing on a Contiv network yet: every container has an address \
                 of its own that the host reaches; run it without -p"
                    .into(),
            ));
        }
        if self.departures.contains(&id) {
            return Err(Error::Refused(format!("endpoint {id} is being removed")));
        }
        let binding = self.binding(&request.network_id).await?.ok_or_else(|| {
            Error::Refused(format!(
                "no Contiv network is bound to Docker network {}; remove it and create it anew",
                request.network_id
            ))
        })?;
        let wish = EndpointRequest {
            pool: PoolRef {
                tenant: binding.tenant,
                network: binding.network,
                group: binding.group,
            },
            ipv4: ipv4(&request.interface.address)?,
            ipv6: ipv6(&request.interface.address_ipv6)?,
            mac: mac(&request.interface.mac_address)?,
            replaces: None,
            of_swarm: binding.swarm.is_some(),
            begins: true,
        };
        let wishes = [wish.ipv4.map(IpAddr::from), wish.ipv6.map(IpAddr::from)];
        refuse_held(&id, wishes.into_iter().flatten(), |address| {
            self.departures.orphans.holder(&wish.pool, address)
        })?;
        // Armed until the endpoint is whole; the engine's time-out drops this future.
        let mut undo = Undo {
            driver: &self,
            id: Some(&id),
        };
        let grant = match self.host.put_endpoint(&id, &wish).await {
            Ok(grant) => {
                let given = |address| self.given(&wish.pool, address);
                refuse_held(&id, grant.endpoint.addresses(), given)?;
                grant
            }
            Err(error) if error.is_transient() => {
                let endpoint = wish.ipv4.and_then(|_| self.take_over(&id, &wish));
                let endpoint = endpoint.ok_or(error)?;
                let address = endpoint.ipv4;
                tracing::warn!(endpoint = id, %address, "no master answers: told to them later");
                let revision = self.replica.heard();
                EndpointGrant { endpoint, revision }
            }
            Err(error) => {
                undo.id = None; // A refusal has made nothing.
                return Err(error.into());
            }
        };
        self.make_links(&id, &grant).await?;
        undo.id = None;
        self.memory().grants.insert(id.clone(), grant.revision);
        let EndpointView {
            ipv4,
            tenant,
            network,
            ..
        } = &grant.endpoint;
        tracing::info!(endpoint = id, tenant, network, %ipv4, "endpoint created");
        Ok(CreatedEndpoint {
            interface: missing(&request.interface, &grant.endpoint, &self),
        })
    }

    async fn make_links(&self, id: &str, grant: &EndpointGrant) -> Result<(), Error> {
        self.replica.until_heard(grant.revision).await;
        let (id, replica) = (id.to_owned(), Arc::clone(&self.replica));
        let view = grant.endpoint.clone();
        let make = move |plane: &mut dyn crate::DataPlane| {
            let spec = endpoint_spec(&replica.read(), &view);
            let spec = spec.ok_or_else(|| {
                Error::Refused(format!(
                    "the master has not told this host of network {} of tenant {}",
                    view.network, view.tenant
                ))
            })?;
            plane.add_endpoint(&id, &spec)
        };
        self.plane.with(make).await
    }

    pub(super) async fn join(self: Arc<Self>, request: Join) -> Result<Joined, Error> {
        let id = &request.endpoint_id;
        if id.is_empty() {
            return Err(Error::Refused(format!("EndpointID is missing: {REPEATED}")));
        }
        let orphan = self.departures.orphans.get(id);
        let found = match orphan {
            Some(orphan) => Some(orphan),
            None => self.find(|mirror| mirror.endpoint(id).cloned()).await,
        };
        let endpoint = found.filter(|e| e.host == self.host_name && !self.departures.contains(id));
        let endpoint = endpoint.ok_or_else(|| {
            self.unless_untold(format!("endpoint {id} is not known to the masters"))
        })?;
        self.enter_sandbox(&request.sandbox_key, &endpoint)?;
        let granted = self.memory().grants.get(id).copied();
        self.replica
            .until_applied(granted.unwrap_or_else(|| self.replica.heard()))
            .await;
        if let Some(why) = self.replica.why_closed(id) {
            let tenant = &endpoint.tenant;
            return Err(Error::Refused(format!(
                "the endpoint is closed on this host, tenant {tenant}: {why}"
            )));
        }

        let network = self
            .replica
            .read()
            .network(&endpoint.tenant, &endpoint.network)
            .cloned();
        let gateway = network.as_ref().and_then(|n| n.gateway);
        let gateway_ipv6 = network
            .as_ref()
            .and_then(|n| n.ipv6_gateway)
            .filter(|_| endpoint.ipv6.is_some());
        let (_, src_name) = link_names(id);
        Ok(Joined {
            interface_name: InterfaceName {
                src_name,
                dst_prefix: "eth",
            },
            gateway: gateway.map(|g| g.to_string()).unwrap_or_default(),
            gateway_ipv6: gateway_ipv6.map(|g| g.to_string()).unwrap_or_default(),
            disable_gateway_service: gateway.is_none(),
        })
    }

    /// One container may not be in a network twice, be it by way of a group: which
    /// policy held for it would depend on the interface that it happens to use.
    fn enter_sandbox(&self, sandbox: &str, endpoint: &EndpointView) -> Result<(), Error> {
        if sandbox.is_empty() {
            return Ok(());
        }
        let mut memory = self.memory();
        let inside = memory.sandboxes.entry(sandbox.to_owned()).or_default();
        let mirror = self.replica.read();
        let twin = inside
            .iter()
            .filter(|id| **id != endpoint.id)
            .find_map(|id| {
                let other = mirror.endpoint(id)?;
                let same = other.tenant == endpoint.tenant && other.network == endpoint.network;
                same.then_some(other)
            });
        if let Some(twin) = twin {
            let by = twin
                .group
                .as_ref()
                .map(|g| format!(", by group {g}"))
                .unwrap_or_default();
            return Err(Error::Refused(format!(
                "the container is in network {} of tenant {} already{by}; disconnect it there first",
                twin.network, twin.tenant
            )));
        }
        inside.insert(endpoint.id.clone());
        Ok(())
    }

    pub(super) async fn leave(self: Arc<Self>, request: EndpointRef) -> Result<Nothing, Error> {
        self.forget_sandbox(&request.endpoint_id);
        Ok(Nothing {})
    }

    pub(super) async fn delete_endpoint(
        self: Arc<Self>,
        request: EndpointRef,
    ) -> Result<Nothing, Error> {
        let id = &request.endpoint_id;
        if id.is_empty() {
            return Ok(Nothing {});
        }
        self.forget_sandbox(id);
        self.memory().grants.remove(id);
        self.departures.add(id);
        self.departures.orphans.forget(id);
        // Kernel first: an address is free only when nothing answers to it here. What
        // fails now is tried again later; the engine would not.
        self.departures.depart(id, &self.plane, &self.host).await;
        self.departures.wake();
        tracing::info!(endpoint = id, "endpoint deleted");
        Ok(Nothing {})
    }

    fn forget_sandbox(&self, endpoint: &str) {
        self.memory().sandboxes.retain(|_, inside| {
            inside.remove(endpoint);
            !inside.is_empty()
        });
    }
}

/// Refuses an endpoint of addresses of which another one here is the holder.
fn refuse_held(
    id: &str,
    addresses: impl Iterator<Item = IpAddr>,
    holder: impl Fn(IpAddr) -> Option<String>,
) -> Result<(), Error> {
    for address in addresses {
        if let Some(other) = holder(address).filter(|other| other != id) {
            return Err(held_by(address, &other));
        }
    }
    Ok(())
}

/// Gives an endpoint that came into being half-way to those that depart.
struct Undo<'a> {
    driver: &'a Driver,
    id: Option<&'a str>,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.driver.departures.orphans.forget(id);
            self.driver.departures.add(id);
            self.driver.departures.wake();
        }
    }
}

/// What the request left open, and nothing else.
fn missing(given: &Interface, endpoint: &EndpointView, driver: &Driver) -> Interface {
    let mut open = Interface::default();
    let mirror = driver.replica.read();
    let network = mirror.network(&endpoint.tenant, &endpoint.network);
    if let Some(network) = network {
        if given.address.is_empty() {
            open.address = format!("{}/{}", endpoint.ipv4, network.subnet.prefix_len());
        }
        if let (true, Some(ipv6), Some(subnet)) = (
            given.address_ipv6.is_empty(),
            endpoint.ipv6,
            network.ipv6_subnet,
        ) {
            open.address_ipv6 = format!("{ipv6}/{}", subnet.prefix_len());
        }
    }
    if given.mac_address.is_empty() {
        open.mac_address = endpoint.mac.to_string();
    }
    open
}

fn publishes_ports(request: &CreateEndpoint) -> bool {
    request
        .options
        .get(PORT_MAP)
        .and_then(|map| map.as_array())
        .is_some_and(|map| !map.is_empty())
}

fn ipv4(text: &str) -> Result<Option<Ipv4Addr>, Error> {
    match text {
        "" => Ok(None),
        text => match address(text)? {
            IpAddr::V4(v4) => Ok(Some(v4)),
            IpAddr::V6(_) => Err(Error::Refused(format!("{text:?} is not IPv4"))),
        },
    }
}

fn ipv6(text: &str) -> Result<Option<Ipv6Addr>, Error> {
    match text {
        "" => Ok(None),
        text => match address(text)? {
            IpAddr::V6(v6) => Ok(Some(v6)),
            IpAddr::V4(_) => Err(Error::Refused(format!("{text:?} is not IPv6"))),
        },
    }
}

fn mac(text: &str) -> Result<Option<Mac>, Error> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(Error::Refused),
    }
}
