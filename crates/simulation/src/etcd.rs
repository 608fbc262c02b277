//! The store of all masters, and each master's way to it.
//!
//! What is committed, and in which order, is [`MemoryStore`]'s business. What lies between
//! is simulated: answers that are late or lost, followers that lag and are cut off, members
//! that are away, and a restore, which takes the store away from everybody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_store::{
    Changes, Contents, Error, Figures, Following, MemoryStore, Outcome, Store, Transaction, Waiting,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::Chance;

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
    pub(crate) fn new(chance: Chance) -> Etcd {
        Etcd(Arc::new(Inner {
            chance,
            store: Mutex::default(),
            health: watch::Sender::new(Health {
                majority: true,
                losses: 0,
                breaks: 0,
            }),
        }))
    }

    /// A master's way to it.
    pub(crate) fn handle(&self) -> Arc<Handle> {
        let (requests, inbox) = mpsc::unbounded_channel();
        let way = Way {
            etcd: self.clone(),
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
        *self.guard() = restored;
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
}

impl Way {
    fn away(&self) -> Error {
        Error::Away {
            place: "simulation".into(),
            reason: "no answer in time".into(),
        }
    }

    async fn delay(&self) {
        let chance = &self.etcd.0.chance;
        let micros = match chance.happens(4) {
            true => chance.of(2_000..400_000),
            false => chance.of(100..3_000),
        };
        sleep(Duration::from_micros(micros)).await;
    }

    /// Waits until something can pass; false when it cannot any more.
    async fn passable(&self) -> bool {
        let (mut state, mut health) = (self.state.subscribe(), self.etcd.0.health.subscribe());
        loop {
            let link = *state.borrow_and_update();
            if link.closed {
                return false;
            }
            if link.cut.is_none() && health.borrow_and_update().majority {
                return true;
            }
            tokio::select! {
                biased;
                _ = state.changed() => {}
                _ = health.changed() => {}
            }
        }
    }

    /// Commits what the master sends, in its order.
    async fn write(self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        while let Some((transaction, answer)) = inbox.recv().await {
            self.delay().await;
            // What stands still for longer than its patience may still be done later.
            let result = match timeout(PATIENCE, self.passable()).await {
                Ok(true) => self.commit(transaction).await,
                Ok(false) => Err(Error::Closed),
                Err(_) if self.etcd.0.chance.happens(50) => Err(self.away()),
                Err(_) => match self.passable().await {
                    true => {
                        // The answer was given up, and the transaction arrives nevertheless.
                        drop(self.commit(transaction).await);
                        Err(self.away())
                    }
                    false => Err(Error::Closed),
                },
            };
            self.delay().await;
            if !self.state.borrow().closed {
                drop(answer.send(result));
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, Error> {
        let (losses, chance) = (self.etcd.0.health.borrow().losses, &self.etcd.0.chance);
        if chance.happens(losses) {
            return Err(self.away());
        }
        // Others may have taken the store away meanwhile.
        if !Arc::ptr_eq(&self.store, &self.etcd.store()) {
            return Err(Error::Closed);
        }
        let outcome = self.store.commit(transaction).await;
        if chance.happens(losses) {
            return Err(self.away());
        }
        outcome
    }

    async fn follow(self) -> Result<Following, Error> {
        self.delay().await;
        match timeout(PATIENCE, self.passable()).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::Closed),
            Err(_) => return Err(self.away()),
        }
        let Following {
            revision,
            entries,
            changes,
        } = self.store.follow().await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(self.carry(changes, sender));
        Ok(Following {
            revision,
            entries,
            changes: Changes::new(receiver),
        })
    }

    async fn carry(self, mut from: Changes, to: mpsc::UnboundedSender<Arc<contiv_store::Commit>>) {
        let mut health = self.etcd.0.health.subscribe();
        let begin = health.borrow().breaks;
        let broken = async move {
            let _ = health.wait_for(|health| health.breaks != begin).await;
        };
        let carry = async {
            while let Some(commit) = from.next().await {
                let lag = self.state.borrow().lag;
                if lag > Duration::ZERO {
                    sleep(lag).await;
                }
                self.delay().await;
                if !self.passable().await || to.send(commit).is_err() {
                    return;
                }
            }
        };
        let closed = async {
            let mut state = self.state.subscribe();
            let _ = state.wait_for(|link| link.closed).await;
        };
        tokio::select! {
            biased;
            () = broken => {}
            () = closed => {}
            () = carry => {}
        }
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
