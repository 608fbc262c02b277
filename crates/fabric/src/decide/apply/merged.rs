//! Transactions that follow each other, as one.

use std::collections::BTreeMap;

use bytes::Bytes;
use contiv_store::{Compare, Transaction, Unchanged, Write};

/// What several transactions together compare and write.
#[derive(Default)]
pub(super) struct Merged {
    compares: BTreeMap<String, u64>,
    unchanged: Vec<Unchanged>,
    writes: BTreeMap<String, Option<Bytes>>,
}

impl Merged {
    /// Adds one that was decided on an image with those before it. Whatever writes a key
    /// compares it, so that the first number of a key is that of the store.
    pub(super) fn add(&mut self, transaction: Transaction) {
        for Compare { key, number } in transaction.compares {
            self.compares.entry(key).or_insert(number);
        }
        self.unchanged.extend(transaction.unchanged);
        for write in transaction.writes {
            match write {
                Write::Put { key, value } => self.writes.insert(key, Some(value)),
                Write::Delete { key } => self.writes.insert(key, None),
            };
        }
    }

    /// All of it, decided on the image of commit `since`: what those before wrote in a range is
    /// no news to those after.
    pub(super) fn transaction(self, since: u64) -> Transaction {
        let range = |range: Unchanged| Unchanged { since, ..range };
        let write = |(key, value)| match value {
            Some(value) => Write::Put { key, value },
            None => Write::Delete { key },
        };
        let compare = |(key, number)| Compare { key, number };
        Transaction {
            compares: self.compares.into_iter().map(compare).collect(),
            writes: self.writes.into_iter().map(write).collect(),
            unchanged: self.unchanged.into_iter().map(range).collect(),
            ..Transaction::default()
        }
    }
}
