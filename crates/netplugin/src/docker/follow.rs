//! Keeps the engine's networks in step with the mirror, and learns containers' names.
//!
//! Level-triggered: whatever happens in the engine or at the master, the whole
//! picture is taken again. An engine that is absent or restarting is asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contiv_client::HostClient;
use contiv_datapath::spec::link_names;
use contiv_model::agent::{EndpointView, FabricEvent, ObjectRef, Problem};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::client::EngineClient;
use super::collect::{Abandoned, unheld};
use super::containers::{ContainerFacts, by_endpoint};
use super::lasting::Lasting;
use super::lost::{Held, Lost, held};
use super::plan::{Plan, plan};
use super::severed::{self, Severed, end_of, give_back};
use crate::data_plane::{Attachment, SharedPlane};
use crate::departures::Departures;
use crate::error::Error;
use crate::events::{EventLog, repair};
use crate::metrics::Metrics;
use crate::replica::Replica;

/// Happenings that come together are answered by one pass.
const GATHER: Duration = Duration::from_millis(30);
/// A pass for what no event tells of.
const PATROL: Duration = Duration::from_secs(10);
/// The same while something is waited for.
const SOON: Duration = Duration::from_millis(500);
/// Bindings differ for a moment while a network is made or removed.
const SETTLED: Duration = Duration::from_secs(5);
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What the engine was last seen to have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Objects that have their Docker network, with the uids that they had then.
    pub realised: BTreeMap<ObjectRef, String>,
    pub problems: Vec<Problem>,
    /// Containers by the endpoints that they hold.
    pub containers: BTreeMap<String, ContainerFacts>,
}

/// Follows one engine.
pub struct Follower {
    pub engine: EngineClient,
    pub host_name: String,
    /// The name that the engine knows our driver by.
    pub driver: String,
    pub host: HostClient,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub departures: Arc<Departures>,
    pub metrics: Arc<Metrics>,
    pub observed: watch::Sender<Observed>,
    pub events: Arc<EventLog>,
}

/// What passes remember of each other.
#[derive(Default)]
struct Memory {
    abandoned: Abandoned,
    severed: Severed,
    lost: Lost,
    /// Bindings that differ from the engine's networks, and since when.
    unsettled: Lasting,
    /// What the engine said of each network that it did not remove.
    refusals: BTreeMap<String, String>,
}

impl Follower {
    /// Follows until the agent ends.
    pub async fn run(self, stop: CancellationToken) {
        let mut memory = Memory::default();
        let mut pause = RETRY.0;
        loop {
            let followed = tokio::select! {
                () = stop.cancelled() => return,
                followed = self.follow(&mut memory, &mut pause) => followed,
            };
            self.metrics.engine.set(0);
            if let Err(error) = followed {
                let problems = unreachable(&self.replica, &error);
                let containers = self.observed.borrow().containers.clone();
                let observed = Observed {
                    realised: BTreeMap::new(),
                    problems,
                    containers,
                };
                if self
                    .observed
                    .send_if_modified(|o| std::mem::replace(o, observed.clone()) != observed)
                {
                    tracing::info!(%error, "the Docker engine is away");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => pause = (pause * 2).min(RETRY.1),
            }
        }
    }

    /// Follows one run of the engine; its end is an error.
    async fn follow(&self, memory: &mut Memory, pause: &mut Duration) -> Result<(), Error> {
        // Events first, so that nothing happens unnoticed between them and the lists.
        let mut events = self.engine.events().await?;
        let happened = Notify::new();
        let watch = async {
            while events.next().await {
                happened.notify_one();
            }
            Err(Error::Engine("its events ended".into()))
        };
        let passes = async {
            let mut changes = self.replica.changes();
            loop {
                changes.mark_unchanged();
                self.pass(memory).await?;
                let patrol = match memory.severed.is_urgent(Instant::now()) {
                    true => SOON,
                    false => PATROL,
                };
                if self.metrics.engine.set(1) == 0 {
                    tracing::info!("following the Docker engine");
                }
                *pause = RETRY.0;
                tokio::select! {
                    () = happened.notified() => {}
                    _ = changes.changed() => {}
                    () = sleep(patrol) => {}
                }
                sleep(GATHER).await;
            }
        };
        tokio::select! {
            ended = watch => ended,
            failed = passes => failed,
        }
    }

    async fn pass(&self, memory: &mut Memory) -> Result<(), Error> {
        let mut networks = self.engine.networks().await?;
        let mut now = self.plan(&networks);
        let failed = self.carry_out(&now, &mut memory.refusals).await;
        if !now.create.is_empty() || !now.remove.is_empty() {
            networks = self.engine.networks().await?;
            now = self.plan(&networks);
        }
        self.settle_bindings(&now, &mut memory.unsettled).await;
        let running = self.engine.containers().await?;
        let containers = by_endpoint(&running);
        let held = {
            let mirror = self.replica.read();
            held(&mirror, &self.driver, &networks, &running, &containers)
        };
        let mut problems = now.problems;
        problems.extend(failed);
        problems.extend(self.give_back(&mut memory.severed, &containers).await?);
        problems.extend(self.lost(&mut memory.lost, &held).await?);
        let observed = Observed {
            realised: now.realised,
            problems,
            containers,
        };
        self.observed
            .send_if_modified(|o| std::mem::replace(o, observed.clone()) != observed);
        self.collect(&mut memory.abandoned).await
    }

    fn plan(&self, networks: &[super::client::EngineNetwork]) -> Plan {
        plan(
            &self.replica.read(),
            networks,
            &self.host_name,
            &self.driver,
        )
    }

    async fn carry_out(
        &self,
        plan: &Plan,
        refusals: &mut BTreeMap<String, String>,
    ) -> Vec<Problem> {
        refusals.retain(|id, _| plan.remove.iter().any(|(going, _)| going == id));
        for (id, name) in &plan.remove {
            let Err(error) = self.engine.remove_network(id).await else {
                tracing::info!(name, "Docker network removed: its object is gone");
                continue;
            };
            // It is tried with every pass, and told once.
            let reason = error.to_string();
            if refusals.insert(id.clone(), reason.clone()).as_ref() != Some(&reason) {
                tracing::warn!(name, %error, "Docker network not removed yet");
            }
        }
        let mut failed = Vec::new();
        for (object, network) in &plan.create {
            match self.engine.create_network(network).await {
                Ok(()) => tracing::info!(name = network.name, "Docker network made"),
                Err(error) => {
                    tracing::warn!(name = network.name, %error, "Docker network not made");
                    failed.push(Problem {
                        object: object.clone(),
                        reason: "EngineRefused".into(),
                        message: error.to_string(),
                    });
                }
            }
        }
        failed
    }

    /// Repairs bindings that have differed for a while.
    async fn settle_bindings(&self, plan: &Plan, unsettled: &mut Lasting) {
        let differing: BTreeSet<&str> = plan
            .bind
            .iter()
            .map(|b| b.id.as_str())
            .chain(plan.unbind.iter().map(String::as_str))
            .collect();
        let now = Instant::now();
        unsettled.note(differing, now);
        let ripe = |id: &str| unsettled.is_ripe(id, SETTLED, now);
        for binding in plan.bind.iter().filter(|b| ripe(&b.id)) {
            match self.host.put_docker_network(binding).await {
                Ok(()) => tracing::info!(docker_network = binding.id, "Docker network bound again"),
                Err(error) => tracing::warn!(docker_network = binding.id, %error, "not bound"),
            }
        }
        for id in plan.unbind.iter().filter(|id| ripe(id)) {
            match self.host.delete_docker_network(id).await {
                Ok(()) => tracing::info!(docker_network = id, "binding without network dropped"),
                Err(error) => tracing::warn!(docker_network = id, %error, "binding not dropped"),
            }
        }
    }

    /// Gives containers that have lost their link another one; answers with those that get none.
    async fn give_back(
        &self,
        severed: &mut Severed,
        containers: &BTreeMap<String, ContainerFacts>,
    ) -> Result<Vec<Problem>, Error> {
        let kernel = self.plane.with(|plane| plane.endpoints()).await?;
        let departing = self.departures.ids();
        let ripe: Vec<_> = {
            let mirror = self.replica.read();
            let now = Instant::now();
            let ripe = severed.look(&mirror, &self.host_name, &departing, &kernel, now);
            let with_end = ripe
                .into_iter()
                .filter_map(|e| Some((end_of(&mirror, &e)?, e)));
            with_end.collect()
        };
        let mut problems = Vec::new();
        for (end, endpoint) in ripe {
            let detached = kernel[&endpoint.id].attachment == Attachment::Detached;
            let Some(container) = containers.get(&endpoint.id) else {
                if !detached {
                    continue; // Whoever has it may put it down.
                }
                let why = "the engine knows of no container that runs and holds it";
                problems.push(severed::problem(&endpoint, "any container", why));
                continue;
            };
            let given = give_back(&endpoint, container, end, &self.engine, &self.plane).await;
            match given {
                Ok(Some(name)) => {
                    let told = given_back(&endpoint, &container.name, &name);
                    self.events.push(told);
                }
                Ok(None) => {}
                Err(why) => {
                    let whose = format!("container {}", container.name);
                    problems.push(severed::problem(&endpoint, &whose, &why));
                }
            }
        }
        Ok(problems)
    }

    /// Looks for containers that run without an endpoint.
    async fn lost(
        &self,
        lost: &mut Lost,
        held: &BTreeMap<String, Held>,
    ) -> Result<Vec<Problem>, Error> {
        let orphans = &self.departures.orphans;
        let suspects = Lost::suspects(&self.replica.read(), orphans, held);
        let kernel = match suspects {
            true => self.plane.with(|plane| plane.endpoints()).await?,
            false => BTreeMap::new(),
        };
        let (kernel, now) = (kernel.into_keys().collect(), Instant::now());
        Ok(lost.look(&self.replica.read(), orphans, held, &kernel, now))
    }

    async fn collect(&self, abandoned: &mut Abandoned) -> Result<(), Error> {
        let kernel = self.plane.with(|plane| plane.endpoints()).await?;
        let departing = self.departures.ids();
        let (ripe, networks) = {
            let mirror = self.replica.read();
            let ripe = abandoned.look(
                &mirror,
                &self.host_name,
                &departing,
                &kernel,
                Instant::now(),
            );
            let networks = mirror
                .docker_networks()
                .filter(|d| d.host == self.host_name || d.swarm.is_some());
            (
                ripe,
                networks.map(|d| d.id.clone()).collect::<BTreeSet<_>>(),
            )
        };
        if ripe.is_empty() {
            return Ok(());
        }
        for id in unheld(&self.engine, &networks, ripe).await? {
            tracing::info!(
                endpoint = id,
                "collecting an endpoint that no container holds"
            );
            self.departures.add(&id);
            self.departures.wake();
        }
        Ok(())
    }
}

fn given_back(endpoint: &EndpointView, container: &str, name: &str) -> FabricEvent {
    let (link, _) = link_names(&endpoint.id);
    let message = format!(
        "link {link} of container {container} was deleted by somebody else; it is put back as \
         {name}, with address {}",
        endpoint.ipv4
    );
    tracing::warn!(endpoint = endpoint.id, "{message}");
    repair("link", &endpoint.id, message)
}

/// Without an engine no object gets its Docker network.
fn unreachable(replica: &Replica, error: &Error) -> Vec<Problem> {
    let wanting = plan(&replica.read(), &[], "", "").create;
    let problem = |object| Problem {
        object,
        reason: "EngineUnreachable".into(),
        message: error.to_string(),
    };
    wanting
        .into_iter()
        .map(|(object, _)| problem(object))
        .collect()
}

#[cfg(test)]
mod tests;
