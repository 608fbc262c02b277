//! Both stores, held to a map that is obvious by reading.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use bytes::Bytes;
use contiv_store::{
    Compare, Entry, Following, MemoryStore, Outcome, RedbStore, Schema, Store, Transaction, Write,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

/// What a store is, told in ten lines.
#[derive(Default)]
struct Model {
    number: u64,
    entries: BTreeMap<String, (u64, Bytes)>,
}

impl Model {
    fn commit(&mut self, transaction: &Transaction) -> Outcome {
        for Compare { key, number } in &transaction.compares {
            if self.entries.get(key).map_or(0, |e| e.0) != *number {
                return Outcome::Conflict { key: key.clone() };
            }
        }
        self.number += u64::from(!transaction.writes.is_empty());
        for write in &transaction.writes {
            match write {
                Write::Put { key, value } => {
                    let entry = (self.number, value.clone());
                    self.entries.insert(key.clone(), entry);
                }
                Write::Delete { key } => drop(self.entries.remove(key)),
            }
        }
        Outcome::Committed(self.number)
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(key, (number, value)): (&String, &(u64, Bytes))| Entry {
            key: key.clone(),
            value: value.clone(),
            number: *number,
        };
        self.entries.iter().map(entry).collect()
    }
}

/// A transaction on few keys, whose comparisons are right about as often as wrong.
#[derive(Clone, Debug)]
struct Sketch {
    compares: Vec<(u8, bool)>,
    writes: BTreeMap<u8, Option<Vec<u8>>>,
}

impl Sketch {
    fn draw(&self, model: &Model) -> Transaction {
        let number = |key: &str| model.entries.get(key).map_or(0, |e| e.0);
        let compare = |(key, right): &(u8, bool)| {
            let key = format!("k{key}");
            let number = number(&key) + u64::from(!right);
            Compare { key, number }
        };
        let write = |(key, value): (&u8, &Option<Vec<u8>>)| {
            let key = format!("k{key}");
            match value {
                Some(value) => Write::Put {
                    key,
                    value: Bytes::from(value.clone()),
                },
                None => Write::Delete { key },
            }
        };
        Transaction {
            compares: self.compares.iter().map(compare).collect(),
            writes: self.writes.iter().map(write).collect(),
            ..Transaction::default()
        }
    }
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20));
    let sketch = (
        proptest::collection::vec((0..6u8, proptest::bool::weighted(0.8)), 0..3),
        proptest::collection::btree_map(0..6u8, value, 0..4),
    );
    let sketch = sketch.prop_map(|(compares, writes)| Sketch { compares, writes });
    proptest::collection::vec(sketch, 1..25)
}

/// Runs the sketches and returns what a follower from the start has put together.
async fn run(store: &dyn Store, sketches: &[Sketch], model: &mut Model) {
    let Following {
        revision,
        entries,
        mut changes,
    } = store.follow().await.unwrap();
    assert_eq!((revision.number, entries), (model.number, model.entries()));
    let mut follower = Model {
        number: model.number,
        entries: model.entries.clone(),
    };
    for sketch in sketches {
        let transaction = sketch.draw(model);
        let before = model.number;
        let outcome = store.commit(transaction.clone()).await.unwrap();
        assert_eq!(outcome, model.commit(&transaction));
        if model.number > before {
            let commit = changes.next().await.unwrap();
            assert_eq!(commit.revision.epoch, revision.epoch);
            assert_eq!(commit.revision.number, model.number);
            follower.commit(&Transaction {
                writes: commit.writes.clone(),
                ..Transaction::default()
            });
        }
    }
    assert_eq!(follower.entries(), model.entries());
    let now = store.follow().await.unwrap();
    assert_eq!(
        (now.revision.number, now.entries),
        (model.number, model.entries())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_stores_are_a_map_with_comparisons(one in sketches(), two in sketches()) {
        let runtime = Runtime::new().unwrap();
        let mut model = Model::default();
        let store = MemoryStore::default();
        runtime.block_on(run(&store, &one, &mut model));
        runtime.block_on(run(&store, &two, &mut model));

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.redb");
        let mut model = Model::default();
        for sketches in [&one, &two] {
            let store = RedbStore::open(&path, Schema::default()).unwrap();
            runtime.block_on(run(&store, sketches, &mut model));
        }
    }
}
