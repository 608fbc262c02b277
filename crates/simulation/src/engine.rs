//! A Docker engine, as far as drivers notice it: networks, containers, and calls in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Body;
use hyper::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An engine; clones are the same one. It outlives agents, and knows its networks after a
/// start of the host.
#[derive(Clone, Default)]
pub(crate) struct Engine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Its networks, with the id of their pool.
    networks: BTreeMap<String, String>,
    containers: BTreeMap<String, Container>,
    next: u64,
    boot: u64,
}

/// A container with one interface; its id is that of the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) to: Attachment,
    pub(crate) address: Option<IpAddr>,
    pool: String,
    /// The engine has told its user that it runs.
    pub(crate) runs: bool,
    /// The engine is taking it away.
    pub(crate) ending: bool,
    /// Masters took its host for lost, and may give its address to others: how often the store
    /// had been restored then.
    pub(crate) disowned: Option<u64>,
    /// Its endpoint was closed, since its address was lost.
    pub(crate) fenced: bool,
}

/// What a container is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) tenant: String,
    pub(crate) network: String,
    pub(crate) group: Option<String>,
    pub(crate) subnet: String,
}

impl Attachment {
    /// The engine's network that stands for it.
    fn id(&self, host: &str) -> String {
        let group = self.group.as_deref().unwrap_or("-");
        format!("dn-{host}-{}-{}-{group}", self.tenant, self.network)
    }

    fn options(&self) -> Value {
        let mut options = json!({"tenant": self.tenant, "network": self.network});
        if let Some(group) = &self.group {
            options["group"] = group.as_str().into();
        }
        options
    }
}

impl Engine {
    pub(crate) fn containers(&self) -> BTreeMap<String, Container> {
        self.state().containers.clone()
    }

    /// Masters took the host for lost, or know the container again.
    pub(crate) fn set_disowned(&self, id: &str, disowned: Option<u64>) {
        if let Some(container) = self.state().containers.get_mut(id) {
            container.disowned = disowned;
        }
    }

    /// Its agent has closed the container's endpoint.
    pub(crate) fn set_fenced(&self, id: &str) {
        if let Some(container) = self.state().containers.get_mut(id) {
            container.fenced = true;
        }
    }

    /// Those that run and are not being taken away.
    pub(crate) fn running(&self) -> Vec<String> {
        let state = self.state();
        let running = state.containers.iter().filter(|(_, c)| c.runs && !c.ending);
        running.map(|(id, _)| id.clone()).collect()
    }

    /// The host starts anew: no container is left, and nobody was told of their end.
    pub(crate) fn reboot(&self) {
        let mut state = self.state();
        state.containers.clear();
        state.boot += 1;
    }

    /// Starts a container, which gets a wished address or any.
    pub(crate) async fn start(
        &self,
        host: &str,
        driver: Router,
        to: Attachment,
        wish: Option<IpAddr>,
    ) -> anyhow::Result<(String, IpAddr)> {
        let (id, boot) = {
            let mut state = self.state();
            state.next += 1;
            let id = format!("ep-{host}-{}", state.next);
            let container = Container {
                to: to.clone(),
                address: None,
                pool: String::new(),
                runs: false,
                ending: false,
                disowned: None,
                fenced: false,
            };
            state.containers.insert(id.clone(), container);
            (id, state.boot)
        };
        let started = self.attach(host, &driver, &to, &id, wish).await;
        {
            let mut state = self.state();
            if state.boot != boot {
                bail!("the host has started anew");
            }
            if started.is_ok()
                && let Some(container) = state.containers.get_mut(&id)
            {
                container.runs = true;
            }
        }
        match started {
            Ok(address) => Ok((id, address)),
            Err(error) => {
                // The engine takes back what it has made, and does not care for answers.
                self.detach(&driver, &id).await;
                Err(error)
            }
        }
    }

    async fn attach(
        &self,
        host: &str,
        driver: &Router,
        to: &Attachment,
        id: &str,
        wish: Option<IpAddr>,
    ) -> anyhow::Result<IpAddr> {
        let network = to.id(host);
        let pool = self.pool(driver, &network, to).await?;
        let wish = wish.map(|wish| wish.to_string()).unwrap_or_default();
        let ask = json!({"PoolID": pool, "Address": wish, "Options": null});
        let granted = call(driver, "IpamDriver.RequestAddress", ask).await?;
        let with_prefix = granted["Address"]
            .as_str()
            .context("an address")?
            .to_owned();
        let bare = with_prefix.split('/').next().unwrap_or_default();
        let address: IpAddr = bare.parse()?;
        if let Some(container) = self.state().containers.get_mut(id) {
            container.address = Some(address);
            container.pool.clone_from(&pool);
        }
        let create = json!({"NetworkID": network, "EndpointID": id,
            "Interface": {"Address": with_prefix, "AddressIPv6": "", "MacAddress": ""},
            "Options": {}});
        call(driver, "NetworkDriver.CreateEndpoint", create).await?;
        let join = json!({"NetworkID": network, "EndpointID": id, "SandboxKey": id});
        call(driver, "NetworkDriver.Join", join).await?;
        Ok(address)
    }

    /// The pool of the engine's network, which is made if there is none.
    async fn pool(
        &self,
        driver: &Router,
        network: &str,
        to: &Attachment,
    ) -> anyhow::Result<String> {
        let known = self.state().networks.get(network).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let ask =
            json!({"AddressSpace": "contiv-local", "Pool": to.subnet, "Options": to.options()});
        let pool = call(driver, "IpamDriver.RequestPool", ask).await?;
        let gateway = json!({"PoolID": pool["PoolID"], "Address": "",
            "Options": {"RequestAddressType": "com.docker.network.gateway"}});
        let gateway = call(driver, "IpamDriver.RequestAddress", gateway).await?;
        let create = json!({"NetworkID": network,
            "Options": {"com.docker.network.generic": to.options()},
            "IPv4Data": [{"AddressSpace": "contiv-local", "Pool": pool["Pool"],
                "Gateway": gateway["Address"]}],
            "IPv6Data": []});
        call(driver, "NetworkDriver.CreateNetwork", create).await?;
        let id = pool["PoolID"].as_str().context("a pool's id")?.to_owned();
        self.state().networks.insert(network.to_owned(), id.clone());
        Ok(id)
    }

    /// Ends a container.
    pub(crate) async fn stop(&self, driver: Option<Router>, id: &str) {
        if let Some(container) = self.state().containers.get_mut(id) {
            container.ending = true;
        }
        match driver {
            Some(driver) => self.detach(&driver, id).await,
            // Without an agent the calls fail, and the engine forgets the container.
            None => drop(self.state().containers.remove(id)),
        }
    }

    async fn detach(&self, driver: &Router, id: &str) {
        let Some(container) = self.state().containers.get(id).cloned() else {
            return;
        };
        let place = json!({"NetworkID": "", "EndpointID": id});
        for call_name in ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint"] {
            drop(call(driver, call_name, place.clone()).await);
        }
        // From here on the engine may give the address to another container.
        self.state().containers.remove(id);
        if let Some(address) = container.address {
            let release = json!({"PoolID": container.pool, "Address": address.to_string()});
            drop(call(driver, "IpamDriver.ReleaseAddress", release).await);
        }
    }

    /// Says that an address is free, which nobody has found to be so.
    pub(crate) async fn release(&self, driver: Router, address: IpAddr) {
        let pools: Vec<String> = self.state().networks.values().cloned().collect();
        for pool in pools {
            let release = json!({"PoolID": pool, "Address": address.to_string()});
            drop(call(&driver, "IpamDriver.ReleaseAddress", release).await);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of the driver protocol.
async fn call(driver: &Router, name: &str, body: Value) -> anyhow::Result<Value> {
    let request = Request::post(format!("/{name}")).body(Body::from(body.to_string()))?;
    let answer = driver.clone().oneshot(request).await?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await?;
    let document: Value = serde_json::from_slice(&body)?;
    if !status.is_success() {
        bail!("{name}: {}", document["Err"].as_str().unwrap_or_default());
    }
    Ok(document)
}
