//! `GET /api/v1/events/`: what hosts tell of packets and connections; `events/watch` goes on
//! with it as server-sent events.
//!
//! Each is an `event` with a [`FabricEvent`] for its data. Its id is the place in this master's
//! memory, so that a client that comes back with `Last-Event-ID` misses nothing that is still
//! remembered. To one that comes from elsewhere, or from before the master's start, `reset` says
//! that all that is remembered follows; events that it has had already have the same `id`.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::{Json, Router};
use contiv_model::agent::{EventKind, FabricEvent};
use futures_util::stream;
use tokio::sync::watch;

use super::answer::Problem;
use super::{Shared, both};
use crate::events::Filter;

/// Between signs of life.
const ALIVE: Duration = Duration::from_secs(10);

/// One client's place among the events.
struct Watcher {
    shared: Shared,
    changes: watch::Receiver<u64>,
    filter: Filter,
    place: u64,
    ready: VecDeque<Event>,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = both(router, "/api/v1/events/", get(events));
    both(router, "/api/v1/events/watch/", get(watch))
}

async fn events(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Vec<FabricEvent>>, Problem> {
    let filter = filter(&query)?;
    let limit = match query.get("limit").map(|text| text.parse::<usize>()) {
        None => usize::MAX,
        Some(Ok(limit)) if limit > 0 => limit,
        Some(_) => {
            let message = "limit is how many of the newest events to answer with: a number from 1";
            return Err(Problem::bad_request("limit", message));
        }
    };
    let events = shared.events.list(&filter, limit);
    Ok(Json(events.into_iter().map(Arc::unwrap_or_clone).collect()))
}

async fn watch(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let filter = filter(&query)?;
    let mut ready = VecDeque::new();
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let place = match last.map(|last| place_after(shared.hosts.life(), last)) {
        Some(Some(place)) => place,
        Some(None) => {
            ready.push_back(Event::default().event("reset").data("{}"));
            0
        }
        // What is asked for by time begins with what is remembered.
        None if filter.since.is_some() => 0,
        None => shared.events.end(),
    };
    let watcher = Watcher {
        changes: shared.events.changes(),
        shared,
        filter,
        place,
        ready,
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
            self.changes.borrow_and_update();
            let (events, end) = self.shared.events.from(self.place);
            self.place = end;
            let life = self.shared.hosts.life();
            let asked = events.into_iter().filter(|(_, e)| self.filter.takes(e));
            self.ready.extend(asked.filter_map(|(place, event)| {
                let told = Event::default()
                    .event("event")
                    .id(format!("{life}.{place}"));
                told.json_data(&*event).ok()
            }));
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
    }
}

/// The place after that of an id; none when it is of another life of a master.
fn place_after(life: &str, id: &str) -> Option<u64> {
    let place = id.strip_prefix(life)?.strip_prefix('.')?;
    place.parse::<u64>().ok()?.checked_add(1)
}

fn filter(query: &HashMap<String, String>) -> Result<Filter, Problem> {
    let text = |name: &str| query.get(name).filter(|value| !value.is_empty()).cloned();
    let kind = text("kind").map(|name| {
        let known = EventKind::from_name(&name);
        known.ok_or_else(|| {
            let message =
                format!("{name:?} is no kind of events: drop, log, staged, repair or lost");
            Problem::bad_request("kind", message)
        })
    });
    let since = text("since").map(|text| {
        text.parse::<u64>().map_err(|_| {
            let message = format!("{text:?} is no time: give milliseconds since 1970");
            Problem::bad_request("since", message)
        })
    });
    Ok(Filter {
        tenant: text("tenant"),
        kind: kind.transpose()?,
        host: text("host"),
        endpoint: text("endpoint"),
        since: since.transpose()?,
    })
}
