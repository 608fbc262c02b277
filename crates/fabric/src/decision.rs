//! What a decision says, and the draft that it is written in.

use std::collections::BTreeMap;

use bytes::Bytes;
use contiv_store::{Compare, Transaction, Unchanged, Write};
use serde::Serialize;

use crate::image::Image;
use crate::key::Key;
use crate::refusal::Refusal;

/// A granted request: what to commit, and the answer once it is committed.
///
/// An empty transaction means that everything is so already: answer at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<A> {
    pub transaction: Transaction,
    pub answer: A,
}

/// A decision, or the refusal of the request.
pub type Decided<A> = Result<Decision<A>, Refusal>;

impl<A> Decision<A> {
    /// Whether there is nothing to commit.
    pub fn is_settled(&self) -> bool {
        self.transaction.writes.is_empty()
    }
}

/// A transaction being written, each key compared with what the image knows of it.
pub(crate) struct Draft<'a> {
    image: &'a Image,
    compares: BTreeMap<String, u64>,
    unchanged: Vec<Unchanged>,
    /// The later of two writes of one key stands; none deletes.
    writes: BTreeMap<String, Option<Bytes>>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(image: &'a Image) -> Draft<'a> {
        Draft {
            image,
            compares: BTreeMap::new(),
            unchanged: Vec::new(),
            writes: BTreeMap::new(),
        }
    }

    /// The key must still be as the image has it, absent if it is absent there.
    pub(crate) fn rely_on(&mut self, key: &Key) {
        let key = key.to_string();
        let number = self.image.number_of(&key);
        self.compares.insert(key, number);
    }

    /// Nothing may have been put from `first` to `last` since the image.
    pub(crate) fn rely_on_range(&mut self, (first, last): (String, String)) {
        let since = self.image.number();
        self.unchanged.push(Unchanged { first, last, since });
    }

    /// Writes a record in place of what the image has.
    pub(crate) fn put(&mut self, key: &Key, record: &impl Serialize) {
        self.rely_on(key);
        let value = serde_json::to_vec(record).expect("records are maps with names for keys");
        self.writes.insert(key.to_string(), Some(value.into()));
    }

    /// Deletes the record that the image has.
    pub(crate) fn delete(&mut self, key: &Key) {
        self.rely_on(key);
        self.writes.insert(key.to_string(), None);
    }

    /// Writes the record, or deletes what the image has if there is to be none.
    pub(crate) fn replace(&mut self, key: &Key, record: Option<&impl Serialize>) {
        match record {
            Some(record) => self.put(key, record),
            None => self.delete(key),
        }
    }

    /// Whether nothing is to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(crate) fn answer<A>(self, answer: A) -> Decision<A> {
        let compare = |(key, number)| Compare { key, number };
        let write = |(key, value)| match value {
            Some(value) => Write::Put { key, value },
            None => Write::Delete { key },
        };
        let transaction = Transaction {
            compares: self.compares.into_iter().map(compare).collect(),
            unchanged: self.unchanged,
            writes: self.writes.into_iter().map(write).collect(),
            ..Transaction::default()
        };
        Decision {
            transaction,
            answer,
        }
    }
}

/// Nothing to commit: it is so already.
pub(crate) fn settled<A>(answer: A) -> Decision<A> {
    Decision {
        transaction: Transaction::default(),
        answer,
    }
}
