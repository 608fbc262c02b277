//! The latest events, for masters to take at their own pace.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contiv_model::agent::{EventBatch, EventEnd, EventKind, FabricEvent};
use tokio::sync::watch;

use crate::counters::now;

/// Events that are kept; the oldest go first.
const KEPT: usize = 4_096;

/// Events with numbers, from 0 in each life of the agent.
#[derive(Debug)]
pub struct EventLog {
    life: String,
    kept: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    first: u64,
    events: VecDeque<FabricEvent>,
}

impl Default for EventLog {
    fn default() -> Self {
        EventLog {
            life: now().to_string(),
            kept: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

/// That something of ours was taken away, and put back: what kind of thing, of which endpoint (or
/// of none), and what happened.
pub(crate) fn repair(lost: &str, endpoint: &str, message: String) -> FabricEvent {
    FabricEvent {
        time: now(),
        kind: EventKind::Repair,
        reason: lost.to_owned(),
        message,
        to: EventEnd {
            endpoint: endpoint.to_owned(),
            ..EventEnd::default()
        },
        ..FabricEvent::default()
    }
}

impl EventLog {
    pub(crate) fn push(&self, event: FabricEvent) {
        let mut kept = self.kept();
        if kept.events.len() == KEPT {
            kept.events.pop_front();
            kept.first += 1;
        }
        kept.events.push_back(event);
        drop(kept);
        self.changes.send_modify(|n| *n += 1);
    }

    /// At most `limit` events, from number `next` on or from the first that is still kept.
    pub(crate) fn batch(&self, next: u64, limit: usize) -> EventBatch {
        let kept = self.kept();
        let first = next.max(kept.first);
        let skip = usize::try_from(first - kept.first).unwrap_or(usize::MAX);
        EventBatch {
            life: self.life.clone(),
            first,
            events: kept.events.iter().skip(skip).take(limit).cloned().collect(),
        }
    }

    /// Wakes when events have come.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(batch: &EventBatch) -> Vec<u64> {
        batch.events.iter().map(|event| event.time).collect()
    }

    #[test]
    fn who_is_too_slow_misses_the_oldest_and_sees_it_by_the_number() {
        let log = EventLog::default();
        let count = u64::try_from(KEPT).unwrap() + 2;
        for time in 0..count {
            log.push(FabricEvent {
                time,
                ..FabricEvent::default()
            });
        }
        let batch = log.batch(0, 3);
        assert_eq!((batch.first, times(&batch)), (2, vec![2, 3, 4]));
        let batch = log.batch(5, 2);
        assert_eq!((batch.first, times(&batch)), (5, vec![5, 6]));
        assert!(log.batch(count, 3).events.is_empty());
    }
}
