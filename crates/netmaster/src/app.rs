//! Wires netmaster together; read it as the diagram.
//!
//! ```text
//!   netctl, REST clients ──▶ api ────▶ Ledger ──▶ store (one writer thread, one file)
//!   netplugin of each host ─▶ agent ──▶  ▲   │
//!                              │ ▲       │   └─▶ Follower: image, history ─▶ streams, watchers
//!                              ▼ │       │
//!                             Hosts ──▶ Sweeper
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use contiv_fabric::{Presets, bootstrap};
use contiv_model::agent::ForwardMode;
use contiv_model::parsed::InfraType;
use contiv_store::{RedbStore, Schema, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent;
use crate::api::{self, Problem, Shared, stamp};
use crate::config::{Config, FwdMode, Infra};
use crate::hosts::Hosts;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::notify;
use crate::origin;
use crate::sweep::Sweeper;

/// The contents of the store are of this version.
const SCHEMA: Schema = Schema { steps: &[] };

const FILE: &str = "netmaster.redb";

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
        let listener = TcpListener::bind(config.listen_url).await;
        let listener = listener
            .with_context(|| format!("--listen-url: cannot listen at {}", config.listen_url))?;
        let address = listener.local_addr()?;
        let store = open(&config.data_dir)?;
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
        };
        tracker.spawn(sweeper.run(stop.clone()));

        let shared = Shared {
            ledger: Arc::clone(&ledger),
            hosts,
            metrics,
            stop: stop.clone(),
            address,
            netmode: config.netmode,
        };
        let serving = axum::serve(listener, router(shared))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tracker.spawn(async move { serving.await });

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

fn open(dir: &Path) -> anyhow::Result<Arc<dyn Store>> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(|error| BadOption {
        option: "--data-dir",
        reason: format!(
            "{}: {error}; give a directory that can be written",
            dir.display()
        ),
    })?;
    let store = RedbStore::open(&dir.join(FILE), SCHEMA)?;
    Ok(Arc::new(store))
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
/// others get nothing.
async fn accompany(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().to_string();
    let path = request.extensions().get::<MatchedPath>();
    // Paths that there are not are made by clients, without limit.
    let route = path.map_or("other", |path| path.as_str().trim_end_matches('/'));
    let route = route.to_owned();
    let answer = async {
        match origin::check(request.headers()) {
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
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    tracing::debug!(method, route, status, ?took, "served");
    shared
        .metrics
        .observe_request(&method, &route, status, took);
    response
}
