//! Wires the agent together; read it as the diagram.
//!
//! ```text
//!   masters ══stream══▶ Listener ──▶ Replica ──▶ Reconciler ──▶ data plane
//!      ▲  ▲                            │ ▲                        ▲    │
//!      │  └── Departures ◀── Driver ◀──┘ └──────────┐             │    │
//!      │                      ▲  └──────────────────┼─────────────┘    │
//!      │                      │ unix socket         │                  │
//!      │                   Docker engine ◀──▶ Follower                 │
//!    Relays ◀── Reporter ◀──────────────────────────┴──────────────────┤
//!      ▲  ▲───── Counter ◀─────────────────────────────────────────────┤
//!      └──────── EventLog ◀── Announcer ◀──────────────────────────────┘
//!   masters ══questions══▶ Respondent ──▶ data plane
//!                              └──▶ Doctor ──▶ data plane, Hails ◀══▶ other hosts
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use contiv_client::{Client, Timeouts, masters};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cnm::{Driver, PluginSocket, Scope, router};
use crate::config::Config;
use crate::counters::Counter;
use crate::data_plane::SharedPlane;
use crate::departures::Departures;
use crate::docker::{EngineClient, Follower, Observed};
use crate::doctor::Doctor;
use crate::events::{Announcer, EventLog};
use crate::kernel::Kernel;
use crate::membership;
use crate::metrics::Metrics;
use crate::notify;
use crate::questions::Respondent;
use crate::reconcile::{Outcome, Reconciler, tend};
use crate::replica::Replica;
use crate::underlay::Underlay;
use crate::upstream::{Introduction, Listener, Relay, Reporter};

/// Within the 5 s of a call of the engine.
const MASTER_CALL: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    call: Duration::from_secs(4),
    stream_idle: Duration::from_secs(25),
};

/// Calls of the engine that still run at the end get this long.
const DRAIN: Duration = Duration::from_secs(6);

/// An option whose value cannot be used; the process ends with 22.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct BadOption {
    pub option: &'static str,
    pub reason: String,
}

/// A running agent.
pub struct App {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Opens the data plane, binds the sockets and starts every task.
    pub async fn start(config: Config) -> anyhow::Result<App> {
        let bad = |option, reason: String| BadOption { option, reason };
        let host_name = config.host_name();
        let masters = masters(&config.netmaster).map_err(|e| bad("--netmaster", e.to_string()))?;
        let access = membership::access(&config, &host_name, &masters).await?;
        let client = Client::of(masters, MASTER_CALL, &access)
            .map_err(|e| bad("--netmaster", e.to_string()))?;
        let host = client
            .host(&host_name)
            .map_err(|e| bad("--host-label", e.to_string()))?;
        let metrics = Arc::new(Metrics::default());
        let kernel = Kernel::open(&config)?;
        let reader = kernel.events()?;
        let plane = SharedPlane::new(kernel);
        let replica = Arc::new(Replica::default());
        let departures = Arc::new(Departures::default());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());

        let (observed, observations) = watch::channel(Observed::default());
        let (outcome, outcomes) = watch::channel(Outcome::default());
        let (registrations, registered) = watch::channel(0);

        let (status, statuses) = watch::channel(None);
        let (counted, counts) = watch::channel(Arc::default());
        let events = Arc::new(EventLog::default());

        let masters = client.masters().iter().map(ToString::to_string);
        let underlay = Arc::new(Underlay::new(
            config.vtep_ip,
            config.ctrl_ip,
            config.vxlan_port,
            masters.collect::<Vec<_>>(),
        ));
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
        tracker.spawn(listener.run(stop.clone()));

        let reconciler = Reconciler {
            host_name: host_name.clone(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            departures: Arc::clone(&departures),
            metrics: Arc::clone(&metrics),
            underlay: Arc::clone(&underlay),
            outcome,
        };
        tracker.spawn(reconciler.run(stop.clone()));
        let tended = (plane.clone(), Arc::clone(&replica), Arc::clone(&events));
        tracker.spawn(tend(tended.0, tended.1, tended.2, stop.clone()));
        let doctor = Doctor::new(&host_name, &replica, &plane);
        {
            let hails = Arc::clone(&doctor.hails);
            let (replica, stop) = (Arc::clone(&replica), stop.clone());
            let underlay = Arc::clone(&underlay);
            tracker.spawn(async move { hails.run(replica, underlay, stop).await });
        }
        tracker.spawn(doctor.clone().check_start(stop.clone()));

        let follower = Follower {
            engine: EngineClient::new(config.docker_socket.clone()),
            host_name: host_name.clone(),
            driver: config.plugin_name.clone(),
            host: host.clone(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            departures: Arc::clone(&departures),
            metrics: Arc::clone(&metrics),
            observed,
        };
        tracker.spawn(follower.run(stop.clone()));

        let reporter = Reporter {
            host_name: host_name.clone(),
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            metrics: Arc::clone(&metrics),
            observed: observations.clone(),
            outcome: outcomes,
            departures: Arc::clone(&departures),
            status,
        };
        tracker.spawn(reporter.run(stop.clone()));

        let counter = Counter {
            plane: plane.clone(),
            replica: Arc::clone(&replica),
            metrics: Arc::clone(&metrics),
            counted,
        };
        tracker.spawn(counter.run(stop.clone()));

        let announcer = Announcer {
            host_name: host_name.clone(),
            replica: Arc::clone(&replica),
            observed: observations,
            metrics: Arc::clone(&metrics),
            log: Arc::clone(&events),
        };
        let announcing = announcer.run(reader, stop.clone());
        tracker.spawn(async move {
            if let Err(error) = announcing.await {
                tracing::error!(%error, "events are not told any more");
            }
        });

        for master in client.each() {
            let relay = Relay {
                host: master
                    .host(&host_name)
                    .map_err(|e| bad("--host-label", e.to_string()))?,
                introduction: introduction.clone(),
                status: statuses.clone(),
                counted: counts.clone(),
                events: Arc::clone(&events),
                registrations: registered.clone(),
            };
            tracker.spawn(relay.run(stop.clone()));
            let respondent = Respondent {
                host: master
                    .host(&host_name)
                    .map_err(|e| bad("--host-label", e.to_string()))?,
                replica: Arc::clone(&replica),
                plane: plane.clone(),
                doctor: doctor.clone(),
            };
            tracker.spawn(respondent.run(stop.clone()));
        }

        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (host, stop) = (host.clone(), stop.clone());
            tracker.spawn(async move {
                let orphans = Arc::clone(&departures.orphans);
                orphans.run(host, &replica, &departures, stop).await;
            });
        }
        {
            let (departures, replica) = (Arc::clone(&departures), Arc::clone(&replica));
            let (plane, host, stop) = (plane.clone(), host.clone(), stop.clone());
            tracker.spawn(async move { departures.run(plane, host, &replica, stop).await });
        }

        let driver = Driver::new(
            &host_name,
            client,
            replica,
            plane,
            departures,
            Arc::clone(&metrics),
        )?;
        let driver = Arc::new(driver);
        let socket = PluginSocket::bind(&config.plugin_socket_dir, &config.plugin_name)?;
        let calls = router(Arc::clone(&driver), Scope::Local);
        let serving = axum::serve(socket.listener, calls)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });
        let swarm = PluginSocket::at(&config.swarm_socket)?;
        let serving = axum::serve(swarm.listener, router(driver, Scope::Swarm))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });

        let figures = TcpListener::bind(config.metrics_url)
            .await
            .with_context(|| format!("--metrics-url: cannot listen at {}", config.metrics_url))?;
        let page = Router::new().route("/metrics", get(move || async move { metrics.render() }));
        let serving =
            axum::serve(figures, page).with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });

        tracker.close();
        tracing::info!(host = host_name, socket = %socket.path.display(), "netplugin is ready");
        notify::ready();
        Ok(App { tracker, stop })
    }

    /// Runs until SIGTERM or SIGINT. Nothing is torn down: packets go on flowing.
    pub async fn run(self) -> anyhow::Result<()> {
        let (mut term, mut int) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        notify::stopping();
        self.stop.cancel();
        if tokio::time::timeout(DRAIN, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some tasks did not end in time");
        }
        tracing::info!("netplugin ends; the data plane stays");
        Ok(())
    }
}
