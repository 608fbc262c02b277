//! A netmaster without its doors: a store, the tasks that keep it, and what is served.
//!
//! [`App`](crate::App) puts listeners in front of it; a simulation has it run in virtual time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use contiv_fabric::{Presets, bootstrap};
use contiv_store::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent;
use crate::api::{self, Problem, Shared};
use crate::back::Back;
use crate::clock::Clock;
use crate::collect::Collector;
use crate::config::NetMode;
use crate::door::{Peer, admit};
use crate::hosts::Hosts;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::origin;
use crate::sweep::Sweeper;

/// Until the answer to a request begins.
const ANSWER: Duration = Duration::from_secs(10);

/// What a master is to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub presets: Presets,
    pub clock: Clock,
    /// A host that is silent for longer is collected; none keeps it.
    pub host_timeout: Option<Duration>,
    /// Where it listens, for those who ask.
    pub address: SocketAddr,
    /// The encapsulation of networks that name none.
    pub netmode: Option<NetMode>,
}

/// A master at work.
pub struct Master {
    ledger: Arc<Ledger>,
    back: Arc<Back>,
    router: Router,
}

impl Master {
    /// Opens the ledger, makes the first records, and starts every task; they end by `stop`.
    pub async fn start(
        store: Arc<dyn Store>,
        settings: Settings,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Master> {
        let metrics = Arc::new(Metrics::default());
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
        let clock = settings.clock;
        let (global, tenant) = (clock.stamp(), clock.stamp());
        let begin = ledger
            .decide(|image| bootstrap(image, settings.presets, &global, &tenant))
            .await;
        begin.context("the first records cannot be made")?;

        let hosts = Arc::new(Hosts::default());
        let sweeper = Sweeper {
            ledger: Arc::clone(&ledger),
            hosts: Arc::clone(&hosts),
            clock: clock.clone(),
            lease: Lease::new(Arc::clone(&ledger), "sweep", hosts.life()),
        };
        tracker.spawn(sweeper.run(stop.clone()));
        let collector = Collector {
            ledger: Arc::clone(&ledger),
            hosts: Arc::clone(&hosts),
            clock: clock.clone(),
            timeout: settings.host_timeout,
            lease: Lease::new(Arc::clone(&ledger), "collect", hosts.life()),
        };
        tracker.spawn(collector.run(stop.clone()));

        let back = Arc::new(Back::default());
        let shared = Shared {
            ledger: Arc::clone(&ledger),
            hosts,
            questions: Arc::default(),
            fanout: Arc::default(),
            hits: Arc::default(),
            events: Arc::default(),
            metrics,
            back: Arc::clone(&back),
            clock,
            stop: stop.clone(),
            address: settings.address,
            netmode: settings.netmode,
        };
        Ok(Master {
            ledger,
            back,
            router: router(shared),
        })
    }

    /// What is decided and committed.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Whether the store is what hosts were told.
    pub fn back(&self) -> &Arc<Back> {
        &self.back
    }

    /// What is served to those of the network, of whom the door says who they are.
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// What is served to those of the loopback, who are trusted.
    pub fn trusting(&self) -> Router {
        self.router.clone().layer(Extension(Peer::Loopback))
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
        let right = shared.back.check();
        let admitted = match right.and_then(|()| origin::check(request.headers())) {
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
