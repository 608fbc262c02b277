//! The stream of one host: a snapshot, or what it missed, and then every change.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use contiv_fabric as fabric;
use contiv_model::agent::{Revision, StreamMessage};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::{Problem, Shared};
use crate::hosts::OpenStream;
use crate::ledger::{Progress, Since};

/// Hosts expect a word every ten seconds.
const BOOKMARK: Duration = Duration::from_secs(5);

/// What has been said to one host.
struct HostStream {
    shared: Shared,
    host: String,
    progress: watch::Receiver<Progress>,
    /// None before the first word to a host that knows nothing.
    said: Option<Revision>,
    /// A host that is up to date is told so at once.
    greeted: bool,
    _open: OpenStream,
}

pub(super) async fn stream(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    super::check_name(&host)?;
    let after = query.get("after").map(|text| text.parse()).transpose();
    let said = after.map_err(|error: String| Problem::bad_request("after", error))?;
    let open = shared.hosts.open_stream(&host);
    tracing::info!(host, after = ?said.map(|r: Revision| r.to_string()), "stream begins");
    let state = HostStream {
        progress: shared.ledger.progress(),
        shared,
        host,
        said,
        greeted: false,
        _open: open,
    };
    let lines = stream::unfold(state, |mut state| async {
        let message = state.next().await?;
        let mut line = serde_json::to_vec(&message).ok()?;
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), state))
    });
    let kind = [(CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

impl HostStream {
    /// The next message; none when the master ends.
    ///
    /// A host that reads slowly gets what it missed as one change: nothing piles up.
    async fn next(&mut self) -> Option<StreamMessage> {
        loop {
            self.progress.borrow_and_update();
            if let Some(message) = self.look() {
                return Some(message);
            }
            let wait = timeout(BOOKMARK, self.progress.changed());
            tokio::select! {
                () = self.shared.stop.cancelled() => return None,
                woken = wait => match woken {
                    Ok(changed) => changed.ok()?,
                    Err(_) => self.greeted = false,
                },
            }
        }
    }

    /// What the host has not been told; none when that is nothing.
    fn look(&mut self) -> Option<StreamMessage> {
        let committed = self.shared.ledger.read();
        let (image, revision) = (committed.image(), committed.revision());
        let snapshot = || StreamMessage::Snapshot {
            revision,
            objects: fabric::snapshot(image, &self.host),
        };
        let message = match self.said.map(|said| committed.applied_since(said)) {
            Some(Since::Nothing) if self.greeted => return None,
            Some(Since::Nothing) => StreamMessage::Bookmark { revision },
            None | Some(Since::Unknown) => snapshot(),
            Some(Since::Changes(applied)) => {
                let change = fabric::change(image, &applied, &self.host);
                if change.put.is_empty() && change.delete.is_empty() {
                    // Of no concern to this host, but it has to know how far it has come.
                    StreamMessage::Bookmark { revision }
                } else {
                    StreamMessage::Change {
                        revision,
                        put: change.put,
                        delete: change.delete,
                    }
                }
            }
        };
        drop(committed);
        self.said = Some(revision);
        self.greeted = true;
        Some(message)
    }
}
