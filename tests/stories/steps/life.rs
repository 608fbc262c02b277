//! An endpoint's life by the calls that an engine makes, with an engine's patience.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use contiv_testbed::{Netns, unix_request, wait_for};
use serde_json::{Value, json};

use crate::actor::{Actor, reaches};
use crate::stage::{DRIVER, Result, SOON, Stage};

/// An engine makes a call that met no driver again for as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it waits for the answer to one.
const ANSWER: Duration = Duration::from_secs(10);

/// One endpoint, and the namespace that stands for its container.
pub(crate) struct Life {
    socket: PathBuf,
    host: Netns,
    sandbox: Netns,
    network: String,
    pool: String,
    id: String,
    /// How often it was tried.
    tries: usize,
    wish: String,
    address: Option<String>,
}

/// The driver has answered, and said no.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Life {
    /// The `number`th endpoint of `network`, not made yet; with an address of its choice, or any.
    pub(crate) fn new(stage: &Stage, network: &str, number: usize, chooses: bool) -> Result<Life> {
        let id = stage.docker(&format!("network inspect --format {{{{.ID}}}} {network}"))?;
        let wish = match chooses {
            // Not one that may still drain.
            true => format!("10.1.0.{}", 100 + number % 100),
            false => String::new(),
        };
        Ok(Life {
            socket: stage.host.path(DRIVER),
            host: stage.host_netns()?,
            sandbox: Netns::new()?,
            network: id.trim().to_owned(),
            pool: format!("default/{network}|v4"),
            id: format!("{number:04x}"),
            tries: 0,
            wish,
            address: None,
        })
    }

    fn endpoint(&self) -> String {
        // Links are named after the beginning.
        format!(
            "{}{:04x}{}",
            self.id,
            self.tries,
            "0123456789abcdef".repeat(3)
        )
    }

    /// The host's end of its link.
    pub(crate) fn host_end(&self) -> String {
        format!("cv{}", &self.endpoint()[..13])
    }

    /// Makes it, at the first try.
    pub(crate) fn make(&mut self) -> Result<()> {
        self.tries += 1;
        let asked = json!({"PoolID": self.pool, "Address": self.wish, "Options": null});
        let granted = self.call("IpamDriver.RequestAddress", &asked)?;
        let address = granted["Address"]
            .as_str()
            .context("an address")?
            .to_owned();
        self.address = Some(address.clone());
        let id = self.endpoint();
        let interface = json!({"Address": address, "AddressIPv6": "", "MacAddress": ""});
        let made = json!({"NetworkID": self.network, "EndpointID": id, "Interface": interface,
            "Options": {}});
        self.call("NetworkDriver.CreateEndpoint", &made)?;
        let key = format!("/var/run/docker/netns/{}", &id[..12]);
        let joined = json!({"NetworkID": self.network, "EndpointID": id, "SandboxKey": key});
        let joined = self.call("NetworkDriver.Join", &joined)?;
        let end = &joined["InterfaceName"]["SrcName"];
        let end = end.as_str().context("a link for the container")?;
        self.host.hand(end, &self.sandbox)?;
        self.sandbox.ip(&format!("link set {end} name eth0"))?;
        self.sandbox.ip(&format!("addr add {address} dev eth0"))?;
        self.sandbox.ip("link set eth0 up")?;
        Ok(())
    }

    /// Makes it; what is refused is undone, and tried anew as another endpoint, as a user would.
    pub(crate) fn make_at_last(&mut self) -> Result<()> {
        wait_for(PATIENCE, "the endpoint to be made", || match self.make() {
            Err(error) if error.is::<Refused>() => {
                println!("refused: {error:#}");
                self.undo()?;
                Err(error)
            }
            other => Ok(other),
        })?
    }

    /// What an engine does when a start has failed; it does not mind refusals then.
    fn undo(&mut self) -> Result<()> {
        for call in ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint"] {
            self.unless_refused(self.call(call, &self.named()))?;
        }
        self.let_go()
    }

    /// Removes it.
    pub(crate) fn remove(&mut self) -> Result<()> {
        self.unless_refused(self.call("NetworkDriver.Leave", &self.named()))?;
        let end = self.host_end().replace("cv", "cc");
        self.sandbox.ip("link set eth0 down")?;
        self.sandbox.ip(&format!("link set eth0 name {end}"))?;
        self.sandbox.hand(&end, &self.host)?;
        self.unless_refused(self.call("NetworkDriver.DeleteEndpoint", &self.named()))?;
        self.let_go()
    }

    fn let_go(&mut self) -> Result<()> {
        let Some(address) = self.address.take() else {
            return Ok(());
        };
        let bare = address.split('/').next().unwrap_or_default();
        let freed = json!({"PoolID": self.pool, "Address": bare});
        self.unless_refused(self.call("IpamDriver.ReleaseAddress", &freed))
    }

    fn named(&self) -> Value {
        json!({"NetworkID": self.network, "EndpointID": self.endpoint()})
    }

    fn unless_refused(&self, outcome: Result<Value>) -> Result<()> {
        match outcome {
            Err(error) if !error.is::<Refused>() => Err(error),
            _ => Ok(()),
        }
    }

    /// It and the peer reach each other.
    pub(crate) fn reaches(&self, peer: &Actor) -> Result<()> {
        let address = self.address.as_deref().context("an address")?;
        let own: IpAddr = address.split('/').next().unwrap_or_default().parse()?;
        wait_for(SOON, "packets to flow both ways", || {
            reaches(&self.sandbox, "the endpoint", peer.ip)?;
            peer.pings(own)
        })
    }

    /// A call of the driver, made again for as long as nobody answers.
    fn call(&self, call: &str, body: &Value) -> Result<Value> {
        let target = format!("/{call}");
        let reply = wait_for(PATIENCE, &format!("an answer to {call}"), || {
            unix_request(&self.socket, "POST", &target, Some(body), ANSWER)
        })?;
        match reply.status {
            200 => Ok(reply.body),
            status => Err(anyhow!(Refused(format!("{call}: {status} {}", reply.text)))),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}
