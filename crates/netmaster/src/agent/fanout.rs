//! Lines for the streams of hosts, encoded once for all that are told the same.
//!
//! A change is looked at once for each revision that hosts come from, which is the same
//! one for nearly all of them. Hosts of one [`Audience`] share one line. Snapshots are put
//! together from pieces: what all hosts know, what belongs to each tenant, and what is the
//! host's own; only the last is encoded for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use contiv_fabric as fabric;
use contiv_fabric::{Audience, Delta};
use contiv_model::agent::{HostObject, Revision, StreamMessage};
use serde::Serialize;

use crate::ledger::{Committed, Since};

/// What a host is to be told.
#[derive(Debug)]
pub(super) enum Word {
    /// Nothing has happened.
    Nothing,
    /// What happened is of no concern to the host.
    Elsewhere,
    Change(Bytes),
    /// The pieces of one line.
    Snapshot(Vec<Bytes>),
}

/// The lines of the present revision.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    revision: Revision,
    /// By the revision that a host comes from.
    spans: HashMap<Revision, Arc<Span>>,
    /// Pieces of snapshots by tenant; the empty name has what all hosts know.
    pieces: HashMap<String, Bytes>,
    bookmark: Option<Bytes>,
}

/// What happened between two revisions.
#[derive(Debug)]
struct Span {
    delta: Delta,
    lines: Mutex<HashMap<Audience, Bytes>>,
}

impl Fanout {
    /// What a host is to be told that was last told of `from`; none knows nothing yet.
    pub(super) fn word(&self, committed: &Committed, from: Option<Revision>, host: &str) -> Word {
        let image = committed.image();
        let Some(from) = from else {
            return Word::Snapshot(self.snapshot(committed, host));
        };
        if from == committed.revision() {
            return Word::Nothing;
        }
        let Some(span) = self.span(committed, from) else {
            return Word::Snapshot(self.snapshot(committed, host));
        };
        let audience = span.delta.audience(image, host);
        let encode = || {
            let change = span.delta.change(image, host);
            let message = StreamMessage::Change {
                revision: committed.revision(),
                put: change.put,
                delete: change.delete,
            };
            line(&message)
        };
        match audience {
            Audience::Nobody => Word::Elsewhere,
            Audience::One => Word::Change(encode()),
            Audience::Shared(_) => {
                let mut lines = span.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let shared = lines.entry(audience).or_insert_with(encode);
                Word::Change(shared.clone())
            }
        }
    }

    /// Says how far things have come to a host that nothing else is to be said to.
    pub(super) fn bookmark(&self, revision: Revision) -> Bytes {
        let mut now = self.at(revision);
        let encode = || line(&StreamMessage::Bookmark { revision });
        now.bookmark.get_or_insert_with(encode).clone()
    }

    fn span(&self, committed: &Committed, from: Revision) -> Option<Arc<Span>> {
        let mut now = self.at(committed.revision());
        if let Some(span) = now.spans.get(&from) {
            return Some(Arc::clone(span));
        }
        let Since::Changes(applied) = committed.applied_since(from) else {
            return None;
        };
        let span = Arc::new(Span {
            delta: Delta::new(committed.image(), applied),
            lines: Mutex::default(),
        });
        now.spans.insert(from, Arc::clone(&span));
        Some(span)
    }

    /// One line in pieces.
    fn snapshot(&self, committed: &Committed, host: &str) -> Vec<Bytes> {
        let (image, revision) = (committed.image(), committed.revision());
        let mut pieces = vec![self.piece(revision, "", || fabric::common(image))];
        for tenant in fabric::known_tenants(image, host) {
            pieces.push(self.piece(revision, tenant, || fabric::of_tenant(image, tenant)));
        }
        pieces.push(objects(&fabric::own(image, host)));
        let opening = StreamMessage::Snapshot {
            revision,
            objects: Vec::new(),
        };
        join(&line(&opening), pieces)
    }

    fn piece(
        &self,
        revision: Revision,
        tenant: &str,
        of: impl FnOnce() -> Vec<HostObject>,
    ) -> Bytes {
        if let Some(piece) = self.at(revision).pieces.get(tenant) {
            return piece.clone();
        }
        // Not under the lock: a large tenant takes its time.
        let piece = objects(&of());
        let mut now = self.at(revision);
        now.pieces.entry(tenant.to_owned()).or_insert(piece).clone()
    }

    /// The lines of this revision; those of an earlier one are of no use any more.
    fn at(&self, revision: Revision) -> MutexGuard<'_, Now> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.revision != revision {
            *now = Now {
                revision,
                ..Now::default()
            };
        }
        now
    }
}

fn line(message: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(message).expect("messages are maps with names for keys");
    line.push(b'\n');
    line.into()
}

/// Objects as they stand in an array, without its brackets.
fn objects(objects: &[HostObject]) -> Bytes {
    let text = serde_json::to_vec(objects).expect("objects are maps with names for keys");
    let end = text.len() - 1;
    Bytes::from(text).slice(1..end)
}

/// The line of a snapshot: the pieces between the brackets of one without objects.
fn join(empty: &Bytes, pieces: Vec<Bytes>) -> Vec<Bytes> {
    // `…[` and `]}` with the end of the line.
    let brackets = empty.len() - 3;
    let mut joined = vec![empty.slice(..brackets)];
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        if joined.len() > 1 {
            joined.push(Bytes::from_static(b","));
        }
        joined.push(piece);
    }
    joined.push(empty.slice(brackets..));
    joined
}

#[cfg(test)]
mod tests;
