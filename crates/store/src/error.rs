//! What can go wrong with a store, in words for its operator.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Two processes want to write one file.
    #[error(
        "{}: another process has the store open; stop it, or give this one another directory by --data-dir",
        .path.display()
    )]
    Locked { path: PathBuf },

    /// Written by a later version, which knows what this one cannot.
    #[error(
        "{}: the store has schema version {found}, this program knows up to {known}; start the version that wrote it, or a later one",
        .path.display()
    )]
    Newer {
        path: PathBuf,
        found: u32,
        known: u32,
    },

    /// No room for a commit; reading goes on.
    #[error(
        "{}: the disk is full, so that nothing can be changed; make room, then it works again by itself",
        .path.display()
    )]
    Full { path: PathBuf },

    /// The file is there and cannot be used.
    #[error("{}: the store cannot be {doing}: {source}", .path.display())]
    Broken {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: Arc<redb::Error>,
    },

    /// The directory, or the file itself, cannot be reached.
    #[error("{}: {source}; give a directory that can be written by --data-dir", .path.display())]
    Unreachable {
        path: PathBuf,
        #[source]
        source: Arc<std::io::Error>,
    },

    /// A key that is written twice in one transaction has no meaning.
    #[error("key {key:?} is written twice in one transaction; write it once")]
    WrittenTwice { key: String },

    /// The program is ending.
    #[error("the store is closed, since the program ends")]
    Closed,
}

impl Error {
    /// Whether the same transaction may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Full { .. } | Error::Closed)
    }
}
