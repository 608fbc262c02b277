//! The agent of a host, wired as the program does it, but for the engine's own API.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use contiv_client::{Client, Timeouts, masters};
use contiv_model::agent::Revision;
use netplugin::{
    Departures, Driver, Introduction, Listener, Metrics, Observed, Outcome, Reconciler, Relay,
    Replica, Reporter, Scope, SharedPlane, Underlay, router,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::network::Network;
use crate::plane::Kernel;

/// As the program has it: within the 5 s of a call of the engine.
const MASTER_CALL: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    call: Duration::from_secs(4),
    stream_idle: Duration::from_secs(25),
};

/// A life of an agent; dropped, it is dead in the middle of whatever it does.
pub(crate) struct Agent {
    pub(crate) replica: Arc<Replica>,
    pub(crate) departures: Arc<Departures>,
    /// Answers the engine.
    pub(crate) driver: Router,
    outcome: watch::Receiver<Outcome>,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
    _kept: (
        watch::Sender<Observed>,
        watch::Sender<Arc<netplugin::Counted>>,
    ),
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
        let host = client.host(name)?;
        let plane = SharedPlane::in_memory(kernel.plane());
        let replica = Arc::new(Replica::default());
        let (departures, metrics) = (
            Arc::new(Departures::default()),
            Arc::new(Metrics::default()),
        );
        let (observations, observed) = watch::channel(Observed::default());
        let (outcome, outcomes) = watch::channel(Outcome::default());
        let (registrations, registered) = watch::channel(0);
        let (status, statuses) = watch::channel(None);
        let (counting, counted) = watch::channel(Arc::default());
        let own = Ipv4Addr::new(192, 0, 2, number).into();
        let underlay = Arc::new(Underlay::new(Some(own), Some(own), None, []));
        let introduction = Introduction {
            plane: plane.clone(),
            underlay: Arc::clone(&underlay),
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let listener = Listener {
            host: host.clone(),
            introduction: introduction.clone(),
            replica: Arc::clone(&replica),
            metrics: Arc::clone(&metrics),
            registrations,
        };
        tasks.spawn(listener.run(stop.clone()));
        let reconciler = Reconciler {
            host_name: name.to_owned(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            departures: Arc::clone(&departures),
            metrics: Arc::clone(&metrics),
            underlay,
            outcome,
        };
        tasks.spawn(reconciler.run(stop.clone()));
        let reporter = Reporter {
            departures: Arc::clone(&departures),
            host_name: name.to_owned(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            metrics: Arc::clone(&metrics),
            observed,
            outcome: outcomes.clone(),
            status,
        };
        tasks.spawn(reporter.run(stop.clone()));
        for master in client.each() {
            let relay = Relay {
                host: master.host(name)?,
                introduction: introduction.clone(),
                status: statuses.clone(),
                counted: counted.clone(),
                events: Arc::default(),
                registrations: registered.clone(),
            };
            tasks.spawn(relay.run(stop.clone()));
        }
        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (host, stop) = (host.clone(), stop.clone());
            tasks.spawn(async move {
                let orphans = Arc::clone(&departures.orphans);
                orphans.run(host, &replica, &departures, stop).await;
            });
        }
        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (plane, stop) = (plane.clone(), stop.clone());
            tasks.spawn(async move { departures.run(plane, host, &replica, stop).await });
        }
        let driver = Driver::new(
            name,
            client,
            Arc::clone(&replica),
            plane,
            Arc::clone(&departures),
            metrics,
        )?;
        Ok(Agent {
            replica,
            departures,
            driver: router(Arc::new(driver), Scope::Local),
            outcome: outcomes,
            stop,
            _tasks: tasks,
            _kept: (observations, counting),
        })
    }

    /// How far it has heard.
    pub(crate) fn heard(&self) -> Revision {
        self.replica.heard()
    }

    /// Whether it says that an endpoint has lost its address.
    pub(crate) fn has_fenced(&self, endpoint: &str) -> bool {
        let outcome = self.outcome.borrow();
        let mut problems = outcome.problems.iter();
        problems.any(|p| p.reason == "AddressLost" && p.object.key == endpoint)
    }
}
