//! The agent of a host, wired as the program does it, but for the engine's own API.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use contiv_client::{Client, masters};
use contiv_model::agent::Revision;
use netplugin::{Ground, Lost, MASTER_CALL, Scope, SharedPlane, Underlay, router};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::network::Network;
use crate::plane::Kernel;

/// A life of an agent; dropped, it is dead in the middle of whatever it does.
pub(crate) struct Agent {
    pub(crate) core: netplugin::Agent,
    /// Answers the engine.
    pub(crate) driver: Router,
    /// What it remembers of containers that have lost their endpoint.
    pub(crate) lost: Lost,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Agent {
    /// An agent for the host of this name and number.
    pub(crate) fn start(
        name: &str,
        number: u8,
        masters_list: &str,
        network: &Network,
        kernel: &Kernel,
    ) -> anyhow::Result<Agent> {
        let client = Client::through(network.dial(name), masters(masters_list)?, MASTER_CALL)?;
        let own = Ipv4Addr::new(192, 0, 2, number).into();
        let ground = Ground {
            host_name: name.to_owned(),
            client,
            plane: SharedPlane::in_memory(kernel.plane()),
            underlay: Arc::new(Underlay::new(Some(own), Some(own), None, [])),
            events: Arc::default(),
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let core = netplugin::Agent::start(ground, &stop, |task| drop(tasks.spawn(task)))?;
        Ok(Agent {
            driver: router(Arc::clone(&core.driver), Scope::Local),
            core,
            lost: Lost::default(),
            stop,
            _tasks: tasks,
        })
    }

    /// How far it has heard.
    pub(crate) fn heard(&self) -> Revision {
        self.core.replica.heard()
    }

    /// Whether it says that an endpoint has lost its address.
    pub(crate) fn has_fenced(&self, endpoint: &str) -> bool {
        let (outcome, observed) = (self.core.outcome.borrow(), self.core.observed.borrow());
        let mut problems = outcome.problems.iter().chain(&observed.problems);
        problems.any(|p| p.reason == "AddressLost" && p.object.key == endpoint)
    }
}
