//! The contract of a store.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::Stream;

use crate::error::Error;
use crate::transaction::{Entry, Outcome, Transaction, Write};

/// An answer that is on its way.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Keys and values with one history, which several processes may write.
///
/// Who wants to know the contents follows them: a commit of one's own is seen
/// by the same stream as everybody else's, so there is one order of events.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Everything there is, and from there on every commit.
    fn follow(&self) -> Waiting<'_, Following>;

    /// Does all of `transaction` or nothing; answers when it is durable. After an
    /// error it may have been done nevertheless: then the followers are told of it.
    fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome>;

    /// The number of the newest commit, whoever made it, as of no earlier than this question;
    /// 0 where nobody else commits, so that whoever follows has heard of all there is.
    fn newest(&self) -> Waiting<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    /// Whether a commit could succeed now; the reason otherwise.
    fn writable(&self) -> Result<(), Error>;

    /// Since when followers may have missed something; zero where they cannot.
    fn age(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether other processes may use the store at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// What this process has done to the store.
    fn figures(&self) -> Figures;
}

/// What a process has done to a store since it opened it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Durable flushes to the disk.
    pub flushes: u64,
    /// Transactions that they made durable.
    pub commits: u64,
    /// Most transactions that one flush made durable.
    pub largest_batch: u64,
    /// Transactions that were decided on an older image.
    pub conflicts: u64,
}

/// A point in the history of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// Another one begins when a store is made anew or restored from a copy.
    pub epoch: u64,
    /// Grows with each commit, perhaps by more than one; one that writes nothing has no
    /// number of its own.
    pub number: u64,
}

/// The contents of a store, and what happens to them.
#[derive(Debug)]
pub struct Following {
    /// What `entries` are the state of.
    pub revision: Revision,
    /// Everything, in the order of the keys.
    pub entries: Vec<Entry>,
    /// The commits after `revision`.
    pub changes: Changes,
}

/// A transaction that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub revision: Revision,
    pub writes: Vec<Write>,
}

/// Commits in order, none left out. It ends when the store is closed or the
/// thread is lost; then one follows anew.
#[derive(Debug)]
pub struct Changes(mpsc::UnboundedReceiver<Arc<Commit>>);

impl Changes {
    /// The commits that arrive at `receiver`.
    pub fn new(receiver: mpsc::UnboundedReceiver<Arc<Commit>>) -> Changes {
        Changes(receiver)
    }

    /// The next commit; none at the end.
    pub async fn next(&mut self) -> Option<Arc<Commit>> {
        self.0.recv().await
    }
}

impl Stream for Changes {
    type Item = Arc<Commit>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<Commit>>> {
        self.0.poll_recv(cx)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}
