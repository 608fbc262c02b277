//! Members that die, and come back with their data.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contiv_store::{Error, Outcome, Store};

use super::*;

async fn until(what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Blocks a thread, which these waits are made for.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

#[test]
fn without_a_majority_writes_say_why_and_everything_goes_on_by_itself() {
    with_etcd(3, |etcd| async move {
        let store = open(&etcd, "majority").await;
        let mut following = store.follow().await.unwrap();
        store
            .commit(transaction(vec![], vec![put("/a", "1")]))
            .await
            .unwrap();
        assert_eq!(following.changes.next().await.unwrap().writes.len(), 1);
        until("a pulse", Duration::from_secs(5), || {
            store.age() < Duration::from_secs(2)
        })
        .await;
        etcd.kill9(0);
        etcd.kill9(1);
        until("it is noticed", Duration::from_secs(10), || {
            store.writable().is_err()
        })
        .await;
        let refused = store
            .commit(transaction(vec![], vec![put("/a", "2")]))
            .await;
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Away { .. }), "{error}");
        assert!(error.to_string().contains("majority"), "{error}");
        until("age", Duration::from_secs(10), || {
            store.age() > Duration::from_secs(4)
        })
        .await;
        let again = Arc::clone(&etcd);
        blocking(move || again.restart(0).unwrap()).await;
        until("writable", Duration::from_secs(15), || {
            store.writable().is_ok()
        })
        .await;
        store
            .commit(transaction(vec![], vec![put("/b", "3")]))
            .await
            .unwrap();
        // The same following goes on; what may have been done meanwhile is told first.
        loop {
            let commit = following.changes.next().await.expect("it goes on");
            if commit.writes.iter().any(|w| w.key() == "/b") {
                break;
            }
        }
        until("young", Duration::from_secs(10), || {
            store.age() < Duration::from_secs(2)
        })
        .await;
    });
}

#[test]
fn kill_9_of_members_loses_nothing_that_was_acknowledged() {
    with_etcd(3, |etcd| async move {
        let stores = [open(&etcd, "kill").await, open(&etcd, "kill").await].map(Arc::new);
        let mut following = stores[1].follow().await.unwrap();
        let (acknowledged, stop) = (
            Arc::new(Mutex::new(BTreeSet::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let writer = |task: u64| {
            let store = Arc::clone(&stores[usize::from(task % 2 == 1)]);
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut n = task;
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("/{n:08}");
                    let one = transaction(vec![absent(&key)], vec![put(&key, "v")]);
                    match store.commit(one).await {
                        Ok(Outcome::Committed(_)) => {
                            acknowledged.lock().unwrap().insert(key);
                        }
                        Ok(Outcome::Conflict { .. }) => panic!("{key} is nobody else's"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                    n += 8;
                }
            })
        };
        let writers: Vec<_> = (0..8).map(writer).collect();
        for round in 0..6u8 {
            let before = acknowledged.lock().unwrap().len();
            etcd.kill9(round % 3);
            if round % 2 == 1 {
                etcd.kill9((round + 1) % 3);
                etcd.launch((round + 1) % 3).unwrap();
            }
            let again = Arc::clone(&etcd);
            blocking(move || again.restart(round % 3).unwrap()).await;
            let goes_on = || acknowledged.lock().unwrap().len() > before + 50;
            until("writers go on", Duration::from_secs(20), goes_on).await;
        }
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        let found = stores[0].follow().await.unwrap();
        let keys: BTreeSet<String> = found.entries.iter().map(|e| e.key.clone()).collect();
        let acknowledged = acknowledged.lock().unwrap().clone();
        let lost: Vec<_> = acknowledged.difference(&keys).collect();
        assert!(lost.is_empty(), "lost {lost:?} of {}", acknowledged.len());
        // Who followed all along knows the same, each key once and in order.
        let (mut told, mut last) = (BTreeSet::new(), following.revision.number);
        while last < found.revision.number {
            let commit = following.changes.next().await.expect("it goes on");
            assert!(commit.revision.number > last);
            last = commit.revision.number;
            for write in &commit.writes {
                assert!(told.insert(write.key().to_owned()), "{} twice", write.key());
            }
        }
        assert_eq!(told, keys);
    });
}
