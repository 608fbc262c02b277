//! What can be wrong with keys, certificates and tokens.

/// Why something does not prove who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the text of a fingerprint.
    #[error("fingerprint {text:?}: it has 64 hexadecimal digits; netmaster prints it at its start")]
    Fingerprint { text: String },

    /// Not the text of a join token.
    #[error(
        "join token: it has the form contiv-join.ID.SECRET.FINGERPRINT, and what is given {reason}; \
         `netctl host token` makes one"
    )]
    JoinToken { reason: &'static str },

    /// Not the text of an admin token.
    #[error("admin token: it has the form contiv-admin.SECRET; netmaster keeps it in admin.token")]
    AdminToken,

    /// A key, a certificate or a request that cannot be read.
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },

    /// A certificate that cannot be made.
    #[error("{what} cannot be made: {reason}")]
    Unmakable { what: &'static str, reason: String },

    /// The system has no randomness to give.
    #[error("the system gives no random bytes; see to /dev/urandom")]
    NoChance,
}

impl Error {
    pub(crate) fn unreadable(what: &'static str, reason: impl ToString) -> Error {
        Error::Unreadable {
            what,
            reason: reason.to_string(),
        }
    }

    pub(crate) fn unmakable(what: &'static str, reason: impl ToString) -> Error {
        Error::Unmakable {
            what,
            reason: reason.to_string(),
        }
    }
}
