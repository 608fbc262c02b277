//! A host: its kernel, its engine, and an agent that runs or not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use contiv_model::agent::Revision;
use netplugin::Held;
use tokio::time::Instant;

use crate::agent::Agent;
use crate::engine::{Container, Engine};
use crate::fault::Fault;
use crate::network::Network;
use crate::plane::Kernel;

/// A machine with containers on it.
pub(crate) struct HostNode {
    pub(crate) name: String,
    number: u8,
    masters: String,
    network: Network,
    pub(crate) kernel: Kernel,
    pub(crate) engine: Engine,
    pub(crate) agent: Option<Agent>,
    /// The highest revision that the present agent was seen to have heard of.
    pub(crate) seen: Revision,
}

/// An endpoint that no container has is abandoned after this time.
pub(crate) const ABANDONED: Duration = Duration::from_secs(15);

impl HostNode {
    pub(crate) fn new(
        name: &str,
        number: u8,
        masters: &str,
        network: &Network,
        fault: Option<Fault>,
    ) -> HostNode {
        HostNode {
            name: name.to_owned(),
            number,
            masters: masters.to_owned(),
            network: network.clone(),
            kernel: match fault {
                Some(Fault::Stale) => Kernel::stale(),
                _ => Kernel::default(),
            },
            engine: Engine::default(),
            agent: None,
            seen: Revision::default(),
        }
    }

    /// Starts the agent; nothing happens if it runs.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        if self.agent.is_none() {
            let (name, masters) = (&self.name, &self.masters);
            let agent = Agent::start(name, self.number, masters, &self.network, &self.kernel)?;
            self.agent = Some(agent);
            self.seen = Revision::default();
        }
        Ok(())
    }

    /// What answers the engine, if the agent runs.
    pub(crate) fn driver(&self) -> Option<axum::Router> {
        Some(self.agent.as_ref()?.driver.clone())
    }

    /// Ends the agent; kernel and containers stay.
    pub(crate) fn kill_agent(&mut self) {
        self.agent = None;
        // Its calls that are under way arrive nowhere.
        drop(self.kernel.plane());
        self.network.break_of(&self.name);
    }

    /// The machine starts anew, without an agent at first.
    pub(crate) fn reboot(&mut self) {
        self.kill_agent();
        self.kernel.reboot();
        self.engine.reboot();
    }

    /// Ends endpoints that no container has, and tells of containers that have none, as the agent
    /// does with what the engine tells.
    pub(crate) fn collect(&mut self, candidates: &mut BTreeSet<String>) {
        let Some(agent) = &mut self.agent else {
            return;
        };
        let containers = self.engine.containers();
        let held: BTreeSet<String> = containers.keys().cloned().collect();
        let known: BTreeSet<String> = {
            let mirror = agent.core.replica.read();
            let own = mirror.endpoints().filter(|e| e.host == self.name);
            own.map(|e| e.id.clone()).collect()
        };
        let kernel: BTreeSet<String> = self.kernel.state().endpoints.keys().cloned().collect();
        tell_lost(agent, &containers, &kernel);
        let abandoned: BTreeSet<String> = known
            .union(&kernel)
            .filter(|id| !held.contains(*id))
            .cloned()
            .collect();
        for id in abandoned.intersection(candidates) {
            agent.core.departures.add(id);
        }
        agent.core.departures.wake();
        *candidates = abandoned;
    }
}

/// Has the agent tell of containers that have lost their endpoint.
fn tell_lost(
    agent: &mut Agent,
    containers: &BTreeMap<String, Container>,
    kernel: &BTreeSet<String>,
) {
    let running = containers.iter().filter(|(_, container)| container.runs);
    let held = running.map(|(id, container)| (id.clone(), of(id, container)));
    let (held, now) = (held.collect(), Instant::now().into_std());
    let (mirror, orphans) = (agent.core.replica.read(), &agent.core.departures.orphans);
    let problems = agent.lost.look(&mirror, orphans, &held, kernel, now);
    agent.core.observed.send_if_modified(|seen| {
        let changed = seen.problems != problems;
        seen.problems = problems;
        changed
    });
}

/// What the engine tells of a container that runs.
fn of(id: &str, container: &Container) -> Held {
    Held {
        container: id.to_owned(),
        tenant: container.to.tenant.clone(),
        network: container.to.network.clone(),
        ipv4: container.address.and_then(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }),
    }
}
