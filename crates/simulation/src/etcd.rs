//! The store of all masters, and each master's way to it.
//!
//! What is committed, and in which order, is [`MemoryStore`]'s business. What lies between
//! is simulated: answers that are late or lost, followers that lag and are cut off, members
//! that are away, and a restore, which takes the store away from everybody.

mod way;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_fabric::Key;
use contiv_store::{
    Changes, Contents, Entry, Error, Figures, Following, MemoryStore, Outcome, Revision, Store,
    Transaction, Waiting, Write,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::Chance;
use crate::chronicle::{Done, work};
use crate::fault::Fault;
use crate::tally::Tally;

/// After this time without a majority a commit fails.
const PATIENCE: Duration = Duration::from_secs(3);

/// The store; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Etcd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chance: Chance,
    store: Mutex<Arc<MemoryStore>>,
    health: watch::Sender<Health>,
    told: Mutex<Told>,
    fault: Option<Fault>,
    tally: Tally,
}

/// What is told of the store to those who look at it from outside.
#[derive(Debug, Default)]
struct Told {
    done: Vec<Done>,
    /// The next master that is to do what must run once is stopped before it.
    trap: bool,
    trapped: Vec<String>,
    /// Who took or renewed the sweeper's lease last.
    sweeper: String,
    lives: u64,
    first: BTreeMap<u64, (Revision, Vec<Entry>)>,
}

#[derive(Clone, Copy, Debug)]
struct Health {
    majority: bool,
    /// Percent of commits whose answer is lost, done or not.
    losses: u64,
    /// Changes when all followers lose the thread.
    breaks: u64,
}

impl Etcd {
    pub(crate) fn new(chance: Chance, fault: Option<Fault>, tally: Tally) -> Etcd {
        Etcd(Arc::new(Inner {
            chance,
            store: Mutex::default(),
            told: Mutex::default(),
            fault,
            tally,
            health: watch::Sender::new(Health {
                majority: true,
                losses: 0,
                breaks: 0,
            }),
        }))
    }

    /// A master's way to it, for one life of it.
    pub(crate) fn handle(&self, master: &str) -> Arc<Handle> {
        let (requests, inbox) = mpsc::unbounded_channel();
        let life = {
            let mut told = self.told();
            told.lives += 1;
            told.lives
        };
        let way = Way {
            etcd: self.clone(),
            master: master.into(),
            life,
            store: self.store(),
            state: Arc::new(watch::Sender::new(Link::default())),
        };
        tokio::spawn(way.clone().write(inbox));
        Arc::new(Handle { way, requests })
    }

    /// All that is durable.
    pub(crate) fn contents(&self) -> Contents {
        self.store().contents()
    }

    /// Puts these contents in the place of all there is.
    pub(crate) fn restore(&self, contents: &Contents) {
        let restored = Arc::new(MemoryStore::restored(contents));
        self.told().done.push(Done::Restored(restored.contents()));
        *self.guard() = restored;
    }

    /// What has happened since this was asked for last.
    pub(crate) fn done(&self) -> Vec<Done> {
        std::mem::take(&mut self.told().done)
    }

    /// Stops the next master that is to do what must run once, in the middle of it.
    pub(crate) fn set_trap(&self) {
        self.told().trap = true;
    }

    /// The masters that were stopped since this was asked for last.
    pub(crate) fn trapped(&self) -> Vec<String> {
        std::mem::take(&mut self.told().trapped)
    }

    /// The master that sweeps.
    pub(crate) fn sweeper(&self) -> String {
        self.told().sweeper.clone()
    }

    /// Whether answers come, and none is lost; and how often followers lost the thread.
    pub(crate) fn calm(&self) -> Option<u64> {
        let health = *self.0.health.borrow();
        (health.majority && health.losses == 0).then_some(health.breaks)
    }

    pub(crate) fn set_majority(&self, majority: bool) {
        self.0.health.send_modify(|h| h.majority = majority);
    }

    pub(crate) fn set_losses(&self, percent: u64) {
        self.0.health.send_modify(|h| h.losses = percent);
    }

    /// Has all followers lose the thread.
    pub(crate) fn break_followers(&self) {
        self.0.health.send_modify(|h| h.breaks += 1);
    }

    pub(crate) fn heal(&self) {
        self.0.health.send_modify(|h| {
            h.majority = true;
            h.losses = 0;
        });
        self.told().trap = false;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.guard())
    }

    fn guard(&self) -> MutexGuard<'_, Arc<MemoryStore>> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A master's store, as the master knows it.
#[derive(Debug)]
pub(crate) struct Handle {
    way: Way,
    requests: mpsc::UnboundedSender<Request>,
}

type Request = (Transaction, oneshot::Sender<Result<Outcome, Error>>);

#[derive(Clone, Debug)]
struct Way {
    etcd: Etcd,
    master: Arc<str>,
    life: u64,
    /// The one that the master has opened; a restore puts another in its place.
    store: Arc<MemoryStore>,
    state: Arc<watch::Sender<Link>>,
}

/// The state of one master's way.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    closed: bool,
    /// The master stands still, or is cut off: nothing passes. Since when.
    cut: Option<Instant>,
    /// What followers are told comes late by this.
    lag: Duration,
}

impl Handle {
    /// The master is dead, or the store is another one.
    pub(crate) fn close(&self) {
        self.way.state.send_modify(|link| link.closed = true);
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        let since = cut.then(Instant::now);
        self.way.state.send_modify(|link| link.cut = since);
    }

    pub(crate) fn set_lag(&self, lag: Duration) {
        self.way.state.send_modify(|link| link.lag = lag);
    }

    /// Whether nothing is in the way.
    pub(crate) fn is_calm(&self) -> bool {
        let link = *self.way.state.borrow();
        !link.closed && link.cut.is_none() && link.lag.is_zero()
    }
}

impl Store for Handle {
    fn follow(&self) -> Waiting<'_, Following> {
        Box::pin(self.way.clone().follow())
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
        let way = self.way.clone();
        Box::pin(async move {
            way.delay().await;
            match timeout(PATIENCE, way.passable()).await {
                Ok(true) => {}
                Ok(false) => return Err(Error::Closed),
                Err(_) => return Err(way.away()),
            }
            let newest = way.store.newest().await?;
            way.delay().await;
            Ok(newest)
        })
    }

    fn writable(&self) -> Result<(), Error> {
        match self.age() < PATIENCE {
            true => Ok(()),
            false => Err(self.way.away()),
        }
    }

    fn age(&self) -> Duration {
        let cut = self.way.state.borrow().cut;
        cut.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn figures(&self) -> Figures {
        self.way.store.figures()
    }
}
