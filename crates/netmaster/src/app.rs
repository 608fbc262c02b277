//! Wires netmaster together; read it as the diagram.
//!
//! ```text
//!   netctl, REST clients ──▶ api ────▶ Ledger ──▶ store (one writer thread, one file)
//!   netplugin of each host ─▶ agent ──▶  ▲   │
//!                              │ ▲       │   └─▶ Follower: image, history ─▶ streams, watchers
//!                              ▼ │       │
//!                             Hosts ──▶ Sweeper, Collector
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use contiv_fabric::{Presets, bootstrap};
use contiv_model::agent::ForwardMode;
use contiv_model::parsed::InfraType;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent;
use crate::api::{self, Problem, Shared, stamp};
use crate::collect::Collector;
use crate::config::{Config, FwdMode, Infra};
use crate::door::{Door, Peer, admit};
use crate::hosts::Hosts;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::listen::Listen;
use crate::metrics::Metrics;
use crate::notify;
use crate::origin;
use crate::storage;
use crate::sweep::Sweeper;

/// Until the answer to a request begins.
const ANSWER: Duration = Duration::from_secs(10);

/// Requests that still run at the end get this long.
const DRAIN: Duration = Duration::from_secs(10);

/// An option whose value cannot be used; the process ends with 22.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct BadOption {
    pub option: &'static str,
    pub reason: String,
}

/// A running netmaster.
pub struct App {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Opens the store, binds the listener and starts every task.
    pub async fn start(config: Config) -> anyhow::Result<App> {
        let listeners = bind(&config).await?;
        let address = match listeners.first() {
            Some((_, first)) => first.local_addr()?,
            None => anyhow::bail!("--listen-url: name an address to listen at"),
        };
        let store = storage::open(&config).await?;
        let metrics = Arc::new(Metrics::default());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());

        let (ledger, follower) = Ledger::open(store, Arc::clone(&metrics)).await?;
        {
            let stop = stop.clone();
            tracker.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    followed = follower.run() => {
                        if let Err(error) = followed {
                            tracing::error!(%error, "the store cannot be followed; ending");
                        }
                        stop.cancel();
                    }
                }
            });
        }
        let (global, tenant) = (stamp(), stamp());
        let presets = presets(&config);
        let begin = ledger
            .decide(|image| bootstrap(image, presets, &global, &tenant))
            .await;
        begin.context("the first records cannot be made")?;

        let hosts = Arc::new(Hosts::default());
        let sweeper = Sweeper {
            ledger: Arc::clone(&ledger),
            hosts: Arc::clone(&hosts),
            lease: Lease::new(Arc::clone(&ledger), "sweep", hosts.life()),
        };
        tracker.spawn(sweeper.run(stop.clone()));
        let collector = Collector {
            ledger: Arc::clone(&ledger),
            hosts: Arc::clone(&hosts),
            timeout: config.host_timeout.0,
        };
        tracker.spawn(collector.run(stop.clone()));

        let shared = Shared {
            ledger: Arc::clone(&ledger),
            hosts,
            questions: Arc::default(),
            fanout: Arc::default(),
            hits: Arc::default(),
            events: Arc::default(),
            metrics,
            stop: stop.clone(),
            address,
            netmode: config.netmode,
        };
        let router = router(shared);
        let secure = config.listen_url.iter().any(|listen| listen.secure);
        let door = match secure {
            true => Some(Door::open(&config, &ledger).await?),
            false => None,
        };
        for (listen, listener) in listeners {
            match &door {
                Some(door) if listen.secure => {
                    door.serve(listener, router.clone(), &tracker, &stop)?;
                }
                _ => {
                    let router = router.clone().layer(Extension(Peer::Loopback));
                    let serving = axum::serve(listener, router)
                        .with_graceful_shutdown(stop.clone().cancelled_owned());
                    tracker.spawn(async move { serving.await });
                }
            }
        }
        if let Some(door) = &door {
            door.keep(&tracker, &stop);
        }

        tracker.close();
        let revision = ledger.read().revision();
        tracing::info!(%address, %revision, data = %config.data_dir.display(), "netmaster is ready");
        notify::ready();
        Ok(App { tracker, stop })
    }

    /// Runs until SIGTERM or SIGINT: listeners stop, streams end, running calls are answered.
    pub async fn run(self) -> anyhow::Result<()> {
        let (mut term, mut int) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let lost = tokio::select! {
            _ = term.recv() => false,
            _ = int.recv() => false,
            () = self.stop.cancelled() => true,
        };
        notify::stopping();
        self.stop.cancel();
        if tokio::time::timeout(DRAIN, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
        anyhow::ensure!(!lost, "the store is lost");
        tracing::info!("netmaster ends");
        Ok(())
    }
}

async fn bind(config: &Config) -> anyhow::Result<Vec<(Listen, TcpListener)>> {
    let mut listeners = Vec::new();
    for listen in &config.listen_url {
        let listener = TcpListener::bind(listen.address).await;
        let listener =
            listener.with_context(|| format!("--listen-url: cannot listen at {listen}"))?;
        listeners.push((*listen, listener));
    }
    Ok(listeners)
}

fn presets(config: &Config) -> Presets {
    Presets {
        forward_mode: config.fwdmode.map(|mode| match mode {
            FwdMode::Bridge => ForwardMode::Bridge,
            FwdMode::Routing => ForwardMode::Routing,
        }),
        infra: match config.infra {
            Infra::Default => Some(InfraType::Default),
        },
    }
}

/// Every route, behind what all of them have in common.
fn router(shared: Shared) -> Router {
    api::routes()
        .merge(agent::routes())
        .fallback(api::no_such_path)
        .layer(from_fn_with_state(shared.clone(), accompany))
        .with_state(shared)
}

/// Counts a request, limits its time, and gives each refusal the same form. Web pages of
/// others get nothing, and strangers only what lets them join.
async fn accompany(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().to_string();
    let path = request.extensions().get::<MatchedPath>();
    // Paths that there are not are made by clients, without limit.
    let route = path.map_or("other", |path| path.as_str().trim_end_matches('/'));
    let route = route.to_owned();
    let answer = async {
        let mut request = request;
        let admitted = match origin::check(request.headers()) {
            Ok(()) => admit(&shared, &mut request).await,
            refused => refused,
        };
        match admitted {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let response = match tokio::time::timeout(ANSWER, answer).await {
        Ok(response) => api::name_method(&method, response),
        Err(_) => {
            let message = format!("no answer within {} s; try again", ANSWER.as_secs());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", message).into_response()
        }
    };
    let response = api::tell_age(shared.ledger.store().age(), response);
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    tracing::debug!(method, route, status, ?took, "served");
    shared
        .metrics
        .observe_request(&method, &route, status, took);
    response
}
