//! A container's way from the first API call to its first packet.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use contiv_testbed::{BUSYBOX_IMAGE, Engine};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};
use serde_json::json;

use crate::load::Ends;

/// Where the neighbour waits for the container's connection.
pub(crate) const PORT: u16 = 7005;

/// How long a container may take.
const LIMIT_S: i64 = 30;

/// A Docker network and a neighbour on it.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    engine: &'a Engine,
    network: &'a str,
    neighbour: IpAddr,
    listener: TcpListener,
}

impl<'a> Ground<'a> {
    /// Listens at the server's end of a path through `network`.
    pub(crate) fn new(engine: &'a Engine, network: &'a str, ends: &Ends) -> Result<Self> {
        let listener = ends.server.tcp_listen(SocketAddr::new(ends.target, PORT))?;
        setsockopt(&listener, ReceiveTimeout, &TimeVal::seconds(LIMIT_S))?;
        Ok(Self {
            engine,
            network,
            neighbour: ends.target,
            listener,
        })
    }

    /// Creates and starts a container that connects to the neighbour; returns the time from the
    /// first call to the connection. `started` is called before the container is removed again.
    pub(crate) fn start(&self, started: impl FnOnce() -> Result<()>) -> Result<Duration> {
        let wish = json!({
            "Image": BUSYBOX_IMAGE,
            "Cmd": ["nc", self.neighbour.to_string(), PORT.to_string()],
            "HostConfig": { "NetworkMode": self.network },
        });
        let engine = self.engine;
        std::thread::scope(|scope| {
            let neighbour = scope.spawn(|| -> Result<Instant> {
                let accepted = self.listener.accept();
                let now = Instant::now();
                accepted.context("wait for the container's connection")?;
                Ok(now)
            });
            let begin = Instant::now();
            let made = engine.api_ok("POST", "/containers/create", Some(&wish))?;
            let id = made["Id"].as_str().context("the engine names no id")?;
            let run = engine.api_ok("POST", &format!("/containers/{id}/start"), None);
            let arrived = neighbour
                .join()
                .map_err(|_| anyhow!("the neighbour panicked"));
            let followed = started();
            engine.api_ok("DELETE", &format!("/containers/{id}?force=1"), None)?;
            run?;
            let arrived = arrived??;
            followed?;
            Ok(arrived - begin)
        })
    }
}
