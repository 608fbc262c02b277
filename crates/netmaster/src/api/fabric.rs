//! What there is besides configuration: hosts, endpoints, addresses.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use contiv_fabric::{AddressOwner, Image, Key, oper};
use contiv_ipam::AddressState;
use contiv_model::agent::{ObjectKind, ObjectRef, Problem as HostProblem, Revision, TakenPrefix};
use contiv_model::inspect::EndpointOper;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Problem;
use super::page::Page;
use super::{Shared, both};
use crate::hosts::HostFacts;

/// A host, as it reports itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostDocument {
    name: String,
    /// Its stream to a master is open, and it reports.
    live: bool,
    agent_version: String,
    /// Everything up to this revision is in its kernel.
    #[schema(value_type = Object)]
    applied: Revision,
    /// The networks and groups that it has realised.
    #[schema(value_type = Vec<Object>)]
    realised: Vec<ObjectRef>,
    /// What hinders objects there.
    #[schema(value_type = Vec<Object>)]
    problems: Vec<HostProblem>,
    /// Prefixes that it uses for itself.
    #[schema(value_type = Vec<Object>)]
    taken: Vec<TakenPrefix>,
}

/// An address in use.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddressDocument {
    tenant: String,
    network: String,
    address: String,
    /// Who has it: a gateway, an endpoint, a host.
    owner: String,
    /// `gateway`, `auxiliary`, `tentative`, `bound` or `draining`.
    state: String,
}

/// An endpoint's inspect document: it has no configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointInspect {
    #[serde(rename = "Oper")]
    oper: EndpointOper,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = both(router, "/api/v1/hosts/", get(hosts));
    let router = both(router, "/api/v1/endpoints/", get(endpoints));
    let router = both(router, "/api/v1/addresses/", get(addresses));
    both(
        router,
        "/api/v1/inspect/endpoints/{id}/",
        get(inspect_endpoint),
    )
}

async fn hosts(State(shared): State<Shared>, page: Page) -> impl IntoResponse {
    let committed = shared.ledger.read();
    let image = committed.image();
    let mut hosts = shared.hosts.list();
    for HostFacts { report, .. } in &mut hosts {
        let realised = std::mem::take(&mut report.realised);
        let stands = |object: &ObjectRef| report.applied.number >= last_commit(image, object);
        report.realised = realised.into_iter().filter(stands).collect();
    }
    let hosts = hosts.iter().map(|host| (host.name.as_str(), host));
    page.cut(committed.revision(), hosts, |host| {
        HostDocument::from(host.clone())
    })
}

/// Number of the last commit of what hosts realise; 0 when it is gone. Before a host has applied
/// that, its word may be about another object that had the same name.
fn last_commit(image: &Image, object: &ObjectRef) -> u64 {
    let key = match object.kind {
        ObjectKind::Group => Key::Group(object.key.clone()),
        _ => Key::Network(object.key.clone()),
    };
    image.number_of(&key.to_string())
}

async fn endpoints(State(shared): State<Shared>, page: Page) -> impl IntoResponse {
    let committed = shared.ledger.read();
    let image = committed.image();
    shared.hosts.read(|reports| {
        let endpoints = image.endpoints().map(|e| (e.id.as_str(), e));
        page.cut(committed.revision(), endpoints, |endpoint| {
            oper::endpoint(image, reports, endpoint)
        })
    })
}

/// The endpoint whose id, container's id or container's name contains `id`.
async fn inspect_endpoint(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<EndpointInspect>, Problem> {
    let committed = shared.ledger.read();
    let image = committed.image();
    let found = shared.hosts.read(|reports| {
        let record = oper::find_endpoint(image, reports, &id)?;
        Some(oper::endpoint(image, reports, record))
    });
    match found {
        Some(oper) => Ok(Json(EndpointInspect { oper })),
        None => Err(Problem::not_found(format!(
            "no endpoint has {id:?} in its id, its container's id or its container's name"
        ))),
    }
}

async fn addresses(State(shared): State<Shared>, page: Page) -> impl IntoResponse {
    let committed = shared.ledger.read();
    let owners: Vec<_> = committed
        .image()
        .addresses()
        .map(|owner| {
            let key = format!("{}:{}/{}", owner.tenant, owner.network, owner.address);
            (key, owner)
        })
        .collect();
    let owners = owners.iter().map(|(key, owner)| (key.as_str(), owner));
    page.cut(committed.revision(), owners, |owner| {
        AddressDocument::of(owner)
    })
}

impl From<HostFacts> for HostDocument {
    fn from(host: HostFacts) -> HostDocument {
        let HostFacts {
            name,
            report,
            agent_version,
        } = host;
        HostDocument {
            name,
            live: report.live,
            agent_version,
            applied: report.applied,
            realised: report.realised,
            problems: report.problems,
            taken: report.taken,
        }
    }
}

impl AddressDocument {
    fn of(owner: &AddressOwner<'_>) -> AddressDocument {
        AddressDocument {
            tenant: owner.tenant.to_owned(),
            network: owner.network.to_owned(),
            address: owner.address.to_string(),
            // By its id alone, so that clients find the endpoint by it.
            owner: match owner.state {
                AddressState::Bound { endpoint, .. } => endpoint.clone(),
                state => state.to_string(),
            },
            state: word(owner.state).to_owned(),
        }
    }
}

/// The state of an address in one word.
pub(super) fn word(state: &AddressState) -> &'static str {
    match state {
        AddressState::Gateway => "gateway",
        AddressState::Auxiliary { .. } => "auxiliary",
        AddressState::Tentative { .. } => "tentative",
        AddressState::Bound { .. } => "bound",
        AddressState::Draining { .. } => "draining",
    }
}
