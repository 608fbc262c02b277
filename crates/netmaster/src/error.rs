//! Why a request cannot be served.

use contiv_fabric::Refusal;

/// What stands between a request and its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The fabric's rules refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),

    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] contiv_store::Error),

    /// Others were faster, each time.
    #[error("too many changes at once, so that this one was always decided too late; try again")]
    Busy,

    /// What the store holds was written by something else.
    #[error(transparent)]
    Unreadable(#[from] contiv_fabric::Error),
}
