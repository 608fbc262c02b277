//! A container as the engine describes it, and a way into its network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{Engine, Host, Netns};

/// One container at the time it was looked at.
#[derive(Debug, Clone)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// The name without the leading slash.
    pub name: String,
    /// The first process, as the host sees it; 0 when the container does not run.
    pub pid: i32,
    /// The engine's name for the container's network namespace.
    pub sandbox_key: String,
    /// The container's interfaces by the name of their Docker network.
    pub networks: BTreeMap<String, Attachment>,
    host: Host,
}

/// One interface of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The engine's id of the endpoint.
    pub endpoint_id: String,
    /// The IPv4 address, if any.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 address, if any.
    pub ipv6: Option<Ipv6Addr>,
    /// The hardware address as the engine writes it.
    pub mac: String,
}

impl Container {
    pub(crate) fn inspect(engine: &Engine, name: &str) -> Result<Self> {
        let doc = engine.api_ok("GET", &format!("/containers/{name}/json"), None)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let networks = doc["NetworkSettings"]["Networks"].as_object();
        let networks = networks.into_iter().flatten().map(|(network, end)| {
            let attachment = Attachment {
                endpoint_id: text(&end["EndpointID"]),
                ipv4: text(&end["IPAddress"]).parse().ok(),
                ipv6: text(&end["GlobalIPv6Address"]).parse().ok(),
                mac: text(&end["MacAddress"]),
            };
            (network.clone(), attachment)
        });
        Ok(Self {
            id: text(&doc["Id"]),
            name: text(&doc["Name"]).trim_start_matches('/').to_owned(),
            pid: doc["State"]["Pid"]
                .as_i64()
                .and_then(|pid| pid.try_into().ok())
                .unwrap_or(0),
            sandbox_key: text(&doc["NetworkSettings"]["SandboxKey"]),
            networks: networks.collect(),
            host: engine.host().clone(),
        })
    }

    /// The container's network namespace, where probes can be started.
    pub fn netns(&self) -> Result<Netns> {
        if self.pid == 0 {
            bail!("container {} does not run", self.name);
        }
        self.host.netns_of(self.pid)
    }

    /// The address on the container's only network (IPv4 before IPv6).
    pub fn ip(&self) -> Result<IpAddr> {
        let mut ends = self.networks.values();
        let (Some(end), None) = (ends.next(), ends.next()) else {
            bail!(
                "container {} has {} networks, not one",
                self.name,
                self.networks.len()
            );
        };
        let ip = end.ipv4.map(IpAddr::from).or(end.ipv6.map(IpAddr::from));
        ip.with_context(|| format!("container {} has no address", self.name))
    }

    /// The address on one network (IPv4 before IPv6).
    pub fn ip_on(&self, network: &str) -> Result<IpAddr> {
        let end = self.networks.get(network);
        let end = end.with_context(|| format!("{} is not on {network}", self.name))?;
        let ip = end.ipv4.map(IpAddr::from).or(end.ipv6.map(IpAddr::from));
        ip.with_context(|| format!("{} has no address on {network}", self.name))
    }
}
