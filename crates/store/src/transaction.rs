//! What is written, in plain values.

use bytes::Bytes;

/// All of it happens, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What must still be so.
    pub compares: Vec<Compare>,
    /// What is then done; a key occurs once at most.
    pub writes: Vec<Write>,
}

/// A key's last change must have been this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    pub key: String,
    /// Number of the commit that wrote the key last; 0 when it must be absent.
    pub number: u64,
}

/// One key's new value, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Put { key: String, value: Bytes },
    Delete { key: String },
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
    /// It is on disk, under this number.
    Committed(u64),
    /// This key had changed: nothing was done, decide anew.
    Conflict { key: String },
}
