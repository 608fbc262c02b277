//! The embedded store: one file, one writer.

mod file;
mod whole;
mod witness;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::follow::{Figures, Following, Store, Waiting};
use crate::schema::Schema;
use crate::transaction::{Outcome, Transaction};
use file::File;
use witness::begin_life;
use writer::{Request, Writer};

/// The contract of [`Store`] in one file, of which one process is the owner.
///
/// 1. One thread writes; transactions that wait while it flushes share the next
///    flush, each with its own number and its own outcome.
/// 2. An answer is given after the flush: what was acknowledged outlives kill -9
///    and loss of power.
/// 3. A copy that is put back in its place is noticed, and not opened ([`Error::WentBack`]).
/// 4. Where the disk is full, the file is closed and opened again by the next
///    commit, until there is room; followers keep what they know.
#[derive(Debug)]
pub struct RedbStore {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// What the writer tells everybody.
#[derive(Debug, Default)]
struct Shared {
    hindrance: Mutex<Option<Error>>,
    flushes: AtomicU64,
    commits: AtomicU64,
    largest_batch: AtomicU64,
    conflicts: AtomicU64,
}

impl RedbStore {
    /// Opens the file at `path`, which is made if it does not exist. It must be the one that was
    /// closed last.
    pub fn open(path: &Path, schema: Schema) -> Result<RedbStore, Error> {
        let (file, life) = begin_life(File::open(path, schema)?)?;
        let shared = Arc::new(Shared::default());
        let (requests, inbox) = std::sync::mpsc::channel();
        let writer = Writer::new(file, life, inbox, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run())
            .map_err(|source| Error::Unreachable {
                path: path.to_owned(),
                source: Arc::new(source),
            })?;
        Ok(RedbStore {
            requests: Some(requests),
            thread: Some(thread),
            shared,
        })
    }

    fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Request,
    ) -> Waiting<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self
            .requests
            .as_ref()
            .is_some_and(|requests| requests.send(request(answer)).is_ok());
        Box::pin(async move {
            if !sent {
                return Err(Error::Closed);
            }
            answered.await.unwrap_or(Err(Error::Closed))
        })
    }
}

impl Store for RedbStore {
    fn follow(&self) -> Waiting<'_, Following> {
        self.ask(Request::Follow)
    }

    fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome> {
        self.ask(|answer| Request::Commit(transaction, answer))
    }

    fn writable(&self) -> Result<(), Error> {
        match &*self.shared.hindrance() {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            flushes: read(&self.shared.flushes),
            commits: read(&self.shared.commits),
            largest_batch: read(&self.shared.largest_batch),
            conflicts: read(&self.shared.conflicts),
        }
    }
}

impl Shared {
    fn hindrance(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.hindrance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // The writer finishes what it was asked for, then closes the file.
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
