//! The store of several masters: one etcd cluster, below one prefix.

mod batch;
mod connect;
mod contents;
mod keys;
mod members;
mod meta;
mod parts;
mod place;
mod pulse;
mod staging;
mod watch;
mod whole;
mod writer;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::follow::{Figures, Following, Store, Waiting};
use crate::schema::Schema;
use crate::transaction::{Outcome, Transaction};
use keys::Keys;
use members::Members;
use meta::Meta;
use writer::{Request, Writer};

pub(crate) use meta::epoch_after;
pub use place::EtcdPlace;

/// The contract of [`Store`] in etcd, of which any number of processes are owners.
///
/// 1. A commit's number is the revision of etcd: numbers only grow, and have gaps.
/// 2. Transactions that wait together are one transaction of etcd, each with its own
///    outcome ([`batch`]). What is larger than a request may be is staged and then
///    decided by one write ([`staging`]).
/// 3. Every commit compares `/meta`: a restore, a move or a migration stops all writers.
/// 4. Each process writes a pulse every second and listens for it ([`pulse`]): silence
///    means that what followers know grows old, and is never taken for quiet.
/// 5. Where a majority of members is lost, commits fail and say so until it is back;
///    followers keep what they know.
#[derive(Debug)]
pub struct EtcdStore {
    requests: mpsc::UnboundedSender<Request>,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What the tasks share.
pub(crate) struct Shared {
    members: Members,
    keys: Keys,
    schema: Schema,
    /// This process, among those that use the store.
    id: String,
    meta: Mutex<(Meta, i64)>,
    state: Mutex<State>,
    /// Numbers of changes that were staged, and so took several revisions.
    staged: Mutex<BTreeSet<u64>>,
    flushes: AtomicU64,
    commits: AtomicU64,
    largest_batch: AtomicU64,
    conflicts: AtomicU64,
}

/// Whether etcd answers, and how old what it said is.
#[derive(Debug)]
struct State {
    hindrance: Option<Error>,
    /// Followers know everything that was committed before this moment.
    heard: Instant,
}

impl EtcdStore {
    /// Joins the fabric at `place`, which is made if there is none.
    pub async fn open(place: EtcdPlace, schema: Schema) -> Result<EtcdStore, Error> {
        let keys = Keys::new(&place.prefix);
        let members = Members::new(place);
        let meta = connect::join(&members, &keys, schema).await?;
        let shared = Arc::new(Shared {
            members,
            keys,
            schema,
            id: uuid::Uuid::new_v4().to_string(),
            meta: Mutex::new(meta),
            state: Mutex::new(State {
                hindrance: None,
                heard: Instant::now(),
            }),
            staged: Mutex::default(),
            flushes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            largest_batch: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
        });
        let (requests, inbox) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(Writer::new(Arc::clone(&shared), inbox).run());
        tasks.spawn(pulse::run(Arc::clone(&shared)));
        Ok(EtcdStore {
            requests,
            shared,
            _tasks: tasks,
        })
    }
}

impl Store for EtcdStore {
    fn follow(&self) -> Waiting<'_, Following> {
        Box::pin(watch::follow(Arc::clone(&self.shared)))
    }

    fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send((transaction, answer)).is_ok();
        Box::pin(async move {
            if !sent {
                return Err(Error::Closed);
            }
            answered.await.unwrap_or(Err(Error::Closed))
        })
    }

    fn newest(&self) -> Waiting<'_, u64> {
        Box::pin(watch::newest(&self.shared))
    }

    fn writable(&self) -> Result<(), Error> {
        if let Some(error) = &self.shared.state().hindrance {
            return Err(error.clone());
        }
        let (meta, _) = self.shared.meta();
        meta.is_ours(self.shared.schema, &self.shared.name())
    }

    fn age(&self) -> Duration {
        self.shared.state().heard.elapsed()
    }

    fn is_shared(&self) -> bool {
        true
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
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the masters agree on, and the revision of it.
    fn meta(&self) -> (Meta, i64) {
        let meta = self.meta.lock().unwrap_or_else(PoisonError::into_inner);
        meta.clone()
    }

    /// Takes a newer word on it.
    fn set_meta(&self, meta: Meta, revision: i64) {
        let mut known = self.meta.lock().unwrap_or_else(PoisonError::into_inner);
        if known.1 < revision {
            *known = (meta, revision);
        }
    }

    fn name(&self) -> String {
        self.members.place().to_string()
    }
}

impl batch::Staged for Shared {
    fn is_staged(&self, number: u64) -> bool {
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.contains(&number)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.name())
    }
}
