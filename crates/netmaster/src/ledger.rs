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
mod follower;
mod head;
mod lane;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use contiv_fabric::{Decided, Image};
use contiv_model::agent::Revision;
use contiv_store::{Outcome, Store, TICKETS};
use tokio::sync::watch;
use tokio::time::timeout;

pub use committed::{Committed, Since};
pub use follower::Follower;
use head::Head;
use lane::Lanes;

use crate::error::Error;
use crate::metrics::Metrics;

/// How often a request is decided before it gives up.
const TRIES: usize = 32;

/// After a lost race the winner's commit is due; it is not waited for longer than this.
const WINNER: Duration = Duration::from_millis(50);

/// What others committed is heard of at once, or the watch is made anew meanwhile.
const HEARING: Duration = Duration::from_secs(5);

/// The one way to the store and the image of it.
#[derive(Debug)]
pub struct Ledger {
    store: Arc<dyn Store>,
    committed: RwLock<Committed>,
    head: Mutex<Head>,
    lanes: Mutex<Lanes>,
    /// Held by everybody who decides, or alone by who must not build on what is on its way.
    gate: tokio::sync::RwLock<()>,
    progress: watch::Sender<Progress>,
    metrics: Arc<Metrics>,
}

/// How far the committed image has come, and on which head requests are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub revision: Revision,
    /// Changes when what was on its way turned out otherwise.
    generation: u64,
    /// Everything up to this ticket is durable, or has failed.
    settled: u64,
}

/// A granted request, durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted<A> {
    pub answer: A,
    /// The commit that made it so, or a later one.
    pub revision: Revision,
}

/// What a decision knew, and what there is to know.
struct Asked<'a> {
    /// The last commit in the image, or an earlier one.
    known: u64,
    /// The store's last commit after the request had come, once it was asked for.
    newest: &'a mut Option<u64>,
}

/// What one look at the head gave.
enum Step<'a, A> {
    /// Nothing to write: an answer, or a refusal, that rests on everything up to a ticket.
    Said(Result<A, Error>, u64),
    Commit(contiv_store::Waiting<'a, Outcome>, A, Sent<'a>),
    /// It rests on what is absent in a range, and something of ours is on its way there.
    Alone,
}

/// A transaction on its way. Who does not wait for its end any more takes it off the head.
struct Sent<'a> {
    ledger: &'a Ledger,
    ticket: u64,
    /// What it compared, to see when a winner's commit has come.
    compares: Vec<contiv_store::Compare>,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.ledger.discard(self.ticket);
    }
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
            settled: 0,
        };
        let ledger = Arc::new(Ledger {
            store,
            committed: RwLock::new(committed),
            head: Mutex::new(Head::new(first_ticket())),
            lanes: Mutex::default(),
            gate: tokio::sync::RwLock::default(),
            progress: watch::Sender::new(progress),
            metrics,
        });
        let follower = Follower::new(Arc::clone(&ledger), following);
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
    /// 1. The decision is made on the head. What it writes is put on the head at once, under
    ///    a ticket, and goes to the store before anybody else decides.
    /// 2. A refusal, or an answer that needs no write, may rest on what is not durable
    ///    yet: it is given when that is, and made anew when that fails. It rests on all that
    ///    any master had committed when it was asked for: who was told of a change by one
    ///    master is not told by another that there is none. While a store that others use is
    ///    away, its error takes the answer's place, and who asks may go by what it knows.
    /// 3. A decision that rests on what is absent in a range is made when nothing of ours is
    ///    on its way: a ticket has no place among the numbers that the range is compared with.
    /// 4. A lost race is decided again on the newer image, [`TRIES`] times at most.
    pub async fn decide<A>(
        &self,
        decide: impl Fn(&Image) -> Decided<A>,
    ) -> Result<Granted<A>, Error> {
        let mut newest = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.metrics.again.inc();
            }
            let mut asked = Asked {
                known: self.progress.borrow().revision.number,
                newest: &mut newest,
            };
            let together = self.gate.read().await;
            let (generation, step) = self.step(&decide)?;
            let granted = match step {
                Step::Alone => {
                    drop(together);
                    let _alone = self.gate.write().await;
                    let (generation, step) = self.step(&decide)?;
                    self.take(generation, step, &mut asked).await?
                }
                step => self.take(generation, step, &mut asked).await?,
            };
            if let Some(granted) = granted {
                return Ok(granted);
            }
        }
        Err(Error::Busy)
    }

    fn step<A>(&self, decide: impl Fn(&Image) -> Decided<A>) -> Result<(u64, Step<'_, A>), Error> {
        let mut head = self.head();
        head.set_lane(self.lanes().now());
        let image = head.image(|| self.read().image().clone());
        let step = match decide(image) {
            Err(refusal) => Step::Said(Err(refusal.into()), head.last()),
            Ok(decision) if decision.is_settled() => Step::Said(Ok(decision.answer), head.last()),
            Ok(decision) if !decision.transaction.unchanged.is_empty() && head.is_ahead() => {
                Step::Alone
            }
            Ok(decision) => {
                let mut transaction = decision.transaction;
                match head.push(&mut transaction.writes) {
                    Ok(ticket) => transaction.ticket = ticket,
                    Err(error) => {
                        head.reset();
                        return Err(error);
                    }
                }
                let sent = Sent {
                    ledger: self,
                    ticket: transaction.ticket,
                    compares: transaction.compares.clone(),
                };
                // Sent under the lock: the order of decisions is the order of commits.
                let waiting = self.store.commit(transaction);
                Step::Commit(waiting, decision.answer, sent)
            }
        };
        Ok((head.generation(), step))
    }

    /// Waits for what a step leads to; none when it has to be decided anew.
    async fn take<A>(
        &self,
        generation: u64,
        step: Step<'_, A>,
        asked: &mut Asked<'_>,
    ) -> Result<Option<Granted<A>>, Error> {
        match step {
            Step::Alone => Ok(None),
            Step::Said(said, ticket) => {
                if !self.settle(generation, ticket).await || !self.is_newest(asked).await? {
                    return Ok(None);
                }
                let revision = self.progress.borrow().revision;
                said.map(|answer| Some(Granted { answer, revision }))
            }
            Step::Commit(waiting, answer, sent) => match waiting.await {
                Ok(Outcome::Committed(at)) => {
                    let revision = self.reach(at).await;
                    Ok(Some(Granted { answer, revision }))
                }
                Ok(Outcome::Conflict { key }) => {
                    tracing::debug!(key, "a race was lost");
                    self.lanes().met(&key);
                    self.discard(sent.ticket);
                    self.past(&sent, &key).await;
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Whether a decision knew all that was committed before it was asked for; waits for what
    /// it did not know.
    async fn is_newest(&self, asked: &mut Asked<'_>) -> Result<bool, Error> {
        let newest = match *asked.newest {
            Some(newest) => newest,
            None => {
                if self.store.is_shared() {
                    self.store.writable()?;
                }
                *asked.newest.insert(self.store.newest().await?)
            }
        };
        let knew = asked.known >= newest;
        if !knew {
            let mut progress = self.progress.subscribe();
            let there = progress.wait_for(|p| p.revision.number >= newest);
            let _ = timeout(HEARING, there).await;
        }
        Ok(knew)
    }

    /// Waits until everything up to `ticket` is durable; false when it turned out otherwise.
    async fn settle(&self, generation: u64, ticket: u64) -> bool {
        let mut progress = self.progress.subscribe();
        self.tell();
        let settled = |p: &Progress| p.settled >= ticket || p.generation != generation;
        // The sender lives as long as self: the wait cannot fail.
        let now = progress.wait_for(settled).await.map(|p| *p);
        now.is_ok_and(|p| p.generation == generation)
    }

    /// Waits until the committed image has commit `number`.
    async fn reach(&self, number: u64) -> Revision {
        let mut progress = self.progress.subscribe();
        let there = progress.wait_for(|p| p.revision.number >= number).await;
        let epoch = there.map_or(0, |p| p.revision.epoch);
        Revision { epoch, number }
    }

    /// Waits until this master knows what another one has told already, for a while at most;
    /// says whether it does.
    pub async fn catch_up(&self, revision: Revision, patience: Duration) -> bool {
        let mut progress = self.progress.subscribe();
        let there = progress.wait_for(|p| p.revision >= revision);
        timeout(patience, there).await.is_ok()
    }

    /// Waits a little until the commit has come that was faster.
    async fn past(&self, sent: &Sent<'_>, key: &str) {
        let compared = sent.compares.iter().find(|compare| compare.key == key);
        let number = compared.map_or(0, |compare| compare.number);
        let newer = |_: &Progress| self.read().image().number_of(key) != number;
        let mut progress = self.progress.subscribe();
        let _ = timeout(WINNER, progress.wait_for(newer)).await;
    }

    /// What was sent under this ticket cannot stand, or is not waited for.
    fn discard(&self, ticket: u64) {
        let failed = {
            let mut head = self.head();
            let committed = self.read();
            head.fail(ticket, committed.image())
        };
        if let Err(error) = failed {
            tracing::debug!(%error, "the head is forgotten");
            self.head().reset();
        }
        self.tell();
    }

    fn tell(&self) {
        // Read inside: of two who tell at once, the later one does not tell what was before.
        self.progress.send_if_modified(|before| {
            let (generation, settled) = {
                let head = self.head();
                (head.generation(), head.settled())
            };
            let now = Progress {
                revision: self.read().revision(),
                generation,
                settled,
            };
            std::mem::replace(before, now) != now
        });
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tickets of masters on one store do not meet.
fn first_ticket() -> u64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    TICKETS | (high >> 1 & !0xffff_ffff)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
