//! kill -9 at any moment: what was acknowledged is there, and nothing is there by halves.
//!
//! The test runs its own binary once more as the writer, reads the numbers that
//! the writer prints after each acknowledgement, and kills it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use contiv_store::{Compare, Outcome, RedbStore, Schema, Store, Transaction, Write};

const PLACE: &str = "CONTIV_CRASH_TEST_STORE";
const ROUNDS: u64 = 30;

/// Each transaction writes a pair and moves the one before out of the way.
fn transaction(n: u64) -> Transaction {
    let put = |side: &str| Write::Put {
        key: format!("{side}/{n}"),
        value: Bytes::from(n.to_string().repeat(50)),
    };
    let absent = Compare {
        key: format!("left/{n}"),
        number: 0,
    };
    Transaction {
        compares: vec![absent],
        writes: vec![put("left"), put("right")],
        ..Transaction::default()
    }
}

#[test]
#[ignore = "the writer of the test below, which starts it"]
fn writer() {
    let Some(path) = std::env::var_os(PLACE) else {
        return;
    };
    let store = Arc::new(RedbStore::open(Path::new(&path), Schema::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let begin = store.follow().await.unwrap().revision.number * 10;
        let tasks = (0..8).map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in (begin + task..).step_by(8) {
                    let outcome = store.commit(transaction(n)).await.unwrap();
                    if matches!(outcome, Outcome::Committed(_)) {
                        // One write for the line: a killed writer leaves no half of it unread.
                        let line = format!("acknowledged {n}\n");
                        std::io::stdout().write_all(line.as_bytes()).unwrap();
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    let mut acknowledged = BTreeSet::new();
    let mut epoch = None;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writer", "--exact", "--ignored", "--nocapture"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged.insert(n.parse::<u64>().unwrap());
                return 1;
            }
            0
        };
        // A different number of commits each time; the first rounds die while they open the file.
        let (mut seen, enough) = (0, (round * 7919) % 97);
        while seen < enough {
            seen += note(lines.next().expect("the writer goes on").unwrap());
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            note(line);
        }
        child.wait().unwrap();

        let store = RedbStore::open(&path, Schema::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let found = runtime.block_on(store.follow()).unwrap();
        let side = |side: &str| -> BTreeSet<u64> {
            let numbers = found
                .entries
                .iter()
                .filter_map(|e| e.key.strip_prefix(side)?.strip_prefix('/'));
            numbers.map(|n| n.parse().unwrap()).collect()
        };
        let (left, right) = (side("left"), side("right"));
        assert_eq!(left, right, "round {round}: half a transaction");
        let lost: Vec<_> = acknowledged.difference(&left).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        assert_eq!(found.revision.number, left.len() as u64);
        assert_eq!(
            *epoch.get_or_insert(found.revision.epoch),
            found.revision.epoch
        );
    }
    assert!(acknowledged.len() > 500, "{} commits", acknowledged.len());
}
