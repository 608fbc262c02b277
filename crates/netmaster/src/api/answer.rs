//! Answers: documents with their version, and refusals with their status.

use axum::Json;
use axum::http::header::{ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contiv_fabric::{Kind, Refusal};
use contiv_model::agent::Revision;
use contiv_model::inspect::ApiError;
use serde::Serialize;

use crate::error::Error;

/// A refused request; the only place that knows which refusal has which status.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: ApiError,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, field: &str, error: impl Into<String>) -> Problem {
        let body = ApiError {
            error: error.into(),
            field: field.to_owned(),
        };
        Problem { status, body }
    }

    pub(crate) fn bad_request(field: &str, error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, field, error)
    }

    /// The same about a document that is part of another one, at `place`. What is said begins
    /// with the field, if there is one.
    pub(crate) fn within(self, place: &str) -> Problem {
        let ApiError { error, field } = self.body;
        let body = match field.as_str() {
            "" => ApiError {
                error: format!("{place}: {error}"),
                field: place.to_owned(),
            },
            field => ApiError {
                error: format!("{place}.{error}"),
                field: format!("{place}.{field}"),
            },
        };
        Problem { body, ..self }
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "", error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::Conflict | Kind::Draining => StatusCode::CONFLICT,
            Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        };
        Problem::new(status, &refusal.field, refusal.message)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Refused(refusal) => refusal.into(),
            // Another master, or the same one later, may well serve it.
            unavailable => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", unavailable.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// A document, and the revision by which it can be told from a later one.
#[derive(Debug)]
pub(crate) struct Versioned<T> {
    pub(crate) document: T,
    pub(crate) version: Revision,
}

/// The version of an object as an entity tag: a strong one, `"EPOCH.NUMBER"`.
pub(crate) fn entity_tag(version: Revision) -> String {
    format!("\"{version}\"")
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.document).into_response();
        if let Ok(tag) = HeaderValue::from_str(&entity_tag(self.version)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}
