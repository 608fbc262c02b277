//! What programs ask about the master itself.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use contiv_fabric::Image;
use contiv_model::object::{EndpointGroup, Network, Policy, Rule, Tenant};
use serde::Serialize;
use utoipa::ToSchema;

use super::fabric::word;
use super::kind::Kind;
use super::{Problem, Shared, both};
use crate::metrics::Scrape;

/// What is running here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    git_commit: &'static str,
    version: &'static str,
    build_time: &'static str,
}

/// The members of the fabric, in the words of the original.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Info {
    local_ip: String,
    leader_ip: String,
    current_state: &'static str,
    netplugin_nodes: Vec<String>,
    netmaster_nodes: Vec<String>,
    /// `ok`, or why nothing can be changed.
    store: String,
    /// Seconds since the store was last heard; answers are as old.
    store_age: u64,
}

/// Whether requests are served.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    /// `ok`, or `read-only`.
    status: &'static str,
    /// Why nothing can be changed; empty when it can.
    reason: String,
    revision: String,
    /// Seconds since the store was last heard; answers are as old.
    age: u64,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = both(router, "/version/", get(version));
    let router = both(router, "/info/", get(info));
    let router = both(router, "/healthz/", get(health));
    let router = both(router, "/api/v1/snapshot/", get(snapshot));
    both(router, "/metrics/", get(metrics))
}

/// Everything, as `netmaster snapshot save` writes it to a file: the cluster's keys as well.
async fn snapshot(State(shared): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let committed = shared.ledger.read();
    let saved = crate::snapshot::of_image(committed.image(), committed.revision().epoch);
    let text = saved
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "", error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/jsonl")], text))
}

async fn version() -> Json<Version> {
    Json(Version {
        git_commit: option_env!("CONTIV_GIT_COMMIT").unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
        build_time: option_env!("CONTIV_BUILD_TIME").unwrap_or_default(),
    })
}

async fn info(State(shared): State<Shared>) -> Json<Info> {
    let address = shared.address.to_string();
    let store = shared.ledger.store();
    let live = |reports: &contiv_fabric::HostReports| {
        reports.live().map(|(name, _)| name.to_owned()).collect()
    };
    Json(Info {
        local_ip: shared.address.ip().to_string(),
        leader_ip: shared.address.ip().to_string(),
        // Any master serves any request, so that each is what clients call a leader.
        current_state: "leader",
        netplugin_nodes: shared.hosts.read(live),
        netmaster_nodes: vec![address],
        store: match store.writable() {
            Ok(()) => "ok".into(),
            Err(error) => error.to_string(),
        },
        store_age: store.age().as_secs(),
    })
}

async fn health(State(shared): State<Shared>) -> Json<Health> {
    let hindrance = shared.ledger.store().writable().err();
    Json(Health {
        status: match hindrance {
            None => "ok",
            Some(_) => "read-only",
        },
        reason: hindrance.map(|e| e.to_string()).unwrap_or_default(),
        revision: shared.ledger.read().revision().to_string(),
        age: shared.ledger.store().age().as_secs(),
    })
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let store = shared.ledger.store();
    let (figures, writable) = (store.figures(), store.writable().is_ok());
    let scrape = {
        let committed = shared.ledger.read();
        let (image, revision) = (committed.image(), committed.revision());
        let lag = shared.hosts.read(|reports| {
            let behind = |applied: contiv_model::agent::Revision| match applied.epoch {
                epoch if epoch == revision.epoch => revision.number.saturating_sub(applied.number),
                _ => revision.number,
            };
            let live = reports.live();
            live.map(|(name, report)| (name.to_owned(), behind(report.applied)))
                .collect()
        });
        Scrape {
            store: figures,
            writable,
            revision: revision.number,
            objects: objects(image),
            addresses: addresses(image),
            lag,
        }
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], shared.metrics.render(&scrape))
}

fn objects(image: &Image) -> Vec<(&'static str, usize)> {
    vec![
        ("tenant", Tenant::list(image).count()),
        ("network", Network::list(image).count()),
        ("group", EndpointGroup::list(image).count()),
        ("policy", Policy::list(image).count()),
        ("rule", Rule::list(image).count()),
        ("endpoint", image.endpoints().count()),
        ("docker-network", image.docker_networks().count()),
    ]
}

fn addresses(image: &Image) -> Vec<(&'static str, usize)> {
    let mut counts = ["gateway", "auxiliary", "tentative", "bound", "draining"].map(|w| (w, 0));
    for owner in image.addresses() {
        let word = word(owner.state);
        if let Some((_, count)) = counts.iter_mut().find(|(of, _)| *of == word) {
            *count += 1;
        }
    }
    counts.into()
}
