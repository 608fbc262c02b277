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
use contiv_client::{Client, masters};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, Ground, MASTER_CALL};
use crate::cnm::{PluginSocket, Scope, router};
use crate::config::Config;
use crate::counters::Counter;
use crate::data_plane::SharedPlane;
use crate::docker::{EngineClient, Follower};
use crate::doctor::Doctor;
use crate::events::{Announcer, EventLog};
use crate::kernel::Kernel;
use crate::membership;
use crate::notify;
use crate::questions::Respondent;
use crate::reconcile::tend;
use crate::underlay::Underlay;

/// Calls of the engine that still run at the end get this long.
pub(crate) const DRAIN: Duration = Duration::from_secs(6);

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
    /// Opens the data plane, binds the sockets and starts every task. The caller holds the
    /// [`HostLock`](crate::HostLock).
    pub async fn start(config: Config) -> anyhow::Result<App> {
        let bad = |option, reason: String| BadOption { option, reason };
        // A start that fails must not have taken a token, the kernel or a socket before.
        let figures = TcpListener::bind(config.metrics_url)
            .await
            .with_context(|| format!("--metrics-url: cannot listen at {}", config.metrics_url))?;
        let host_name = config.host_name();
        let masters = masters(&config.netmaster).map_err(|e| bad("--netmaster", e.to_string()))?;
        let access = membership::access(&config, &host_name, &masters).await?;
        let client = Client::of(masters, MASTER_CALL, &access)
            .map_err(|e| bad("--netmaster", e.to_string()))?;
        let host = client
            .host(&host_name)
            .map_err(|e| bad("--host-label", e.to_string()))?;
        let kernel = Kernel::open(&config)?;
        let reader = kernel.events()?;
        let plane = SharedPlane::new(kernel);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let events = Arc::new(EventLog::default());

        let masters = client.masters().iter().map(ToString::to_string);
        let underlay = Arc::new(Underlay::new(
            config.vtep_ip,
            config.ctrl_ip,
            config.vxlan_port,
            masters.collect::<Vec<_>>(),
        ));
        let ground = Ground {
            host_name: host_name.clone(),
            client: client.clone(),
            plane: plane.clone(),
            underlay: Arc::clone(&underlay),
            events: Arc::clone(&events),
        };
        let Agent {
            replica,
            departures,
            metrics,
            driver,
            outcome: _,
            observed,
            counted,
        } = Agent::start(ground, &stop, |task| drop(tracker.spawn(task)))?;
        let observations = observed.subscribe();

        let tended = (plane.clone(), Arc::clone(&replica), Arc::clone(&events));
        tracker.spawn(tend(tended.0, tended.1, tended.2, stop.clone()));
        let doctor = Doctor::new(&host_name, &replica, &plane);
        {
            let hails = Arc::clone(&doctor.hails);
            let (replica, stop) = (Arc::clone(&replica), stop.clone());
            tracker.spawn(async move { hails.run(replica, underlay, stop).await });
        }
        tracker.spawn(doctor.clone().check_start(stop.clone()));

        let follower = Follower {
            engine: EngineClient::new(config.docker_socket.clone()),
            host_name: host_name.clone(),
            driver: config.plugin_name.clone(),
            host,
            replica: Arc::clone(&replica),
            plane: plane.clone(),
            departures,
            metrics: Arc::clone(&metrics),
            observed,
            events: Arc::clone(&events),
        };
        tracker.spawn(follower.run(stop.clone()));

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

        let socket = PluginSocket::bind(&config.plugin_socket_dir, &config.plugin_name)?;
        let calls = router(Arc::clone(&driver), Scope::Local);
        let serving = axum::serve(socket.listener, calls)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });
        let swarm = PluginSocket::at(&config.swarm_socket)?;
        let serving = axum::serve(swarm.listener, router(driver, Scope::Swarm))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });

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
