//! What is written, in plain values.

use bytes::Bytes;

/// Numbers from here on are tickets: they stand for commits that are on their way.
pub const TICKETS: u64 = 1 << 63;

/// All of it happens, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// By which later transactions of the same process can compare with what this one
    /// writes before its number is known: [`TICKETS`] or more, used once. 0 for none.
    pub ticket: u64,
    /// What must still be so.
    pub compares: Vec<Compare>,
    /// Where nothing may have been written.
    pub unchanged: Vec<Unchanged>,
    /// What is then done; a key occurs once at most.
    pub writes: Vec<Write>,
}

/// A key's last change must have been this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    pub key: String,
    /// Number of the commit that wrote the key last, or the ticket of a transaction
    /// that was sent before; 0 when the key must be absent.
    pub number: u64,
}

/// No key from `first` to `last`, both included, may have been put after commit `since`.
///
/// So a decision may rest on what is absent, and nobody who adds something has to
/// write a key that all of them share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchanged {
    pub first: String,
    pub last: String,
    pub since: u64,
}

/// One key's new value, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Put { key: String, value: Bytes },
    Delete { key: String },
}

impl Write {
    pub fn key(&self) -> &str {
        let (Write::Put { key, .. } | Write::Delete { key }) = self;
        key
    }
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Bytes,
    /// Number of the commit that wrote it last.
    pub number: u64,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk, under this number, which others may share.
    Committed(u64),
    /// This key, or one of the range that begins with it, had changed: nothing was done,
    /// decide anew.
    Conflict { key: String },
}
