//! The mirror as tasks and handlers share it: read under a lock, awaited by revision.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contiv_model::agent::{Revision, StreamMessage};
use tokio::sync::watch;

use crate::mirror::Mirror;

/// One [`Mirror`] for the whole agent. The lock is held for look-ups only, never
/// across an await.
pub struct Replica {
    mirror: Mutex<Mirror>,
    /// Revision of the mirror.
    heard: watch::Sender<Revision>,
    /// Revision that the kernel holds.
    applied: watch::Sender<Revision>,
    /// Of what [`Replica::changes`] counts, how much the kernel holds.
    worked: watch::Sender<u64>,
    /// Why endpoints are closed, by id, although the kernel holds that revision.
    closed: Mutex<BTreeMap<String, String>>,
    /// Counts messages that changed something, snapshots of an equal revision too.
    changes: watch::Sender<u64>,
}

impl Default for Replica {
    fn default() -> Self {
        Replica {
            mirror: Mutex::default(),
            heard: watch::Sender::new(Revision::default()),
            applied: watch::Sender::new(Revision::default()),
            worked: watch::Sender::new(0),
            closed: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Replica {
    /// The mirror, for a look-up.
    pub fn read(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message and wakes who waits for it.
    pub fn apply(&self, message: StreamMessage) {
        let bookmark = matches!(
            message,
            StreamMessage::Bookmark { .. } | StreamMessage::Unknown
        );
        let revision = {
            let mut mirror = self.read();
            mirror.apply(message);
            mirror.revision()
        };
        self.heard.send_replace(revision);
        if bookmark {
            // Nothing is left to be done for it once all before it is in the kernel.
            self.changes.send_modify(|_| ());
        } else {
            self.changes.send_modify(|n| *n += 1);
        }
    }

    /// Has whoever follows the mirror look again, since something else is new.
    pub(crate) fn look_again(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// The revision of the mirror.
    pub fn heard(&self) -> Revision {
        *self.heard.borrow()
    }

    /// The revision that the kernel holds.
    pub fn applied(&self) -> Revision {
        *self.applied.borrow()
    }

    /// Says that the kernel holds this revision, and so many of the changes that led to it.
    pub fn set_applied(&self, revision: Revision, change: u64) {
        self.applied
            .send_if_modified(|old| std::mem::replace(old, revision) != revision);
        self.worked
            .send_if_modified(|old| std::mem::replace(old, change) != change);
    }

    /// Says which endpoints are closed and why; before the revision that they are closed at.
    pub fn set_closed(&self, closed: BTreeMap<String, String>) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed;
    }

    /// Why an endpoint is closed, if it is.
    pub fn why_closed(&self, endpoint: &str) -> Option<String> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.get(endpoint).cloned()
    }

    /// Waits until the mirror is of this revision or a later one.
    pub async fn until_heard(&self, revision: Revision) {
        let mut heard = self.heard.subscribe();
        // The sender lives as long as self: the wait cannot fail.
        let _ = heard.wait_for(|now| *now >= revision).await;
    }

    /// Waits until the kernel holds this revision or a later one.
    pub async fn until_applied(&self, revision: Revision) {
        let mut applied = self.applied.subscribe();
        let _ = applied.wait_for(|now| *now >= revision).await;
    }

    /// Wakes on each change of the mirror.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Wakes on each change that reached the kernel, after its revision has.
    pub fn works(&self) -> watch::Receiver<u64> {
        self.worked.subscribe()
    }

    /// Wakes on each revision that reached the kernel.
    pub fn applications(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }
}
