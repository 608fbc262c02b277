//! `GET /api/v1/watch`: what changes, as server-sent events.
//!
//! Events are `put` and `delete`, each with a [`WatchEvent`] for its data. The id of
//! the last event of a commit is the revision, so that a client that comes back with
//! `Last-Event-ID`, or with `?after=`, misses nothing. When the past does not reach back
//! that far, one `reset` event says so: list anew, and go on from there.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use contiv_fabric::Key;
use contiv_model::agent::Revision;
use contiv_model::object::{EndpointGroup, Global, Keyed, Network, Policy, Rule, Tenant};
use contiv_store::{Commit, Write};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::answer::Problem;
use super::{Shared, both};
use crate::ledger::{Progress, Since};

/// Between signs of life.
const ALIVE: Duration = Duration::from_secs(10);

/// One object's new state, or its end.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WatchEvent {
    /// `EPOCH.NUMBER` of the commit.
    revision: String,
    /// The plural that the object has in paths; empty in a `reset`.
    kind: &'static str,
    key: String,
    /// Absent when the object was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    object: Option<Value>,
}

/// One client's place in the history.
struct Watcher {
    shared: Shared,
    progress: watch::Receiver<Progress>,
    after: Revision,
    ready: VecDeque<Event>,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    both(router, "/api/v1/watch/", get(watch))
}

async fn watch(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let progress = shared.ledger.progress();
    let after = match last.or(query.get("after").map(String::as_str)) {
        None => shared.ledger.read().revision(),
        Some(text) => text
            .parse()
            .map_err(|error: String| Problem::bad_request("after", error))?,
    };
    let watcher = Watcher {
        shared,
        progress,
        after,
        ready: VecDeque::new(),
    };
    let events = stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

impl Watcher {
    /// The next event; none when the master ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.progress.borrow_and_update();
            if self.read() {
                continue;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return None,
                changed = self.progress.changed() => changed.ok()?,
            }
        }
    }

    /// Takes in what was committed; false when that is nothing.
    fn read(&mut self) -> bool {
        let committed = self.shared.ledger.read();
        match committed.commits_since(self.after) {
            Since::Nothing => return false,
            Since::Unknown => {
                let reset = WatchEvent {
                    revision: committed.revision().to_string(),
                    kind: "",
                    key: String::new(),
                    object: None,
                };
                self.ready
                    .extend(event("reset", &reset).map(|e| e.id(&reset.revision)));
            }
            Since::Changes(commits) => {
                let epoch = committed.revision().epoch;
                for commit in commits {
                    self.ready.extend(events(epoch, &commit));
                }
            }
        }
        self.after = committed.revision();
        true
    }
}

fn events(epoch: u64, commit: &Commit) -> Vec<Event> {
    let number = commit.revision.number;
    let revision = Revision { epoch, number }.to_string();
    let mut events: Vec<Event> = commit
        .writes
        .iter()
        .filter_map(|write| change(&revision, write))
        .collect();
    if let Some(last) = events.pop() {
        events.push(last.id(revision));
    }
    events
}

/// What a write means to clients; none when it is not about an object of theirs.
fn change(revision: &str, write: &Write) -> Option<Event> {
    let (name, key, value) = match write {
        Write::Put { key, value } => ("put", key, Some(value)),
        Write::Delete { key } => ("delete", key, None),
    };
    let (kind, key, nested) = match Key::parse(key)? {
        Key::Global => (Global::PLURAL, "global".to_owned(), true),
        Key::Tenant(key) => (Tenant::PLURAL, key, true),
        Key::Network(key) => (Network::PLURAL, key, true),
        Key::Group(key) => (EndpointGroup::PLURAL, key, true),
        Key::Policy(key) => (Policy::PLURAL, key, true),
        Key::Rule(key) => (Rule::PLURAL, key, true),
        Key::Endpoint(key) => ("endpoints", key, false),
        _ => return None,
    };
    let object = match value {
        None => None,
        Some(value) => {
            let mut record: Value = serde_json::from_slice(value).ok()?;
            Some(match nested {
                true => record.get_mut("object")?.take(),
                false => record,
            })
        }
    };
    let change = WatchEvent {
        revision: revision.to_owned(),
        kind,
        key,
        object,
    };
    event(name, &change)
}

fn event(name: &str, data: &WatchEvent) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
