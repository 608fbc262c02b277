//! The API of hosts; its messages are those of [`contiv_model::agent`].

pub(crate) mod fanout;
mod join;
mod questions;
mod stream;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use contiv_fabric::{self as fabric, HostReports};
use contiv_model::agent::{
    AddressGrant, AddressRelease, AddressRequest, DockerNetwork, EndpointGrant, EndpointRequest,
    EventBatch, HitsReport, HostStatus, Progress, Register, Registered, Reported, Versions,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::api::{Document, Problem, Shared};
use crate::back::hear;
use crate::collect::collect_earlier;
use crate::door::{Caller, own_endpoints};
use crate::error::Error;
use crate::ledger::Granted;

/// A report names every endpoint of the host, with its labels.
const MAX_MESSAGE: usize = 16 << 20;

/// Hosts say within this time that they have heard of an endpoint's end, if they are there; a
/// host that asks goes on to the next master before long.
const DRAIN: Duration = Duration::from_secs(1);

/// Longer names are no host's.
const MAX_NAME: usize = 253;

/// The routes of the agent API.
pub(crate) fn routes() -> Router<Shared> {
    let host = Router::new()
        .route("/register", post(register))
        .route("/stream", get(stream::stream))
        .route("/addresses", post(request_address))
        .route("/addresses/release", post(release_address))
        .route("/endpoints/{id}", put(put_endpoint).delete(delete_endpoint))
        .route(
            "/docker-networks/{id}",
            put(put_docker_network)
                .get(docker_network)
                .delete(delete_docker_network),
        )
        .route("/status", post(status))
        .route("/progress", post(progress))
        .route("/questions", get(questions::questions))
        .route("/answers/{id}", post(questions::answer))
        .route("/hits", post(hits))
        .route("/events", post(events));
    Router::new()
        .route("/agent/v1/join", post(join::join))
        .nest("/agent/v1/hosts/{host}", host)
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
}

async fn register(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Document(register): Document<Register>,
) -> Result<Json<Registered>, Problem> {
    check_name(&host)?;
    let agreed = Versions::OURS.agree(Versions::of_agent(&register));
    agreed.map_err(|why| Problem::new(StatusCode::CONFLICT, "streamVersion", why))?;
    tracing::info!(host, agent = register.agent_version, "host registers");
    let time = shared.clock.now();
    let decide = |image: &_| {
        let hosts = &shared.hosts;
        hosts.read(|reports| fabric::register_host(image, reports, time, &host, &register))
    };
    shared.ledger.decide(decide).await?;
    collect_earlier(&shared.ledger, &host).await?;
    shared.hosts.register(&host, register);
    Ok(Json(Registered {
        master_version: env!("CARGO_PKG_VERSION").into(),
        revision: shared.ledger.read().revision(),
        life: shared.hosts.life().to_owned(),
        progress: true,
    }))
}

async fn status(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Document(status): Document<HostStatus>,
) -> Result<Json<Reported>, Problem> {
    check_name(&host)?;
    check_own(&shared, &caller, &host, status.endpoints.keys())?;
    hear(&shared, &host, status.applied)?;
    if !is_on_record(&shared, &host) {
        return Ok(stranger());
    }
    shared.hosts.report(&host, status);
    Ok(heard(&shared))
}

async fn progress(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Document(progress): Document<Progress>,
) -> Result<Json<Reported>, Problem> {
    hear(&shared, &host, progress.applied)?;
    let known = is_on_record(&shared, &host) && shared.hosts.progress(&host, progress.applied);
    Ok(if known { heard(&shared) } else { stranger() })
}

async fn hits(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Document(report): Document<HitsReport>,
) -> Result<Json<Reported>, Problem> {
    check_name(&host)?;
    if !is_on_record(&shared, &host) {
        return Ok(stranger());
    }
    shared.hits.take(&host, report, shared.clock.now());
    Ok(heard(&shared))
}

async fn events(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Document(batch): Document<EventBatch>,
) -> Result<Json<Reported>, Problem> {
    check_name(&host)?;
    if !is_on_record(&shared, &host) {
        return Ok(stranger());
    }
    // Packets come from endpoints of other hosts as well: only none of those is said to be here.
    let ends = batch.events.iter().flat_map(|e| [&e.from, &e.to]);
    let here = ends.filter(|end| end.host == host && !end.endpoint.is_empty());
    check_own(&shared, &caller, &host, here.map(|end| &end.endpoint))?;
    let batch = shared.hosts.read(|reports| named(reports, &host, batch));
    shared.events.take(&host, batch, shared.clock.now());
    Ok(heard(&shared))
}

async fn request_address(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Document(request): Document<AddressRequest>,
) -> Result<Json<AddressGrant>, Problem> {
    check_name(&host)?;
    let time = shared.clock.now();
    let decide = |image: &_| fabric::request_address(image, time, &host, &request);
    let granted = after_drain(&shared, decide).await?;
    tracing::debug!(host, address = %granted.answer.address, "address granted");
    Ok(Json(granted.answer))
}

async fn release_address(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Document(release): Document<AddressRelease>,
) -> Result<Json<Value>, Problem> {
    let decide = |image: &_| fabric::release_address(image, &host, &release);
    shared.ledger.decide(decide).await?;
    Ok(done())
}

async fn put_endpoint(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((host, id)): Path<(String, String)>,
    Document(request): Document<EndpointRequest>,
) -> Result<Json<EndpointGrant>, Problem> {
    check_name(&host)?;
    check_own(&shared, &caller, &host, [&id])?;
    let time = shared.clock.now();
    let decide = |image: &_| fabric::put_endpoint(image, time, &host, &id, &request);
    let granted = after_drain(&shared, decide).await?;
    tracing::info!(host, endpoint = id, address = %granted.answer.ipv4, "endpoint");
    Ok(Json(EndpointGrant {
        endpoint: granted.answer,
        revision: granted.revision,
    }))
}

async fn delete_endpoint(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((host, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    check_own(&shared, &caller, &host, [&id])?;
    let decide = |image: &_| fabric::delete_endpoint(image, &host, &id);
    shared.ledger.decide(decide).await?;
    tracing::info!(host, endpoint = id, "endpoint is gone");
    Ok(done())
}

async fn put_docker_network(
    State(shared): State<Shared>,
    Path((host, id)): Path<(String, String)>,
    Document(mut binding): Document<DockerNetwork>,
) -> Result<Json<Value>, Problem> {
    check_name(&host)?;
    for (field, said, path) in [("id", &binding.id, &id), ("host", &binding.host, &host)] {
        if said != path {
            let message = format!("{field} is {said:?} in the body and {path:?} in the path");
            return Err(Problem::bad_request(field, message));
        }
    }
    if let Some(swarm) = &mut binding.swarm {
        binding.host.clear();
        swarm.since = shared.clock.now();
    }
    let decide = |image: &_| fabric::put_docker_network(image, &binding);
    shared.ledger.decide(decide).await?;
    tracing::info!(
        host,
        id,
        tenant = binding.tenant,
        network = binding.network,
        "docker network"
    );
    Ok(done())
}

async fn docker_network(
    State(shared): State<Shared>,
    Path((host, id)): Path<(String, String)>,
) -> Result<Json<DockerNetwork>, Problem> {
    let committed = shared.ledger.read();
    let known = committed.image().docker_network(&id);
    match known.filter(|known| known.host == host || known.swarm.is_some()) {
        Some(known) => Ok(Json(known.clone())),
        None => Err(Problem::not_found(format!(
            "Docker network {id} of host {host} not found"
        ))),
    }
}

async fn delete_docker_network(
    State(shared): State<Shared>,
    Path((host, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let decide = |image: &_| fabric::delete_docker_network(image, &host, &id);
    shared.ledger.decide(decide).await?;
    tracing::info!(host, id, "docker network is gone");
    Ok(done())
}

/// Adds what containers are called on other hosts than the one that tells.
fn named(reports: &HostReports, host: &str, mut batch: EventBatch) -> EventBatch {
    let ends = batch.events.iter_mut();
    for end in ends.flat_map(|event| [&mut event.from, &mut event.to]) {
        if end.host == host || end.endpoint.is_empty() {
            continue;
        }
        end.container.clear();
        let report = reports.hosts.get(&end.host);
        if let Some(status) = report.and_then(|report| report.endpoints.get(&end.endpoint)) {
            end.container.clone_from(&status.container_name);
        }
    }
    batch
}

/// Decides, and waits a little for an address that drains: a container that starts anew
/// asks for the one it just had, while other hosts are still to hear that it ended.
async fn after_drain<A>(
    shared: &Shared,
    decide: impl Fn(&fabric::Image) -> fabric::Decided<A>,
) -> Result<Granted<A>, Error> {
    let deadline = Instant::now() + DRAIN;
    let mut progress = shared.ledger.progress();
    loop {
        progress.mark_unchanged();
        match shared.ledger.decide(&decide).await {
            Err(Error::Refused(refusal)) if refusal.kind == fabric::Kind::Draining => {
                let freed = timeout_at(deadline, progress.changed()).await;
                if freed.is_err() {
                    return Err(Error::Refused(refusal));
                }
            }
            decided => return decided,
        }
    }
}

/// Whether a host may report: one that was removed is to register anew.
fn is_on_record(shared: &Shared, host: &str) -> bool {
    shared.ledger.read().image().host(host).is_some()
}

/// The answer to a host that is not known here: no master's life has an empty name.
fn stranger() -> Json<Reported> {
    Json(Reported::default())
}

fn heard(shared: &Shared) -> Json<Reported> {
    Json(Reported {
        life: shared.hosts.life().to_owned(),
    })
}

fn done() -> Json<Value> {
    Json(json!({}))
}

/// A host that has shown who it is may speak of its own endpoints alone.
fn check_own<'a>(
    shared: &Shared,
    caller: &Caller,
    host: &str,
    ids: impl IntoIterator<Item = &'a String>,
) -> Result<(), Problem> {
    let committed = shared.ledger.read();
    own_endpoints(committed.image(), caller, host, ids)
}

pub(crate) fn check_name(host: &str) -> Result<(), Problem> {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
    if host.is_empty() || host.len() > MAX_NAME || !host.chars().all(plain) {
        let message = format!(
            "{host:?} cannot be the name of a host; give its agent another by --host-label"
        );
        return Err(Problem::bad_request("host", message));
    }
    Ok(())
}
