//! Configuration objects: list, get, create or change, delete, inspect.

use axum::Json;
use axum::Router;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use contiv_fabric::Image;
use contiv_model::agent::Revision;
use contiv_model::inspect::Inspect;
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant, fields_of};
use serde_json::Value;

use super::answer::{Problem, Versioned};
use super::body::{Body, Fields, check_names, typed};
use super::kind::Kind;
use super::page::Page;
use super::precondition::{Precondition, is_known};
use super::{Shared, both, links};

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = of::<Global>(router);
    let router = of::<Tenant>(router);
    let router = of::<Network>(router);
    let router = of::<EndpointGroup>(router);
    let router = of::<Policy>(router);
    of::<Rule>(router)
}

fn of<K: Kind>(router: Router<Shared>) -> Router<Shared> {
    let objects = format!("/api/v1/{}/", K::PLURAL);
    let object = format!("/api/v1/{}/{{key}}/", K::PLURAL);
    let inspection = format!("/api/v1/inspect/{}/{{key}}/", K::PLURAL);
    let one = get(show::<K>)
        .put(put::<K>)
        .post(put::<K>)
        .delete(delete::<K>);
    let router = both(router, &objects, get(list::<K>));
    let router = both(router, &object, one);
    both(router, &inspection, get(inspect::<K>))
}

/// An object that a client sent. A field that it cannot have is refused: a rule without what was
/// meant to narrow it would be one for everybody.
struct Sent<K>(K);

impl<S: Send + Sync, K: Kind> FromRequest<S> for Sent<K> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Body(fields) = Body::from_request(request, state).await?;
        let fields = configured(fields);
        let tolerated = |name: &str, value: &Value| {
            links::NAMES.contains(&name) || K::FOREIGN.contains(&name) || says_nothing(value)
        };
        let noun = format!("a {}", K::NOUN);
        check_names(&fields, &noun, fields_of::<K>(), tolerated)?;
        typed(fields).map(Sent)
    }
}

/// What an inspect document says is configured; any other document as it is.
fn configured(mut fields: Fields) -> Fields {
    if fields.keys().all(|name| name == "Config" || name == "Oper")
        && let Some(Value::Object(config)) = fields.get_mut("Config")
    {
        return std::mem::take(config);
    }
    fields
}

/// Whether nothing is lost with the value. The original's own web pages send rules with an empty
/// `ToEndpointGroup`.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

async fn list<K: Kind>(State(shared): State<Shared>, page: Page) -> impl IntoResponse {
    let committed = shared.ledger.read();
    let image = committed.image();
    page.cut(committed.revision(), K::list(image), |object| {
        links::with(image, object)
    })
}

async fn show<K: Kind>(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let committed = shared.ledger.read();
    let image = committed.image();
    let object = K::get(image, &key).ok_or_else(|| not_found::<K>(&key))?;
    let version = version::<K>(image, committed.revision().epoch, &key);
    if is_known(&headers, version) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let document = links::with(image, object);
    Ok(Versioned { document, version }.into_response())
}

/// Creates the object, or changes it when there is one. `POST` and `PUT` are the same.
async fn put<K: Kind>(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    precondition: Precondition,
    Sent(mut object): Sent<K>,
) -> Result<Versioned<Value>, Problem> {
    object
        .adopt_key(&key)
        .map_err(contiv_fabric::Refusal::from)?;
    K::complete(&mut object, shared.netmode);
    let epoch = shared.ledger.read().revision().epoch;
    precondition.check_epoch(epoch)?;
    let stamp = shared.clock.stamp();
    let decide = |image: &Image| {
        let expected = precondition.expected(version::<K>(image, epoch, &key));
        shared
            .hosts
            .read(|reports| K::put(image, reports, &stamp, &object, expected))
    };
    let granted = shared.ledger.decide(decide).await?;
    tracing::info!(kind = K::NOUN, key, revision = %granted.revision, "stored");
    let committed = shared.ledger.read();
    let image = committed.image();
    // Somebody else's later change is not what was answered.
    let version = version::<K>(image, epoch, &key).min(granted.revision);
    let document = links::with(image, &granted.answer);
    Ok(Versioned { document, version })
}

async fn delete<K: Kind>(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    precondition: Precondition,
) -> Result<Json<String>, Problem> {
    let epoch = shared.ledger.read().revision().epoch;
    precondition.check_epoch(epoch)?;
    let decide = |image: &Image| {
        let expected = precondition.expected(version::<K>(image, epoch, &key));
        K::delete(image, &key, expected)
    };
    let granted = shared.ledger.decide(decide).await?;
    tracing::info!(kind = K::NOUN, key, revision = %granted.revision, "deleted");
    Ok(Json(key))
}

async fn inspect<K: Kind>(
    State(shared): State<Shared>,
    Path(key): Path<String>,
) -> Result<Versioned<Inspect<Value, K::Oper>>, Problem> {
    let committed = shared.ledger.read();
    let image = committed.image();
    let object = K::get(image, &key).ok_or_else(|| not_found::<K>(&key))?;
    let oper = shared
        .hosts
        .read(|reports| K::oper(image, reports, &key))
        .ok_or_else(|| not_found::<K>(&key))?;
    let config = links::with(image, object);
    Ok(Versioned {
        document: Inspect { config, oper },
        version: version::<K>(image, committed.revision().epoch, &key),
    })
}

fn version<K: Kind>(image: &Image, epoch: u64, key: &str) -> Revision {
    let number = image.number_of(&K::place(key).to_string());
    Revision { epoch, number }
}

fn not_found<K: Kind>(key: &str) -> Problem {
    Problem::not_found(format!("{} {key} not found", K::NOUN))
}
