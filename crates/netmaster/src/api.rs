//! The REST API of operators, and what programs ask about the master itself.
//!
//! | path | file |
//! | --- | --- |
//! | `/api/v1/<objects>/<key>/`, `/api/v1/inspect/…` | `object` |
//! | `/api/v1/apply/` | `apply` |
//! | `/api/v1/{trace,matrix,diff}/` | `reach` |
//! | `/api/v1/doctor/` | `doctor` |
//! | `/api/v1/hosts/` | `hosts` |
//! | `/api/v1/{endpoints,addresses}/` | `fabric` |
//! | `/api/v1/hits/` | `hits` |
//! | `/api/v1/events/`, `/api/v1/events/watch` | `events` |
//! | `/api/v1/tokens/{join,admin}/` | `tokens` |
//! | `/api/v1/watch` | `watch` |
//! | `/api/v1/openapi.json` | `openapi` |
//! | `/version`, `/info`, `/healthz`, `/metrics` | `service` |
//!
//! Every path is served with its trailing slash and without it.

mod answer;
mod apply;
mod belated;
mod body;
mod doctor;
mod events;
mod fabric;
mod hits;
mod hosts;
mod kind;
mod links;
mod object;
mod openapi;
mod page;
mod precondition;
mod reach;
mod service;
mod tokens;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use tokio_util::sync::CancellationToken;

pub(crate) use answer::Problem;
pub(crate) use body::Document;
pub use openapi::document;

use crate::agent::fanout::Fanout;
use crate::back::Back;
use crate::clock::Clock;
use crate::config::NetMode;
use crate::events::Events;
use crate::hits::Hits;
use crate::hosts::Hosts;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::questions::Questions;

/// No object comes near it.
const MAX_OBJECT: usize = 1 << 20;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) questions: Arc<Questions>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) hits: Arc<Hits>,
    pub(crate) events: Arc<Events>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) back: Arc<Back>,
    pub(crate) clock: Clock,
    /// Streams end with it.
    pub(crate) stop: CancellationToken,
    pub(crate) address: SocketAddr,
    /// The encapsulation of networks that name none.
    pub(crate) netmode: Option<NetMode>,
}

/// The routes of the REST API.
pub(crate) fn routes() -> Router<Shared> {
    let router = Router::new();
    let router = object::routes(router);
    let router = apply::routes(router);
    let router = fabric::routes(router);
    let router = hosts::routes(router);
    let router = reach::routes(router);
    let router = doctor::routes(router);
    let router = service::routes(router);
    let router = tokens::routes(router);
    let router = hits::routes(router);
    let router = events::routes(router);
    let router = watch::routes(router);
    let router = openapi::routes(router);
    router
        .layer(DefaultBodyLimit::max(MAX_OBJECT))
        .layer(from_fn(belated::hear_hang_up))
}

/// Serves `path`, which ends with a slash, without the slash as well.
pub(crate) fn both(
    router: Router<Shared>,
    path: &str,
    methods: MethodRouter<Shared>,
) -> Router<Shared> {
    router
        .route(path, methods.clone())
        .route(path.trim_end_matches('/'), methods)
}

/// The answer to a path that there is not.
pub(crate) async fn no_such_path(uri: axum::http::Uri) -> Problem {
    Problem::not_found(format!(
        "{} is no path of this API; see /api/v1/openapi.json",
        uri.path()
    ))
}

/// An answer from memory is as old as the last word of the store; a store that is one
/// master's alone has no age. What is younger than this is as good as new.
const YOUNG: Duration = Duration::from_secs(3);

/// Says in a header how old an answer is, in seconds, when the store cannot be heard.
pub(crate) fn tell_age(age: Duration, mut response: Response) -> Response {
    if age > YOUNG {
        let seconds = HeaderValue::from(age.as_secs());
        response.headers_mut().insert(STATE_AGE, seconds);
    }
    response
}

const STATE_AGE: &str = "contiv-state-age";

/// Gives the answer to a method that a path does not have the form of every other refusal.
/// The router adds the header that says which ones it has.
pub(crate) fn name_method(method: &str, response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let message = format!("this path does not take {method}; Allow says what it takes");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "", message).into_response()
}
