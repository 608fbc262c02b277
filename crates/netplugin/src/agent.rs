//! What an agent does with its masters and its kernel, whatever stands around it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use contiv_client::{Client, Timeouts};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cnm::Driver;
use crate::counters::Counted;
use crate::data_plane::SharedPlane;
use crate::departures::Departures;
use crate::docker::Observed;
use crate::events::EventLog;
use crate::metrics::Metrics;
use crate::reconcile::{Outcome, Reconciler};
use crate::replica::Replica;
use crate::underlay::Underlay;
use crate::upstream::{Introduction, Listener, Relay, Reporter};

/// How long a call of a master may take: within the 5 s of a call of the engine.
pub const MASTER_CALL: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    call: Duration::from_secs(4),
    // Masters give a sign of life every 5 s: one may be late, and one be lost.
    stream_idle: Duration::from_secs(11),
};

/// What an agent stands on.
pub struct Ground {
    pub host_name: String,
    pub client: Client,
    pub plane: SharedPlane,
    pub underlay: Arc<Underlay>,
    pub events: Arc<EventLog>,
}

/// The agent itself: it listens, reconciles, reports and answers calls of an engine.
pub struct Agent {
    pub replica: Arc<Replica>,
    pub departures: Arc<Departures>,
    pub metrics: Arc<Metrics>,
    pub driver: Arc<Driver>,
    pub outcome: watch::Receiver<Outcome>,
    /// Takes what is seen of the engine.
    pub observed: watch::Sender<Observed>,
    /// Takes what the kernel counts.
    pub counted: watch::Sender<Arc<Counted>>,
}

impl Agent {
    /// Hands each of its tasks, which run until `stop`, to `spawn`.
    pub fn start(
        ground: Ground,
        stop: &CancellationToken,
        mut spawn: impl FnMut(Pin<Box<dyn Future<Output = ()> + Send>>),
    ) -> anyhow::Result<Agent> {
        let Ground {
            host_name,
            client,
            plane,
            underlay,
            events,
        } = ground;
        let host = client.host(&host_name)?;
        let replica = Arc::new(Replica::default());
        let departures = Arc::new(Departures::default());
        let metrics = Arc::new(Metrics::default());
        let (observed, observations) = watch::channel(Observed::default());
        let (outcome, outcomes) = watch::channel(Outcome::default());
        let (registrations, registered) = watch::channel(0);
        let (status, statuses) = watch::channel(None);
        let (counted, counts) = watch::channel(Arc::default());
        let introduction = Introduction {
            plane: plane.clone(),
            underlay: Arc::clone(&underlay),
        };

        let listener = Listener {
            host: host.clone(),
            introduction: introduction.clone(),
            replica: Arc::clone(&replica),
            metrics: Arc::clone(&metrics),
            registrations,
        };
        spawn(Box::pin(listener.run(stop.clone())));

        let reconciler = Reconciler {
            host_name: host_name.clone(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            departures: Arc::clone(&departures),
            metrics: Arc::clone(&metrics),
            underlay,
            outcome,
        };
        spawn(Box::pin(reconciler.run(stop.clone())));

        let reporter = Reporter {
            host_name: host_name.clone(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            metrics: Arc::clone(&metrics),
            observed: observations,
            outcome: outcomes.clone(),
            departures: Arc::clone(&departures),
            status,
        };
        spawn(Box::pin(reporter.run(stop.clone())));

        for master in client.each() {
            let relay = Relay {
                host: master.host(&host_name)?,
                introduction: introduction.clone(),
                status: statuses.clone(),
                counted: counts.clone(),
                events: Arc::clone(&events),
                registrations: registered.clone(),
            };
            spawn(Box::pin(relay.run(stop.clone())));
        }

        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (host, stop) = (host.clone(), stop.clone());
            spawn(Box::pin(async move {
                let orphans = Arc::clone(&departures.orphans);
                orphans.run(host, &replica, &departures, stop).await;
            }));
        }
        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (plane, stop) = (plane.clone(), stop.clone());
            spawn(Box::pin(async move {
                departures.run(plane, host, &replica, stop).await;
            }));
        }

        let driver = Driver::new(
            &host_name,
            client,
            Arc::clone(&replica),
            plane,
            Arc::clone(&departures),
            Arc::clone(&metrics),
        )?;
        Ok(Agent {
            replica,
            departures,
            metrics,
            driver: Arc::new(driver),
            outcome: outcomes,
            observed,
            counted,
        })
    }
}
