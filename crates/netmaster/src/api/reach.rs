//! Who may reach whom: trace, matrix and diff.

mod ask;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use contiv_fabric::{HostReports, Image, Refusal, reach};
use contiv_model::reach::{MatrixRequest, PolicyDiff, PolicyMatrix, Trace, TraceRequest};
use serde::de::DeserializeOwned;

use super::answer::Problem;
use super::apply::{Intent, MAX_OBJECTS};
use super::body::Document;
use super::{Shared, both};

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let methods = get(
        |State(shared), Asked(request): Asked<TraceRequest>| async move { trace(shared, request).await },
    );
    let methods = methods
        .post(|State(shared), Document(request)| async move { trace(shared, request).await });
    let router = both(router, "/api/v1/trace/", methods);
    let methods = get(
        |State(shared), Asked(request): Asked<MatrixRequest>| async move {
            matrix(shared, request).await
        },
    );
    let methods = methods
        .post(|State(shared), Document(request)| async move { matrix(shared, request).await });
    let router = both(router, "/api/v1/matrix/", methods);
    let methods = post(diff).layer(DefaultBodyLimit::max(MAX_OBJECTS));
    both(router, "/api/v1/diff/", methods)
}

/// The query of a request as a document.
struct Asked<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Asked(asked)),
            Err(error) => Err(Problem::bad_request("", error.body_text())),
        }
    }
}

/// Explains a connection, with what the hosts' tables hold of it.
async fn trace(shared: Shared, request: TraceRequest) -> Result<Json<Trace>, Problem> {
    let look = move |image: &Image, reports: &HostReports, revision| {
        reach::trace(image, reports, revision, &request)
    };
    let (mut tracing, revision) = looking(&shared, look).await?;
    ask::hosts(&shared, &mut tracing, revision).await;
    Ok(Json(tracing.document))
}

async fn matrix(shared: Shared, request: MatrixRequest) -> Result<Json<PolicyMatrix>, Problem> {
    let look = move |image: &Image, reports: &HostReports, revision| {
        reach::matrix(image, reports, revision, &request)
    };
    looking(&shared, look).await.map(|(matrix, _)| Json(matrix))
}

/// What applying the body would open and close.
async fn diff(
    State(shared): State<Shared>,
    Intent(mut request): Intent,
) -> Result<Json<PolicyDiff>, Problem> {
    let stamps = super::apply::complete(&shared, &mut request);
    let look = move |image: &Image, reports: &HostReports, revision| {
        reach::diff(image, reports, revision, &stamps, &request)
    };
    looking(&shared, look).await.map(|(diff, _)| Json(diff))
}

/// Looks at a copy of what is committed, apart from those who serve: a look at many rules takes
/// its time.
async fn looking<T: Send + 'static>(
    shared: &Shared,
    look: impl FnOnce(&Image, &HostReports, String) -> Result<T, Refusal> + Send + 'static,
) -> Result<(T, contiv_model::agent::Revision), Problem> {
    let (image, revision) = {
        let committed = shared.ledger.read();
        (committed.image().clone(), committed.revision())
    };
    let reports = shared.hosts.read(HostReports::clone);
    let looked = tokio::task::spawn_blocking(move || look(&image, &reports, revision.to_string()));
    match looked.await {
        Ok(found) => Ok((found?, revision)),
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
