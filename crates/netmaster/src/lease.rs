//! Whether this master does the work that is to be done once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contiv_fabric::{Image, Key, drop_lease, fence, hold_lease};
use contiv_store::Transaction;
use tokio::time::Instant;

use crate::error::Error;
use crate::ledger::Ledger;

/// The holder renews its lease this often.
const RENEWAL: Duration = Duration::from_secs(5);

/// A lease that was not renewed for this long is anybody's.
const LOST: Duration = Duration::from_secs(15);

/// This master's part in the lease of some work. A store that is one master's alone needs
/// none, and has none.
#[derive(Debug)]
pub(crate) struct Lease {
    ledger: Arc<Ledger>,
    name: &'static str,
    /// This life of this master.
    master: String,
    seen: Mutex<Seen>,
}

/// The last renewal, and when this master saw it first: another clock is not asked.
#[derive(Clone, Copy, Debug)]
struct Seen {
    number: u64,
    since: Instant,
}

impl Lease {
    pub(crate) fn new(ledger: Arc<Ledger>, name: &'static str, master: &str) -> Lease {
        let seen = Seen {
            number: 0,
            since: Instant::now(),
        };
        Lease {
            ledger,
            name,
            master: master.to_owned(),
            seen: Mutex::new(seen),
        }
    }

    /// Renews or takes the lease when it is time to; says whether it is this master's.
    pub(crate) async fn hold(&self, now: Instant) -> Result<bool, Error> {
        if !self.ledger.store().is_shared() {
            return Ok(true);
        }
        let key = Key::Lease(self.name.to_owned()).to_string();
        let (number, own) = {
            let committed = self.ledger.read();
            let holder = committed.image().lease(self.name).map(|l| l.holder.clone());
            let number = committed.image().number_of(&key);
            (number, holder.map(|holder| holder == self.master))
        };
        let age = self.age(number, now);
        let (due, expired) = match own {
            None => (true, None),
            Some(true) => (age > RENEWAL, None),
            Some(false) => (age > LOST, Some(number)),
        };
        if !due {
            return Ok(own == Some(true));
        }
        let decide = |image: &Image| hold_lease(image, self.name, &self.master, expired);
        let held = self.ledger.decide(decide).await?.answer;
        if held && own != Some(true) {
            tracing::info!(lease = self.name, "this master does the work now");
        }
        Ok(held)
    }

    /// Lets another master have it at once.
    pub(crate) async fn release(&self) {
        let decide = |image: &Image| drop_lease(image, self.name, &self.master);
        if self.ledger.store().is_shared()
            && let Err(error) = self.ledger.decide(decide).await
        {
            tracing::debug!(%error, lease = self.name, "the lease is not released");
        }
    }

    /// What of a transaction is committed only while the lease is this master's.
    pub(crate) fn fence(&self, image: &Image, transaction: Transaction) -> Transaction {
        match self.ledger.store().is_shared() {
            true => fence(image, self.name, &self.master, transaction),
            false => transaction,
        }
    }

    fn age(&self, number: u64, now: Instant) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.number != number {
            *seen = Seen { number, since: now };
        }
        now.saturating_duration_since(seen.since)
    }
}

#[cfg(test)]
mod tests {
    use contiv_store::{
        Error as StoreError, Figures, Following, MemoryStore, Outcome, Store, Waiting,
    };

    use super::*;
    use crate::ledger::testing::{begin, request};
    use contiv_fabric::expire;

    /// A store that says that others use it as well.
    #[derive(Debug, Default)]
    struct Shared(Arc<MemoryStore>);

    impl Store for Shared {
        fn follow(&self) -> Waiting<'_, Following> {
            self.0.follow()
        }
        fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome> {
            self.0.commit(transaction)
        }
        fn newest(&self) -> Waiting<'_, u64> {
            self.0.newest()
        }
        fn writable(&self) -> Result<(), StoreError> {
            Ok(())
        }
        fn is_shared(&self) -> bool {
            true
        }
        fn figures(&self) -> Figures {
            self.0.figures()
        }
    }

    async fn master(store: &Arc<MemoryStore>) -> Arc<Ledger> {
        let store = Arc::new(Shared(Arc::clone(store)));
        let (ledger, follower) = Ledger::open(store, Arc::default()).await.unwrap();
        tokio::spawn(follower.run());
        ledger
    }

    /// Waits until one master knows what another does.
    async fn meet(one: &Ledger, other: &Ledger) {
        let revision = other.read().revision();
        assert!(one.catch_up(revision, LOST).await);
    }

    #[tokio::test]
    async fn one_master_holds_it_and_another_takes_over_from_one_that_sleeps() {
        let store = Arc::new(MemoryStore::default());
        let (one, two) = (master(&store).await, master(&store).await);
        begin(&one).await;
        request(&one, 1, None).await.unwrap();
        let first = Lease::new(Arc::clone(&one), "sweep", "one");
        let second = Lease::new(Arc::clone(&two), "sweep", "two");
        let now = Instant::now();
        assert!(first.hold(now).await.unwrap());
        meet(&two, &one).await;
        assert!(!second.hold(now).await.unwrap());
        // Decided while it held the lease, and sent when it had slept through its loss.
        let late = {
            let committed = one.read();
            let image = committed.image();
            first.fence(image, expire(image, u64::MAX))
        };
        assert!(!late.writes.is_empty());
        assert!(!second.hold(now + LOST).await.unwrap());
        let after = now + LOST + Duration::from_millis(1);
        assert!(second.hold(after).await.unwrap());
        assert!(matches!(
            store.commit(late).await.unwrap(),
            Outcome::Conflict { .. }
        ));
        meet(&one, &two).await;
        assert!(!first.hold(after).await.unwrap());
        {
            let committed = one.read();
            let image = committed.image();
            let nothing = first.fence(image, expire(image, u64::MAX));
            assert!(nothing.writes.is_empty());
        }
        second.release().await;
        meet(&one, &two).await;
        assert!(first.hold(after).await.unwrap());
    }
}
