//! A container's way from the first API call to its first packet.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use contiv_testbed::{BUSYBOX_IMAGE, Engine};
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt::ReceiveTimeout};
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
        let begin = Instant::now();
        let made = engine.api_ok("POST", "/containers/create", Some(&wish))?;
        let id = made["Id"].as_str().context("the engine names no id")?;
        let arrived = std::thread::scope(|scope| {
            let neighbour = scope.spawn(|| -> Result<Instant> {
                let accepted = self.listener.accept();
                let now = Instant::now();
                accepted.context("wait for the container's connection")?;
                Ok(now)
            });
            let run = engine.api_ok("POST", &format!("/containers/{id}/start"), None);
            if run.is_err() {
                // Nobody will connect: the neighbour need not wait for it.
                shutdown(self.listener.as_raw_fd(), Shutdown::Both).ok();
            }
            let arrived = neighbour.join();
            run?;
            arrived.map_err(|_| anyhow!("the neighbour panicked"))?
        });
        let followed = started();
        // It may be ending by itself, which the engine does not bear with when it is to kill it.
        engine
            .api_ok("POST", &format!("/containers/{id}/kill"), None)
            .ok();
        engine.api_ok("POST", &format!("/containers/{id}/wait"), None)?;
        engine.api_ok("DELETE", &format!("/containers/{id}"), None)?;
        followed?;
        Ok(arrived? - begin)
    }
}

#[cfg(test)]
mod tests {
    use contiv_testbed::{EngineOptions, Host};

    use super::*;
    use crate::path;

    #[test]
    fn a_start_is_timed_and_leaves_no_container() {
        let host = Host::new("start").unwrap();
        let engine = Engine::start(&host, EngineOptions::default()).unwrap();
        let ends = path::containers(&engine, "bridge", "default").unwrap();
        let before = engine.docker(&["ps", "-aq"]).unwrap();
        let ground = Ground::new(&engine, "bridge", &ends).unwrap();
        let mut ran = String::new();
        let took = ground.start(|| {
            ran = engine.docker(&["ps", "-aq"])?;
            Ok(())
        });
        assert!(took.unwrap() > Duration::ZERO);
        assert_eq!(ran.lines().count(), before.lines().count() + 1);
        assert_eq!(engine.docker(&["ps", "-aq"]).unwrap(), before);
        // A network that is not there is an error of the engine, not a time, and soon.
        let nowhere = Ground {
            network: "nowhere",
            ..ground
        };
        let error = nowhere.start(|| Ok(())).unwrap_err();
        assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
        assert_eq!(engine.docker(&["ps", "-aq"]).unwrap(), before);
    }
}
