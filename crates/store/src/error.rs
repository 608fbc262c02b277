//! What can go wrong with a store, in words for its operator.

use std::path::PathBuf;
use std::sync::Arc;

use crate::follow::Revision;

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

    /// An older copy of the file was put in its place.
    #[error(
        "{}: this is an older copy of the store, or another one: it is at revision {found}, and the one \
         that was here had come to {seen}; restore it by netmaster snapshot restore, so that hosts take \
         everything anew",
        .path.display()
    )]
    WentBack {
        path: PathBuf,
        found: Revision,
        seen: Revision,
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

    /// The address of a store that cannot be one.
    #[error("{address}: {reason}")]
    Address { address: String, reason: String },

    /// A file of a certificate, a key or a password.
    #[error("{}: {source}; give a file that can be read", .path.display())]
    Credentials {
        path: PathBuf,
        #[source]
        source: Arc<std::io::Error>,
    },

    /// etcd does not answer, or has no majority; reading goes on from memory.
    #[error(
        "etcd at {place} cannot be used, so that nothing can be changed: {reason}; bring back a \
         majority of its members, then it works again by itself"
    )]
    Away { place: String, reason: String },

    /// etcd answers, and not to this master, or it is not the one that the master was told of.
    #[error("etcd at {place} cannot be used, so that nothing can be changed: {reason}; {remedy}")]
    Stranger {
        place: String,
        reason: String,
        remedy: &'static str,
    },

    /// Something else uses the place.
    #[error("{place} holds what netmaster did not write ({reason}); choose another prefix")]
    Foreign { place: String, reason: String },

    /// Others have taken the store away from this process.
    #[error("the store has moved to {to}; start netmaster with --store {to}")]
    Moved { to: String },

    /// A master of another version, or a restore, has the store to itself.
    #[error("the store is being changed as a whole ({doing}); it can be used again in a moment")]
    Busy { doing: String },

    /// The program is ending.
    #[error("the store is closed, since the program ends")]
    Closed,
}

impl Error {
    /// Whether the same transaction may succeed later.
    pub fn is_transient(&self) -> bool {
        use Error::{Away, Busy, Closed, Full, Stranger};
        matches!(
            self,
            Full { .. } | Away { .. } | Stranger { .. } | Busy { .. } | Closed
        )
    }

    /// What an answer of etcd means to an operator.
    pub(crate) fn etcd(place: &str, error: &etcd_client::Error) -> Error {
        let reason = match error {
            etcd_client::Error::GRpcStatus(status) => match status.message() {
                "" => status.to_string(),
                message => caused(message, status),
            },
            etcd_client::Error::TransportError(error) => caused(&error.to_string(), error),
            error => error.to_string(),
        };
        // All that may be seen of TLS 1.3 where certificates are asked for and none is shown.
        let cut = ["operation was canceled", "transport error"];
        let reason = match cut.iter().any(|word| reason.contains(word)) {
            true => format!("{reason}; where it asks for certificates, see --store-cert"),
            false => reason,
        };
        let place = place.to_owned();
        match remedy(&reason) {
            Some(remedy) => Error::Stranger {
                place,
                reason,
                remedy,
            },
            None => Error::Away { place, reason },
        }
    }

    pub(crate) fn silent(place: &str, patience: std::time::Duration) -> Error {
        Error::Away {
            place: place.to_owned(),
            reason: format!("no answer within {} s", patience.as_secs()),
        }
    }
}

/// A message with what is at the bottom of it.
fn caused(message: &str, error: &dyn std::error::Error) -> String {
    let mut bottom = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    let bottom = bottom.to_string();
    match bottom.contains(message) || message.contains(&bottom) {
        true => message.to_owned(),
        false => format!("{message} ({bottom})"),
    }
}

/// What to do about an answer that has nothing to do with a majority of members.
fn remedy(reason: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["invalid peer certificate"]) {
        Some(
            "--store-ca must be the certificate of the authority that signed those of its members, and \
             --store must call them by names that are in theirs",
        )
    } else if says(&["fatal alert"]) {
        Some("it asks for a certificate that it trusts: give one by --store-cert and --store-key")
    } else if says(&["permission denied"]) {
        Some(
            "etcd's administrator lets the user of --store-user read and write everything below the \
             path of --store (etcdctl role grant-permission --prefix ROLE readwrite /contiv/)",
        )
    } else if says(&[
        "user name is empty",
        "user name not found",
        "authentication failed",
        "authentication is not enabled",
        "invalid auth token",
    ]) {
        Some(
            "see --store-user and --store-password-file, and leave them out where etcd has no users",
        )
    } else {
        None
    }
}
