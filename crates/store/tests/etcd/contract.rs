//! The contract of a store, held to a map; numbers are what etcd makes them.

use std::collections::BTreeMap;

use contiv_store::{Commit, Entry, Outcome, Store, TICKETS, Unchanged};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

/// What is known of each key: the number of its last commit, and its value.
type Map = BTreeMap<String, (u64, Bytes)>;

fn entries(map: &Map) -> Vec<Entry> {
    let entry = |(key, (number, value)): (&String, &(u64, Bytes))| Entry {
        key: key.clone(),
        value: value.clone(),
        number: *number,
    };
    map.iter().map(entry).collect()
}

fn take(map: &mut Map, commit: &Commit) {
    for write in &commit.writes {
        match write {
            Write::Put { key, value } => {
                let entry = (commit.revision.number, value.clone());
                map.insert(key.clone(), entry);
            }
            Write::Delete { key } => drop(map.remove(key)),
        }
    }
}

/// Comparisons that are right or wrong, and writes of few keys.
type Sketch = (Vec<(u8, bool)>, BTreeMap<u8, Option<Vec<u8>>>);

fn sketch() -> impl Strategy<Value = Sketch> {
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20));
    (
        proptest::collection::vec((0..6u8, proptest::bool::weighted(0.8)), 0..3),
        proptest::collection::btree_map(0..6u8, value, 1..4),
    )
}

fn draw((compares, writes): &Sketch, map: &Map) -> Transaction {
    let compare = |(key, right): &(u8, bool)| {
        let key = format!("/k{key}");
        let number = map.get(&key).map_or(0, |e| e.0) + u64::from(!right);
        Compare { key, number }
    };
    let write = |(key, value): (&u8, &Option<Vec<u8>>)| {
        let key = format!("/k{key}");
        match value {
            Some(value) => Write::Put {
                key,
                value: value.clone().into(),
            },
            None => Write::Delete { key },
        }
    };
    transaction(
        compares.iter().map(compare).collect(),
        writes.iter().map(write).collect(),
    )
}

#[test]
fn it_is_a_map_with_comparisons() {
    with_etcd(1, |etcd| async move {
        let mut runner = TestRunner::deterministic();
        let store = open(&etcd, "map").await;
        let mut following = store.follow().await.unwrap();
        let (mut map, mut last) = (Map::new(), following.revision.number);
        for _ in 0..300 {
            let sketch = sketch().new_tree(&mut runner).unwrap().current();
            let transaction = draw(&sketch, &map);
            let wrong = sketch.0.iter().any(|(_, right)| !right);
            match store.commit(transaction.clone()).await.unwrap() {
                Outcome::Conflict { .. } => assert!(wrong, "{transaction:?}"),
                Outcome::Committed(number) => {
                    assert!(!wrong && number > last, "{transaction:?}");
                    last = number;
                    let commit = loop {
                        let commit = following.changes.next().await.unwrap();
                        if commit.revision.number == number {
                            break commit;
                        }
                        assert!(commit.writes.is_empty(), "{commit:?}");
                    };
                    let mut said = commit.writes.clone();
                    said.sort_by(|a, b| a.key().cmp(b.key()));
                    // Deleting what is absent is no event.
                    let effective = |write: &Write| match write {
                        Write::Delete { key } => map.contains_key(key),
                        Write::Put { .. } => true,
                    };
                    let mut sent = transaction.writes;
                    sent.retain(effective);
                    assert_eq!(said, sent);
                    take(&mut map, &commit);
                }
            }
        }
        let now = store.follow().await.unwrap();
        assert!(now.revision.number >= last);
        assert_eq!(store.newest().await.unwrap(), now.revision.number);
        assert_eq!(now.entries, entries(&map));
        // Another process finds the same, under the same number.
        let other = open(&etcd, "map").await.follow().await.unwrap();
        assert_eq!((other.revision, other.entries), (now.revision, now.entries));
        // And nothing of it is seen below another prefix.
        let apart = open(&etcd, "apart").await.follow().await.unwrap();
        assert_eq!(apart.entries, []);
    });
}

#[test]
fn what_waits_together_is_one_commit_and_builds_on_tickets() {
    with_etcd(1, |etcd| async move {
        let store = open(&etcd, "batch").await;
        let all = (0..500u64).map(|n| {
            let mut one = transaction(
                vec![absent(&format!("/{n}"))],
                vec![put(&format!("/{n}"), "")],
            );
            one.ticket = TICKETS + n;
            store.commit(one)
        });
        let all: Vec<_> = all.collect();
        // Sent before any of them is answered.
        let mut next = transaction(Vec::new(), vec![put("/499", "again")]);
        next.compares = vec![Compare {
            key: "/499".into(),
            number: TICKETS + 499,
        }];
        let next = store.commit(next);
        let mut lost = transaction(Vec::new(), vec![put("/lost", "")]);
        lost.compares = vec![Compare {
            key: "/499".into(),
            number: TICKETS + 500,
        }];
        let lost = store.commit(lost);
        for waiting in all {
            assert!(matches!(waiting.await.unwrap(), Outcome::Committed(_)));
        }
        assert!(matches!(next.await.unwrap(), Outcome::Committed(_)));
        assert!(matches!(lost.await.unwrap(), Outcome::Conflict { key } if key == "/499"));
        let figures = store.figures();
        assert_eq!((figures.commits, figures.conflicts), (501, 1));
        assert!(figures.largest_batch > 120, "{figures:?}");
        assert!(figures.flushes < 20, "{} flushes", figures.flushes);
    });
}

/// Sends one transaction for each key that is to be absent.
fn rivals<'a>(
    store: &'a EtcdStore,
    who: &str,
    own: std::ops::Range<u64>,
) -> Vec<contiv_store::Waiting<'a, Outcome>> {
    let ask = |n: u64| {
        let key = format!("/{n}");
        store.commit(transaction(vec![absent(&key)], vec![put(&key, who)]))
    };
    own.map(ask).collect()
}

#[test]
fn only_who_lost_a_race_has_to_try_again() {
    with_etcd(1, |etcd| async move {
        let (one, two) = (open(&etcd, "race").await, open(&etcd, "race").await);
        let (ours, theirs) = (rivals(&one, "one", 0..60), rivals(&two, "two", 50..110));
        let mut conflicts = 0;
        for waiting in ours.into_iter().chain(theirs) {
            conflicts += u64::from(matches!(waiting.await.unwrap(), Outcome::Conflict { .. }));
        }
        assert_eq!(conflicts, 10);
        assert_eq!(one.follow().await.unwrap().entries.len(), 110);
    });
}

#[test]
fn a_range_in_which_something_was_put_is_no_longer_unchanged() {
    with_etcd(1, |etcd| async move {
        let store = open(&etcd, "range").await;
        let since = store.follow().await.unwrap().revision.number;
        let over = |since| {
            let mut one = transaction(Vec::new(), vec![put("/end", "")]);
            one.unchanged = vec![Unchanged {
                first: "/b".into(),
                last: "/d".into(),
                since,
            }];
            one
        };
        let done = |outcome| matches!(outcome, Outcome::Committed(_));
        store
            .commit(transaction(vec![], vec![put("/a", ""), put("/d0", "")]))
            .await
            .unwrap();
        assert!(done(store.commit(over(since)).await.unwrap()));
        let put_in = store
            .commit(transaction(vec![], vec![put("/d", "")]))
            .await
            .unwrap();
        let Outcome::Committed(number) = put_in else {
            panic!("{put_in:?}");
        };
        assert!(!done(store.commit(over(since)).await.unwrap()));
        assert!(done(store.commit(over(number)).await.unwrap()));
        // An end is nothing that was put.
        let gone = Write::Delete { key: "/d".into() };
        store.commit(transaction(vec![], vec![gone])).await.unwrap();
        assert!(done(store.commit(over(since)).await.unwrap()));
    });
}
