//! The stream of questions to one host, and its answers.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use contiv_model::agent::Answer;
use futures_util::stream;
use serde_json::Value;
use tokio::time::timeout;

use crate::api::{Document, Problem, Shared};

/// An empty line as often as this says that the master is there.
const SIGN: Duration = Duration::from_secs(5);

pub(super) async fn questions(
    State(shared): State<Shared>,
    Path(host): Path<String>,
) -> Result<Response, Problem> {
    super::check_name(&host)?;
    let listening = shared.questions.listen(&host);
    let state = (listening, shared.stop.clone(), true);
    let lines = stream::unfold(state, |(mut listening, stop, first)| async move {
        let line = if first {
            // So that the host knows at once that it is listened to.
            b"\n".to_vec()
        } else {
            tokio::select! {
                () = stop.cancelled() => return None,
                asked = timeout(SIGN, listening.next()) => match asked {
                    Err(_) => b"\n".to_vec(),
                    Ok(asked) => {
                        let mut line = serde_json::to_vec(&asked?).ok()?;
                        line.push(b'\n');
                        line
                    }
                },
            }
        };
        let line = Ok::<_, Infallible>(Bytes::from(line));
        Some((line, (listening, stop, false)))
    });
    let kind = [(CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Takes an answer. One that comes too late is nobody's, which is no fault of the host.
pub(super) async fn answer(
    State(shared): State<Shared>,
    Path((host, id)): Path<(String, String)>,
    Document(answer): Document<Answer>,
) -> Json<Value> {
    if !shared.questions.answer(&host, &id, answer) {
        tracing::debug!(host, id, "nobody waits for this answer");
    }
    super::done()
}
