//! What can be wrong with what is stored.

/// An image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else than a master of this version wrote it.
    #[error(
        "the store's record {key} cannot be read ({reason}); run the version of netmaster that \
         wrote it, or restore the store from a snapshot"
    )]
    Record { key: String, reason: String },
}
