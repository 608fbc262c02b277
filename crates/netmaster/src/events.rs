//! What hosts tell of single packets and connections: the latest of it, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contiv_model::agent::{EventBatch, EventKind, FabricEvent};
use tokio::sync::watch;

/// Events that are remembered; the oldest go first.
const REMEMBERED: usize = 10_000;

/// The latest events of all hosts, in the order in which they came.
#[derive(Debug)]
pub struct Events {
    past: Mutex<Past>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Past {
    /// Place of the first one that is remembered.
    first: u64,
    events: VecDeque<Arc<FabricEvent>>,
    heard: BTreeMap<String, Heard>,
}

/// How far a host's telling has come.
#[derive(Debug, Default)]
struct Heard {
    life: String,
    next: u64,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) tenant: Option<String>,
    pub(crate) kind: Option<EventKind>,
    pub(crate) host: Option<String>,
    /// Part of an endpoint's id, or a container's name; of either end.
    pub(crate) endpoint: Option<String>,
    /// Not before, in milliseconds since 1970.
    pub(crate) since: Option<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Events {
            past: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Events {
    /// Takes a batch of a host at the time `now`, in milliseconds.
    ///
    /// What is known already, since the answer to an earlier try was lost, is left out; a gap
    /// becomes an event of its own.
    pub(crate) fn take(&self, host: &str, batch: EventBatch, now: u64) {
        let mut past = self.past();
        let heard = past.heard.entry(host.to_owned()).or_default();
        let next = match heard.life == batch.life {
            true => heard.next,
            false => batch.first,
        };
        let count = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
        heard.next = next.max(batch.first.saturating_add(count));
        heard.life.clone_from(&batch.life);
        if batch.first > next {
            past.push(FabricEvent {
                id: format!("{host}.{}.{next}-{}", batch.life, batch.first - 1),
                time: now,
                host: host.to_owned(),
                kind: EventKind::Lost,
                suppressed: batch.first - next,
                ..FabricEvent::default()
            });
        }
        for (number, mut event) in (batch.first..).zip(batch.events) {
            if number < next {
                continue;
            }
            event.id = format!("{host}.{}.{number}", batch.life);
            host.clone_into(&mut event.host);
            past.push(event);
        }
        let end = past.end();
        drop(past);
        self.changes.send_replace(end);
    }

    /// The newest `limit` events that the filter takes, the oldest of them first.
    pub(crate) fn list(&self, filter: &Filter, limit: usize) -> Vec<Arc<FabricEvent>> {
        let past = self.past();
        let fit = past.events.iter().rev().filter(|event| filter.takes(event));
        let mut events: Vec<_> = fit.take(limit).cloned().collect();
        events.reverse();
        events
    }

    /// Events from a place on, with the place of each, and the place after all that there are.
    pub(crate) fn from(&self, place: u64) -> (Vec<(u64, Arc<FabricEvent>)>, u64) {
        let past = self.past();
        let skip = usize::try_from(place.saturating_sub(past.first)).unwrap_or(usize::MAX);
        let events = (past.first..).zip(&past.events).skip(skip);
        let events = events.map(|(place, event)| (place, Arc::clone(event)));
        (events.collect(), past.end())
    }

    /// The place of the next event.
    pub(crate) fn end(&self) -> u64 {
        self.past().end()
    }

    /// Wakes when events have come.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn push(&mut self, event: FabricEvent) {
        if self.events.len() == REMEMBERED {
            self.events.pop_front();
            self.first += 1;
        }
        self.events.push_back(Arc::new(event));
    }

    fn end(&self) -> u64 {
        self.first + u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }
}

impl Filter {
    /// Whether an event is asked for. That some were lost is everybody's concern.
    pub(crate) fn takes(&self, event: &FabricEvent) -> bool {
        let fits = |wish: &Option<String>, is: &str| wish.as_deref().is_none_or(|wish| wish == is);
        let named = |text: &String| event.from.is_named(text) || event.to.is_named(text);
        if !fits(&self.host, &event.host) || self.since.is_some_and(|since| event.time < since) {
            return false;
        }
        event.kind == EventKind::Lost
            || fits(&self.tenant, &event.tenant)
                && self.kind.is_none_or(|kind| kind == event.kind)
                && self.endpoint.as_ref().is_none_or(named)
    }
}

#[cfg(test)]
mod tests;
