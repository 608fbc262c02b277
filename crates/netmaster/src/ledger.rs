//! From a request to a durable change: decide on an image, commit, apply.
//!
//! ```text
//!   request ─▶ decide on the head ─▶ commit ──▶ store
//!                  ▲                              │ every commit, in order
//!                  └──── head ◀── committed ◀─────┘
//!                                     ├─▶ answers to reads
//!                                     └─▶ history ─▶ streams of hosts, watchers
//! ```
//!
//! What is read is committed. What is decided is decided on the [`Head`], which
//! is the committed image and what is on its way to the disk: requests that come
//! together build on each other and share one flush. Whether that was right is for
//! the store's comparisons to say; when it was not, it is decided anew.

mod committed;
mod head;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use contiv_fabric::{Decided, Image};
use contiv_model::agent::Revision;
use contiv_store::{Following, Outcome, Store};
use tokio::sync::watch;
use tokio::time::timeout;

pub use committed::{Committed, Since};
use head::Head;

use crate::error::Error;
use crate::metrics::Metrics;

/// How often a request is decided before it gives up.
const TRIES: usize = 32;

/// After a lost race the winner's commit is due; it is not waited for longer than this.
const WINNER: Duration = Duration::from_millis(50);

/// Between attempts to follow a store that cannot be read.
const AGAIN: Duration = Duration::from_millis(500);

/// The one way to the store and the image of it.
#[derive(Debug)]
pub struct Ledger {
    store: Arc<dyn Store>,
    committed: RwLock<Committed>,
    head: Mutex<Head>,
    progress: watch::Sender<Progress>,
    metrics: Arc<Metrics>,
}

/// How far the committed image has come, and on which head requests are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub revision: Revision,
    /// Changes when what was on its way turned out otherwise.
    generation: u64,
}

/// A granted request, durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted<A> {
    pub answer: A,
    /// The commit that made it so, or a later one.
    pub revision: Revision,
}

/// What one look at the head gave.
enum Step<'a, A> {
    /// Nothing to write: an answer, or a refusal.
    Said(Result<A, Error>),
    Commit(contiv_store::Waiting<'a, Outcome>, A),
}

impl Ledger {
    /// Reads the store; the follower keeps the ledger current from there on.
    pub async fn open(
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
    ) -> Result<(Arc<Ledger>, Follower), Error> {
        let following = store.follow().await?;
        let committed = Committed::load(&following)?;
        let progress = Progress {
            revision: committed.revision(),
            generation: 0,
        };
        let ledger = Arc::new(Ledger {
            store,
            committed: RwLock::new(committed),
            head: Mutex::default(),
            progress: watch::Sender::new(progress),
            metrics,
        });
        let follower = Follower {
            ledger: Arc::clone(&ledger),
            following,
        };
        Ok((ledger, follower))
    }

    /// What is committed, for a look that does not wait for anything.
    pub fn read(&self) -> RwLockReadGuard<'_, Committed> {
        self.committed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes on each commit.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Decides and commits.
    ///
    /// 1. The decision is made on the head. What it writes is put on the head at once and
    ///    goes to the store before anybody else decides.
    /// 2. A refusal, or an answer that needs no write, may rest on what is not durable
    ///    yet: it is given when that is, and made anew when that fails.
    /// 3. A lost race is decided again on the newer image, [`TRIES`] times at most.
    pub async fn decide<A>(
        &self,
        decide: impl Fn(&Image) -> Decided<A>,
    ) -> Result<Granted<A>, Error> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.metrics.again.inc();
            }
            let (generation, number, step) = self.step(&decide)?;
            match step {
                Step::Said(said) => {
                    if self.settle(generation, number).await {
                        let revision = self.progress.borrow().revision;
                        return said.map(|answer| Granted { answer, revision });
                    }
                }
                Step::Commit(waiting, answer) => match waiting.await {
                    Ok(Outcome::Committed(at)) => {
                        if at != number {
                            self.discard(generation);
                        }
                        let revision = self.reach(at).await;
                        return Ok(Granted { answer, revision });
                    }
                    Ok(Outcome::Conflict { key }) => {
                        tracing::debug!(key, number, "a race was lost");
                        let before = self.progress.borrow().revision.number;
                        self.discard(generation);
                        self.past(before).await;
                    }
                    Err(error) => {
                        self.discard(generation);
                        return Err(error.into());
                    }
                },
            }
        }
        Err(Error::Busy)
    }

    fn step<A>(
        &self,
        decide: impl Fn(&Image) -> Decided<A>,
    ) -> Result<(u64, u64, Step<'_, A>), Error> {
        let mut head = self.head();
        let image = head.image(|| self.read().image().clone());
        let step = match decide(image) {
            Err(refusal) => Step::Said(Err(refusal.into())),
            Ok(decision) if decision.is_settled() => Step::Said(Ok(decision.answer)),
            Ok(decision) => {
                if let Err(error) = head.push(decision.transaction.writes.clone()) {
                    head.reset();
                    return Err(error);
                }
                // Sent under the lock: the order of decisions is the order of commits.
                let waiting = self.store.commit(decision.transaction);
                Step::Commit(waiting, decision.answer)
            }
        };
        Ok((head.generation(), head.number(), step))
    }

    /// Waits until everything up to `number` is durable; false when it turned out otherwise.
    async fn settle(&self, generation: u64, number: u64) -> bool {
        let mut progress = self.progress.subscribe();
        let settled = |p: &Progress| p.revision.number >= number || p.generation != generation;
        // The sender lives as long as self: the wait cannot fail.
        let now = progress.wait_for(settled).await.map(|p| *p);
        now.is_ok_and(|p| p.revision.number >= number)
    }

    /// Waits until the committed image has commit `number`.
    async fn reach(&self, number: u64) -> Revision {
        let mut progress = self.progress.subscribe();
        let there = progress.wait_for(|p| p.revision.number >= number).await;
        let epoch = there.map_or(0, |p| p.revision.epoch);
        Revision { epoch, number }
    }

    /// Waits a little for a commit after `number`.
    async fn past(&self, number: u64) {
        let mut progress = self.progress.subscribe();
        let newer = progress.wait_for(|p| p.revision.number > number);
        let _ = timeout(WINNER, newer).await;
    }

    /// What was decided on the head of this generation cannot stand.
    fn discard(&self, generation: u64) {
        let now = {
            let mut head = self.head();
            head.forget(generation);
            head.generation()
        };
        self.progress
            .send_if_modified(|p| std::mem::replace(&mut p.generation, now) != now);
    }

    fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings what is committed into the ledger, whoever committed it.
#[derive(Debug)]
pub struct Follower {
    ledger: Arc<Ledger>,
    following: Following,
}

impl Follower {
    /// Follows until the store is closed. It fails only on records that nobody can read.
    pub async fn run(mut self) -> Result<(), Error> {
        loop {
            while let Some(commit) = self.following.changes.next().await {
                self.take(&commit)?;
            }
            // Lost: what happened meanwhile is in the contents.
            self.following = loop {
                match self.ledger.store.follow().await {
                    Ok(following) => break following,
                    Err(contiv_store::Error::Closed) => return Ok(()),
                    Err(error) => tracing::warn!(%error, "the store cannot be followed"),
                }
                tokio::time::sleep(AGAIN).await;
            };
            let anew = Committed::load(&self.following)?;
            tracing::info!(revision = %anew.revision(), "following the store anew");
            *self.write() = anew;
            self.ledger.head().reset();
            self.tell();
        }
    }

    fn take(&self, commit: &Arc<contiv_store::Commit>) -> Result<(), Error> {
        self.write().take(commit)?;
        self.ledger.head().confirm(commit);
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        let revision = self.ledger.read().revision();
        let generation = self.ledger.head().generation();
        self.ledger.progress.send_replace(Progress {
            revision,
            generation,
        });
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Committed> {
        let committed = &self.ledger.committed;
        committed.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
