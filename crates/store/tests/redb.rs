//! What only the embedded store has: one owner, versions, shared flushes.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use contiv_store::{Compare, Error, Outcome, RedbStore, Schema, Step, Store, Transaction, Write};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    (dir, path)
}

fn put(key: &str, value: &str) -> Transaction {
    let write = Write::Put {
        key: key.into(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    Transaction {
        writes: vec![write],
        ..Transaction::default()
    }
}

#[tokio::test]
async fn a_second_owner_is_refused_until_the_first_has_gone() {
    let (_dir, path) = place();
    let first = RedbStore::open(&path, Schema::default()).unwrap();
    let error = RedbStore::open(&path, Schema::default()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("another process"), "{error}");
    drop(first);
    RedbStore::open(&path, Schema::default()).unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_reached_or_is_none_of_ours_says_so() {
    let (dir, path) = place();
    let lost = RedbStore::open(&dir.path().join("no/s.redb"), Schema::default()).unwrap_err();
    assert!(matches!(lost, Error::Unreachable { .. }), "{lost:?}");
    std::fs::write(&path, "this is a letter to my aunt, and no store at all").unwrap();
    let letter = RedbStore::open(&path, Schema::default()).unwrap_err();
    assert!(matches!(letter, Error::Broken { .. }), "{letter:?}");
}

fn rename(contents: &mut BTreeMap<String, Bytes>) {
    let old: Vec<_> = contents
        .extract_if(.., |key, _| key.starts_with("old/"))
        .collect();
    for (key, value) in old {
        contents.insert(key.replacen("old/", "new/", 1), value);
    }
}

fn shout(contents: &mut BTreeMap<String, Bytes>) {
    for value in contents.values_mut() {
        *value = value.to_ascii_uppercase().into();
    }
}

#[tokio::test]
async fn older_contents_are_brought_forward_and_newer_ones_refused() {
    const TWO: Schema = Schema { steps: &[rename] };
    const THREE: Schema = Schema {
        steps: &[rename as Step, shout],
    };
    let (_dir, path) = place();
    let store = RedbStore::open(&path, Schema::default()).unwrap();
    store.commit(put("old/a", "x")).await.unwrap();
    store.commit(put("keep", "Y")).await.unwrap();
    let epoch = store.follow().await.unwrap().revision.epoch;
    drop(store);

    let store = RedbStore::open(&path, THREE).unwrap();
    let now = store.follow().await.unwrap();
    assert_eq!((now.revision.epoch, now.revision.number), (epoch, 3));
    let found: Vec<_> = now
        .entries
        .iter()
        .map(|e| (e.key.as_str(), &e.value[..], e.number))
        .collect();
    // What did not change keeps its number: nobody's comparison is upset.
    assert_eq!(found, [("keep", &b"Y"[..], 2), ("new/a", &b"X"[..], 3)]);
    drop(store);

    let error = RedbStore::open(&path, TWO).unwrap_err();
    let Error::Newer { found, known, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((found, known), (3, 2));
    RedbStore::open(&path, THREE).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_wait_together_share_a_flush_and_only_one_of_rivals_wins() {
    let (_dir, path) = place();
    let store = std::sync::Arc::new(RedbStore::open(&path, Schema::default()).unwrap());
    let rivals = (0..200).map(|i| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move {
            let mut transaction = put(&format!("slot/{}", i / 2), &i.to_string());
            transaction.compares.push(Compare {
                key: format!("slot/{}", i / 2),
                number: 0,
            });
            store.commit(transaction).await.unwrap()
        })
    });
    let mut numbers = Vec::new();
    for rival in rivals.collect::<Vec<_>>() {
        if let Outcome::Committed(number) = rival.await.unwrap() {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    let figures = store.figures();
    assert_eq!((figures.commits, figures.conflicts), (100, 100));
    assert!(figures.largest_batch > 1);
    assert!(figures.flushes < 60, "{} flushes", figures.flushes);
}

#[tokio::test]
async fn a_key_written_twice_spoils_its_own_transaction_only() {
    let (_dir, path) = place();
    let store = RedbStore::open(&path, Schema::default()).unwrap();
    let mut twice = put("a", "1");
    twice.writes.push(Write::Delete { key: "a".into() });
    let (refused, fine) = tokio::join!(store.commit(twice), store.commit(put("b", "1")));
    assert!(matches!(refused, Err(Error::WrittenTwice { key }) if key == "a"));
    assert_eq!(fine.unwrap(), Outcome::Committed(1));
    assert!(store.writable().is_ok());
}
