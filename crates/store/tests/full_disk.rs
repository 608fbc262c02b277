//! A disk that is full, and then has room again. Needs root, for a small disk of its own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use contiv_store::{Error, Outcome, RedbStore, Schema, Store, Transaction, Write};

const PLACE: &str = "CONTIV_FULL_DISK_TEST";

/// 8 MiB in a mount namespace of its own, which ends with the process.
#[test]
fn a_full_disk_makes_the_store_read_only_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=8m contiv-test \"$1\" && exec \"$2\" small_disk --exact --ignored --nocapture";
    let output = Command::new("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(PLACE, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn put(n: usize, size: usize) -> Transaction {
    let write = Write::Put {
        key: format!("key/{n:05}"),
        value: Bytes::from(vec![b'x'; size]),
    };
    Transaction {
        writes: vec![write],
        ..Transaction::default()
    }
}

fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[tokio::test]
#[ignore = "run by the test above, on a disk of its own"]
async fn small_disk() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else {
        return;
    };
    let path = place.join("s.redb");
    let store = RedbStore::open(&path, Schema::default()).unwrap();
    let mut changes = store.follow().await.unwrap().changes;
    store.commit(put(0, 100)).await.unwrap();
    assert_eq!(changes.next().await.unwrap().revision.number, 1);

    // Somebody else fills the disk, and the store what is left in its own file.
    let ballast = place.join("ballast");
    fill(&ballast);
    let mut done = 1;
    let full = loop {
        match store.commit(put(done, 50_000)).await {
            Ok(Outcome::Committed(number)) => {
                done += 1;
                assert_eq!(number as usize, done);
            }
            Ok(conflict) => panic!("{conflict:?}"),
            Err(error) => break error,
        }
        assert!(done < 1000, "the disk is never full");
    };
    assert!(matches!(full, Error::Full { .. }), "{full:?}");
    assert!(full.to_string().contains("make room"), "{full}");
    assert!(full.is_transient() && store.writable().is_err());
    for _ in 0..3 {
        let again = store.commit(put(done, 50_000)).await.unwrap_err();
        assert!(matches!(again, Error::Full { .. }), "{again:?}");
    }

    std::fs::remove_file(&ballast).unwrap();
    let room = store.commit(put(done, 50_000)).await.unwrap();
    assert_eq!(room, Outcome::Committed(done as u64 + 1));
    assert!(store.writable().is_ok());
    // Who followed all the time missed nothing.
    for n in 2..=done as u64 + 1 {
        assert_eq!(changes.next().await.unwrap().revision.number, n);
    }
    drop(store);

    let store = RedbStore::open(&path, Schema::default()).unwrap();
    let found = store.follow().await.unwrap();
    let keys: Vec<_> = found.entries.iter().map(|e| e.key.clone()).collect();
    let all: Vec<_> = (0..=done).map(|n| format!("key/{n:05}")).collect();
    assert_eq!(keys, all);
}
