//! What a master answered: a document, a refusal, or something that is neither.

use bytes::Bytes;
use contiv_model::inspect::ApiError;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout_at};

use crate::error::{Attempt, Error, root_cause};

/// An answer larger than this is not one of ours.
const MAX_ANSWER: usize = 64 << 20;

/// What a master answered, with whatever status.
pub(crate) struct Answer {
    pub(crate) master: String,
    pub(crate) response: Response<Incoming>,
    /// An earlier try of the same call got lost; it may have been done.
    pub(crate) repeated: bool,
    pub(crate) deadline: Instant,
}

impl Answer {
    /// The document of a successful answer, the refusal of any other.
    pub(crate) async fn json<T: DeserializeOwned>(self, path: &str) -> Result<T, Error> {
        let status = self.response.status();
        let (master, body) = self.body().await?;
        if !status.is_success() {
            return Err(refusal(master, status, &body));
        }
        // A document of the wrong shape is still JSON; a page of some proxy is not.
        match serde_json::from_slice(&body) {
            Ok(document) => Ok(document),
            Err(_) if serde_json::from_slice::<IgnoredAny>(&body).is_err() => {
                Err(not_json(master, status, &body))
            }
            Err(source) => Err(Error::Unexpected {
                master,
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The refusal that a stream was answered with, or the answer, ready to be streamed.
    pub(crate) async fn success(self) -> Result<Answer, Error> {
        let status = self.response.status();
        if status.is_success() {
            return Ok(self);
        }
        let (master, body) = self.body().await?;
        Err(refusal(master, status, &body))
    }

    /// Why a master that answers 503 does not serve, in its own words.
    pub(crate) async fn why_not(self) -> String {
        let status = self.response.status();
        let refused = match self.body().await {
            Ok((master, body)) => refusal(master, status, &body),
            Err(lost) => lost,
        };
        match refused {
            Error::Refused { error, .. } => error.error,
            Error::NotJson { first_line, .. } => format!("{status}, and no JSON: {first_line}"),
            _ => format!("{status}, and its reason got lost"),
        }
    }

    pub(crate) async fn body(self) -> Result<(String, Bytes), Error> {
        let Answer {
            master,
            response,
            deadline,
            ..
        } = self;
        let read = Limited::new(response.into_body(), MAX_ANSWER).collect();
        match timeout_at(deadline, read).await {
            Ok(Ok(body)) => Ok((master, body.to_bytes())),
            Ok(Err(error)) => Err(broken_off(master, root_cause(&*error))),
            Err(_) => Err(broken_off(
                master,
                "the answer was not complete in time".into(),
            )),
        }
    }
}

fn broken_off(master: String, why: String) -> Error {
    Error::Unreachable {
        tried: vec![Attempt { master, why }],
    }
}

fn refusal(master: String, status: StatusCode, body: &[u8]) -> Error {
    match serde_json::from_slice::<ApiError>(body) {
        Ok(error) => Error::Refused {
            master,
            status: status.as_u16(),
            error,
        },
        Err(_) => not_json(master, status, body),
    }
}

fn not_json(master: String, status: StatusCode, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("(nothing)");
    let first_line = line.chars().filter(|c| !c.is_control()).take(200).collect();
    Error::NotJson {
        master,
        status: status.as_u16(),
        first_line,
    }
}
