//! What there is besides configuration and hosts: endpoints, addresses.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use contiv_fabric::{AddressOwner, oper};
use contiv_ipam::AddressState;
use contiv_model::inspect::EndpointOper;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Problem;
use super::page::Page;
use super::{Shared, both};

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
    let router = both(router, "/api/v1/endpoints/", get(endpoints));
    let router = both(router, "/api/v1/addresses/", get(addresses));
    both(
        router,
        "/api/v1/inspect/endpoints/{id}/",
        get(inspect_endpoint),
    )
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
        AddressState::Reserved(_) => "reserved",
    }
}
