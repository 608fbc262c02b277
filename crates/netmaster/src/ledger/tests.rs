//! Several masters on one store, and a store that fails: decisions stay right.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use contiv_store::{Error as StoreError, Figures, Following, MemoryStore, Transaction, Waiting};
use futures_util::future::join_all;

use super::testing::{begin, request, request_for};
use super::*;

/// A store on which every `n`th commit of this master fails: 0 for none.
#[derive(Debug)]
struct Failing {
    inner: Arc<MemoryStore>,
    every: u64,
    asked: AtomicU64,
}

impl Store for Failing {
    fn follow(&self) -> Waiting<'_, Following> {
        self.inner.follow()
    }

    fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if self.every > 0 && asked.is_multiple_of(self.every) {
            let path = "/full".into();
            return Box::pin(async {
                tokio::task::yield_now().await;
                Err(StoreError::Full { path })
            });
        }
        Box::pin(async {
            // Others get their turn between the decision and its commit.
            tokio::task::yield_now().await;
            self.inner.commit(transaction).await
        })
    }

    fn newest(&self) -> Waiting<'_, u64> {
        self.inner.newest()
    }

    fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn figures(&self) -> Figures {
        self.inner.figures()
    }
}

async fn master(inner: &Arc<MemoryStore>, every: u64) -> Arc<Ledger> {
    let store = Failing {
        inner: Arc::clone(inner),
        every,
        asked: AtomicU64::default(),
    };
    let (ledger, follower) = Ledger::open(Arc::new(store), Arc::default()).await.unwrap();
    tokio::spawn(follower.run());
    ledger
}

fn lowest(count: usize) -> BTreeSet<IpAddr> {
    let address = |n: usize| Ipv4Addr::new(10, 1, 1, u8::try_from(n).unwrap()).into();
    (1..=count).map(address).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_masters_on_one_store_give_each_address_once() {
    let store = Arc::new(MemoryStore::default());
    let (one, two) = (master(&store, 0).await, master(&store, 0).await);
    begin(&one).await;
    // A rival may win every time: then the caller is told to try again, and does.
    let patient = |ledger: Arc<Ledger>| async move {
        loop {
            match request(&ledger, 1, None).await {
                Ok(address) => return address,
                Err(Error::Busy) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let asks = (0..60).map(|i| {
        let ledger = Arc::clone(if i % 2 == 0 { &one } else { &two });
        tokio::spawn(patient(ledger))
    });
    let granted = join_all(asks.collect::<Vec<_>>()).await;
    let granted: BTreeSet<IpAddr> = granted.into_iter().map(Result::unwrap).collect();
    // Who met another went on in a lane of its own.
    assert_eq!(granted.len(), 60);
    assert!(granted.contains(&IpAddr::from([10, 1, 1, 1])));
    assert!(store.figures().conflicts > 0, "they never met");
    let last = store.follow().await.unwrap().revision.number;
    one.reach(last).await;
    two.reach(last).await;
    assert_eq!(one.read().image(), two.read().image());
}

#[tokio::test]
async fn a_master_that_is_behind_answers_by_what_was_committed_before_it_was_asked() {
    let store = Arc::new(MemoryStore::default());
    let one = master(&store, 0).await;
    let late = Failing {
        inner: Arc::clone(&store),
        every: 0,
        asked: AtomicU64::default(),
    };
    let (two, follower) = Ledger::open(Arc::new(late), Arc::default()).await.unwrap();
    begin(&one).await;
    // It knows of no network: that there is none is not for it to say.
    let asked = request(&two, 1, None);
    tokio::pin!(asked);
    tokio::select! {
        biased;
        said = &mut asked => panic!("{said:?}"),
        () = tokio::task::yield_now() => {}
    }
    tokio::spawn(follower.run());
    let granted = asked.await.unwrap();
    assert_eq!(granted, IpAddr::from([10, 1, 1, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_store_refused_never_was() {
    let store = Arc::new(MemoryStore::default());
    let ledger = master(&store, 5).await;
    begin(&ledger).await;
    let asks = (0..80).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { request(&ledger, 1, None).await })
    });
    let mut granted = BTreeSet::new();
    let mut refused = 0;
    for answer in join_all(asks.collect::<Vec<_>>()).await {
        match answer.unwrap() {
            Ok(address) => assert!(granted.insert(address), "{address} was given twice"),
            Err(Error::Store(_) | Error::Busy) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused >= 10 && granted.len() >= 10, "{refused} refused");
    {
        let committed = ledger.read();
        let stored = committed.image().addresses();
        assert_eq!(stored.map(|a| a.address).collect::<BTreeSet<_>>(), granted);
    }
    // What a failed one had been given is free, and given next.
    let hole = lowest(80)
        .into_iter()
        .find(|address| !granted.contains(address));
    let next = loop {
        match request(&ledger, 1, None).await {
            Err(Error::Store(_) | Error::Busy) => {}
            answer => break answer.unwrap(),
        }
    };
    assert_eq!(Some(next), hole);
}

#[tokio::test]
async fn an_answer_without_a_write_waits_for_what_it_rests_on() {
    let store = Arc::new(MemoryStore::default());
    // Bootstrap and network pass, the third commit fails.
    let ledger = master(&store, 3).await;
    begin(&ledger).await;
    let wish: IpAddr = Ipv4Addr::new(10, 1, 1, 7).into();
    // The second sees the first one's address in use, which then never was.
    let first = request_for(&ledger, "a", 1, Some(wish));
    let second = request_for(&ledger, "b", 1, Some(wish));
    let (first, second) = tokio::join!(first, second);
    assert!(matches!(first, Err(Error::Store(_))), "{first:?}");
    assert_eq!(second.unwrap(), wish);
}
