//! The embedded store's file, copied and put back by hand.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use contiv_store::{Error, RedbStore, Revision, Schema, Store, Transaction, Write};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    (dir, path)
}

fn open(path: &Path) -> RedbStore {
    RedbStore::open(path, Schema::default()).unwrap()
}

async fn put(store: &RedbStore, value: &'static str) {
    let write = Write::Put {
        key: "key".into(),
        value: Bytes::from_static(value.as_bytes()),
    };
    let transaction = Transaction {
        writes: vec![write],
        ..Transaction::default()
    };
    store.commit(transaction).await.unwrap();
}

async fn revision(store: &RedbStore) -> Revision {
    store.follow().await.unwrap().revision
}

/// The copy is not opened; restored, it is, in a later epoch and with what it holds.
#[track_caller]
fn refused(path: &Path) -> (Revision, Revision) {
    match RedbStore::open(path, Schema::default()) {
        Err(error @ Error::WentBack { found, seen, .. }) => {
            assert!(error.to_string().contains("snapshot restore"), "{error}");
            (found, seen)
        }
        other => panic!("an old copy was opened: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_was_closed_is_opened_again() {
    let (_dir, path) = place();
    for value in ["a", "b", "c"] {
        put(&open(&path), value).await;
    }
    assert_eq!(revision(&open(&path)).await.number, 3);
}

#[tokio::test]
async fn a_copy_that_is_put_back_is_noticed_and_restored_in_a_later_epoch() {
    let (dir, path) = place();
    let copy = dir.path().join("copy");
    put(&open(&path), "old").await;
    std::fs::copy(&path, &copy).unwrap();
    let store = open(&path);
    put(&store, "new").await;
    let last = revision(&store).await;
    drop(store);
    std::fs::copy(&copy, &path).unwrap();

    let (found, seen) = refused(&path);
    assert_eq!((found.number, seen), (1, last));
    assert_eq!(refused(&path), (found, seen), "trying again does not help");
    let contents = RedbStore::contents(&path, Schema::default()).unwrap();
    assert_eq!(&contents.entries["key"][..], b"old");
    RedbStore::replace(&path, Schema::default(), &contents).unwrap();
    assert!(revision(&open(&path)).await.epoch > last.epoch);
}

/// Another life that has written nothing, and as much as the one before: a file of as many commits
/// that are others.
#[tokio::test]
async fn a_copy_is_noticed_by_its_life_too() {
    let (dir, path) = place();
    let copy = dir.path().join("copy");
    drop(open(&path));
    std::fs::copy(&path, &copy).unwrap();
    put(&open(&path), "one").await;
    let kept = dir.path().join("kept");
    std::fs::copy(&path, &kept).unwrap();
    // Put back, and used by one that knew of no witness.
    let witness = path.with_extension("witness");
    let known = std::fs::read(&witness).unwrap();
    std::fs::remove_file(&witness).unwrap();
    std::fs::copy(&copy, &path).unwrap();
    put(&open(&path), "another").await;
    std::fs::write(&witness, known).unwrap();
    let (found, seen) = refused(&path);
    assert_eq!(found, seen, "they differ in their lives alone");
    std::fs::copy(&kept, &path).unwrap();
    assert_eq!(revision(&open(&path)).await, seen);
}

/// What only a host can know: it was told more than the file holds.
#[tokio::test]
async fn a_file_of_which_more_was_told_is_not_opened_as_it_is() {
    let (_dir, path) = place();
    let store = open(&path);
    put(&store, "a").await;
    let mut told = revision(&store).await;
    drop(store);
    told.number += 5;
    RedbStore::set_seen(&path, Schema::default(), told).unwrap();
    assert_eq!(refused(&path).1, told);
    let contents = RedbStore::contents(&path, Schema::default()).unwrap();
    RedbStore::replace(&path, Schema::default(), &contents).unwrap();
    assert!(revision(&open(&path)).await.epoch > told.epoch);
}

/// A directory in which nothing can be made does without.
#[tokio::test]
async fn a_store_without_a_witness_is_opened() {
    let (_dir, path) = place();
    put(&open(&path), "a").await;
    std::fs::write(path.with_extension("witness"), "a letter to my aunt").unwrap();
    assert_eq!(revision(&open(&path)).await.number, 1);
    std::fs::remove_file(path.with_extension("witness")).unwrap();
    std::fs::create_dir(path.with_extension("witness")).unwrap();
    put(&open(&path), "b").await;
    assert_eq!(revision(&open(&path)).await.number, 2);
}
