//! Whatever becomes of what is on its way: in the end the head is what is committed.

use std::collections::VecDeque;

use bytes::Bytes;
use contiv_fabric::record::LeaseRecord;
use contiv_fabric::{Image, Key};
use contiv_store::{Changes, Commit, Compare, MemoryStore, Outcome, Store, Transaction, Write};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// This master decides to write this, or to delete it.
    Decide(Vec<(&'static str, Option<u64>)>),
    /// Another one does, and has done.
    Another(&'static str, Option<u64>),
    /// The store does what was sent to it first.
    Commit,
    /// Who asked for what was sent last is gone before there is an answer.
    Leave,
    /// The first answer that there is comes.
    Answer,
    /// The next commit is heard of.
    Hear,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(&NAMES[..]);
    let value = || prop::option::weighted(0.7, 0..4_u64);
    prop_oneof![
        4 => prop::collection::vec((name(), value()), 1..3).prop_map(Step::Decide),
        1 => (name(), value()).prop_map(|(name, value)| Step::Another(name, value)),
        3 => Just(Step::Commit),
        1 => Just(Step::Leave),
        3 => Just(Step::Answer),
        3 => Just(Step::Hear),
    ]
}

fn key(name: &str) -> String {
    Key::Lease(name.into()).to_string()
}

fn write(name: &str, value: Option<u64>) -> Write {
    let key = key(name);
    let Some(turn) = value else {
        return Write::Delete { key };
    };
    let holder = "somebody".to_owned();
    let record = serde_json::to_vec(&LeaseRecord { holder, turn }).unwrap();
    Write::Put {
        key,
        value: record.into(),
    }
}

/// A master's head and committed image, a store, and what is between them.
struct Scene {
    store: MemoryStore,
    heard: Changes,
    head: Head,
    committed: Image,
    sent: VecDeque<Transaction>,
    answers: VecDeque<(u64, Outcome)>,
}

impl Scene {
    async fn new() -> Scene {
        let store = MemoryStore::default();
        let heard = store.follow().await.unwrap().changes;
        Scene {
            store,
            heard,
            head: Head::new(TICKETS),
            committed: Image::default(),
            sent: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// False when there is nothing to do for it.
    async fn take(&mut self, step: &Step) -> bool {
        match step {
            Step::Decide(wishes) => {
                let image = self.head.image(|| self.committed.clone());
                let compare = |(name, _): &(&str, _)| Compare {
                    key: key(name),
                    number: image.number_of(&key(name)),
                };
                let compares = wishes.iter().map(compare).collect();
                let mut writes: Vec<Write> = Vec::new();
                for (name, value) in wishes {
                    writes.retain(|known| known.key() != key(name));
                    writes.push(write(name, *value));
                }
                let ticket = self.head.push(&mut writes).unwrap();
                self.sent.push_back(Transaction {
                    ticket,
                    compares,
                    writes,
                    ..Transaction::default()
                });
            }
            Step::Another(name, value) => {
                let writes = vec![write(name, *value)];
                let transaction = Transaction {
                    writes,
                    ..Transaction::default()
                };
                self.store.commit(transaction).await.unwrap();
            }
            Step::Commit => {
                let Some(transaction) = self.sent.pop_front() else {
                    return false;
                };
                let ticket = transaction.ticket;
                let outcome = self.store.commit(transaction).await.unwrap();
                self.answers.push_back((ticket, outcome));
            }
            Step::Leave => {
                let Some(last) = self.sent.back() else {
                    return false;
                };
                self.head.fail(last.ticket, &self.committed).unwrap();
            }
            Step::Answer => {
                let Some((ticket, outcome)) = self.answers.front() else {
                    return false;
                };
                if matches!(outcome, Outcome::Committed(at) if *at > self.committed.number()) {
                    return false; // Waits until it is heard of.
                }
                self.head.fail(*ticket, &self.committed).unwrap();
                self.answers.pop_front();
            }
            Step::Hear => {
                let Some(commit) = self.next() else {
                    return false;
                };
                let number = commit.revision.number;
                self.committed.apply(number, &commit.writes).unwrap();
                self.head.take(&commit, &self.committed).unwrap();
            }
        }
        true
    }

    /// What the head is to have at a key: what was sent last, or else what was heard of.
    fn wanted(&self, key: &str) -> Option<Bytes> {
        let sent = self.head.sent.values().rev().flatten();
        match sent.into_iter().find(|write| write.key() == key) {
            Some(Write::Put { value, .. }) => Some(value.clone()),
            Some(Write::Delete { .. }) => None,
            None => self.committed.value_of(key),
        }
    }

    fn next(&mut self) -> Option<std::sync::Arc<Commit>> {
        use futures_util::FutureExt;
        self.heard.next().now_or_never().flatten()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_head_comes_to_what_is_committed(steps in prop::collection::vec(step(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new().await;
            for step in &steps {
                scene.take(step).await;
                for name in &NAMES.map(key) {
                    let wanted = scene.wanted(name);
                    let head = scene.head.image(|| scene.committed.clone());
                    prop_assert_eq!(head.value_of(name), wanted, "{} after {:?}", name, step);
                }
            }
            for last in [Step::Commit, Step::Hear, Step::Answer] {
                while scene.take(&last).await {}
            }
            prop_assert!(!scene.head.is_ahead());
            let head = scene.head.image(|| scene.committed.clone());
            for name in NAMES.map(key) {
                let there = |image: &Image| (image.number_of(&name), image.value_of(&name));
                prop_assert_eq!(there(head), there(&scene.committed), "{}", name);
            }
            Ok(())
        })?;
    }
}
