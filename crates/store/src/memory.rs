//! A store that forgets, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::follow::{Changes, Commit, Figures, Following, Revision, Store, Waiting};
use crate::tickets::Tickets;
use crate::transaction::{Entry, Outcome, Transaction, Write};
use crate::whole::Contents;

/// The contract of [`Store`] in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    number: u64,
    conflicts: u64,
    entries: BTreeMap<String, (u64, Bytes)>,
    tickets: Tickets,
    followers: Vec<mpsc::UnboundedSender<Arc<Commit>>>,
}

impl Default for State {
    fn default() -> State {
        State {
            epoch: 1,
            number: 0,
            conflicts: 0,
            entries: BTreeMap::new(),
            tickets: Tickets::default(),
            followers: Vec::new(),
        }
    }
}

impl MemoryStore {
    /// A store that begins with these contents, all of them of one commit, the first of the
    /// epoch after theirs.
    pub fn restored(contents: &Contents) -> MemoryStore {
        let entry = |(key, value): (&String, &Bytes)| (key.clone(), (1, value.clone()));
        let state = State {
            epoch: contents.revision.epoch + 1,
            number: 1,
            entries: contents.entries.iter().map(entry).collect(),
            ..State::default()
        };
        MemoryStore {
            state: Mutex::new(state),
        }
    }

    /// All that it holds.
    pub fn contents(&self) -> Contents {
        let state = self.state();
        let entry = |(key, (_, value)): (&String, &(u64, Bytes))| (key.clone(), value.clone());
        Contents {
            revision: Revision {
                epoch: state.epoch,
                number: state.number,
            },
            schema: 1,
            entries: state.entries.iter().map(entry).collect(),
            moved: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn follow(&self) -> Waiting<'_, Following> {
        Box::pin(async {
            let mut state = self.state();
            let (sender, receiver) = mpsc::unbounded_channel();
            state.followers.push(sender);
            let entry = |(key, (number, value)): (&String, &(u64, Bytes))| Entry {
                key: key.clone(),
                value: value.clone(),
                number: *number,
            };
            Ok(Following {
                revision: Revision {
                    epoch: state.epoch,
                    number: state.number,
                },
                entries: state.entries.iter().map(entry).collect(),
                changes: Changes::new(receiver),
            })
        })
    }

    fn commit(&self, transaction: Transaction) -> Waiting<'_, Outcome> {
        Box::pin(async { self.state().commit(transaction) })
    }

    fn newest(&self) -> Waiting<'_, u64> {
        Box::pin(async { Ok(self.state().number) })
    }

    fn writable(&self) -> Result<(), Error> {
        Ok(())
    }

    fn figures(&self) -> Figures {
        let State {
            number, conflicts, ..
        } = *self.state();
        Figures {
            flushes: number,
            commits: number,
            largest_batch: number.min(1),
            conflicts,
        }
    }
}

impl State {
    /// The key that has changed is the error.
    fn check(&self, transaction: &mut Transaction) -> Result<(), String> {
        self.tickets.settle(transaction)?;
        for compare in &transaction.compares {
            let number = self.entries.get(&compare.key).map_or(0, |(n, _)| *n);
            if number != compare.number {
                return Err(compare.key.clone());
            }
        }
        for range in &transaction.unchanged {
            let mut within = self.entries.range(range.first.clone()..=range.last.clone());
            if within.any(|(_, (number, _))| *number > range.since) {
                return Err(range.first.clone());
            }
        }
        Ok(())
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Outcome, Error> {
        let mut transaction = transaction;
        written_once(&transaction.writes)?;
        if let Err(key) = self.check(&mut transaction) {
            self.conflicts += 1;
            return Ok(Outcome::Conflict { key });
        }
        let Transaction { ticket, writes, .. } = transaction;
        if writes.is_empty() {
            return Ok(Outcome::Committed(self.number));
        }
        self.number += 1;
        self.tickets.take(ticket, self.number);
        for write in &writes {
            match write {
                Write::Put { key, value } => self
                    .entries
                    .insert(key.clone(), (self.number, value.clone())),
                Write::Delete { key } => self.entries.remove(key),
            };
        }
        let commit = Arc::new(Commit {
            revision: Revision {
                epoch: self.epoch,
                number: self.number,
            },
            writes,
        });
        self.followers
            .retain(|follower| follower.send(Arc::clone(&commit)).is_ok());
        Ok(Outcome::Committed(self.number))
    }
}

/// Refuses a transaction whose outcome would hang on the order of its writes.
pub(crate) fn written_once(writes: &[Write]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for write in writes {
        if !seen.insert(write.key()) {
            let key = write.key().to_owned();
            return Err(Error::WrittenTwice { key });
        }
    }
    Ok(())
}
