//! Why a request is not granted.

use std::fmt;

use contiv_model::Invalid;

/// What the requester can do about a refusal; each kind has its status in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request itself is wrong: send another one.
    Invalid,
    /// What the request is about does not exist.
    NotFound,
    /// It stands against what exists: change that first.
    Conflict,
    /// As a conflict, but one that goes by: hosts are still to hear of an endpoint's end.
    Draining,
    /// The requester has not proved that it may.
    Denied,
    /// The object is not, or no longer, the one that the requester saw.
    PreconditionFailed,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: Kind,
    /// The offending field, by its JSON name; empty when it is not about one.
    pub field: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Refusal {
    pub(crate) fn invalid(field: &str, message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::Invalid, field, message)
    }

    pub(crate) fn not_found(message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::NotFound, "", message)
    }

    pub(crate) fn draining(field: &str, message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::Draining, field, message)
    }

    pub(crate) fn conflict(field: &str, message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::Conflict, field, message)
    }

    pub(crate) fn denied(field: &str, message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::Denied, field, message)
    }

    /// What is right by itself, but stands against what exists.
    pub(crate) fn clash(invalid: Invalid) -> Refusal {
        Refusal::conflict(invalid.field, &invalid)
    }

    pub(crate) fn precondition(message: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::PreconditionFailed, "", message)
    }

    fn new(kind: Kind, field: &str, message: impl fmt::Display) -> Refusal {
        Refusal {
            kind,
            field: field.to_owned(),
            message: message.to_string(),
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Refusal {
        Refusal::invalid(invalid.field, &invalid)
    }
}
