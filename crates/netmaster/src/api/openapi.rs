//! The API's description, OpenAPI 3.1, made from the table of kinds and the types themselves.

use axum::Router;
mod changes;
mod doctor;
mod facts;
mod identity;
mod objects;
mod parts;
mod reach;
mod told;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use contiv_model::inspect::ApiError;
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths};

use super::{Shared, both};
use changes::changes;
use doctor::doctor;
use facts::facts;
use identity::{identity, requirements, scheme};
use objects::of;
use parts::component;
use reach::reach;
use told::told;

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    both(router, "/api/v1/openapi.json/", get(serve))
}

async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}

/// The description, as it is committed in `api/openapi.json`.
pub fn document() -> String {
    let mut text = serde_json::to_string_pretty(&describe())
        .expect("a description is maps with names for keys");
    text.push('\n');
    text
}

fn describe() -> OpenApi {
    let mut schemas = Vec::new();
    let mut paths = Paths::new();
    of::<Global>(&mut schemas, &mut paths);
    of::<Tenant>(&mut schemas, &mut paths);
    of::<Network>(&mut schemas, &mut paths);
    of::<EndpointGroup>(&mut schemas, &mut paths);
    of::<Policy>(&mut schemas, &mut paths);
    of::<Rule>(&mut schemas, &mut paths);
    changes(&mut schemas, &mut paths);
    facts(&mut schemas, &mut paths);
    told(&mut schemas, &mut paths);
    reach(&mut schemas, &mut paths);
    doctor(&mut schemas, &mut paths);
    identity(&mut schemas, &mut paths);
    component::<ApiError>(&mut schemas);
    let info = InfoBuilder::new()
        .title("Contiv")
        .version("1")
        .description(Some(
            "Policy-based networking for containers. Every path is served without its trailing \
             slash as well. Every refusal is an ApiError, which names the offending field.",
        ))
        .build();
    let (name, scheme) = scheme();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(name, scheme);
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .security(Some(requirements()))
        .build()
}
