//! What can go wrong between a client and its masters.

use std::fmt;
use std::io;
use std::time::Duration;

use contiv_model::inspect::ApiError;

/// Why a call did not give its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A master's address cannot be used.
    #[error("master address {address:?}: {reason}")]
    BadAddress { address: String, reason: String },

    /// The list of masters is empty.
    #[error("no master is named; give at least one, such as http://127.0.0.1:9999")]
    NoMaster,

    /// A token that no header can carry.
    #[error("the token has characters that no token has; copy it anew")]
    BadToken,

    /// Keys or certificates that are no use.
    #[error(transparent)]
    Identity(#[from] contiv_identity::Error),

    /// A name that cannot be part of a path.
    #[error("{what} is empty; give its name")]
    EmptyName { what: &'static str },

    /// Nobody answered: every master is down, unreachable or too slow.
    #[error("no master answered: {}", Attempts(.tried))]
    Unreachable { tried: Vec<Attempt> },

    /// Nobody could serve now: at least one master said so, and the others did no better.
    #[error("no master can serve this now: {}", Attempts(.tried))]
    Unavailable { tried: Vec<Attempt> },

    /// A master understood the request and refused it.
    #[error("{}{}", .error.error, remedy(.master, &.error.error))]
    Refused {
        master: String,
        status: u16,
        error: ApiError,
    },

    /// What answers at the address is no netmaster, or something stands before it.
    #[error("{master} answered with status {status} and no JSON: {first_line}")]
    NotJson {
        master: String,
        status: u16,
        first_line: String,
    },

    /// JSON of another shape: most likely another version of netmaster.
    #[error("{master} answered {path} in a form this version does not know: {source}")]
    Unexpected {
        master: String,
        path: String,
        #[source]
        source: serde_json::Error,
    },

    /// A request that could not be written as JSON.
    #[error("the request for {path} cannot be written as JSON: {source}")]
    Unwritable {
        path: String,
        #[source]
        source: serde_json::Error,
    },

    /// A stream that ended: open it again, after the last applied revision.
    #[error("the stream from {master} ended: {reason}")]
    StreamEnded { master: String, reason: String },
}

/// One master that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub master: String,
    pub why: String,
}

struct Attempts<'a>(&'a [Attempt]);

impl Error {
    /// The status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Refused { status, .. } | Error::NotJson { status, .. } => Some(*status),
            Error::Unavailable { .. } => Some(503),
            _ => None,
        }
    }

    /// Whether the master says that it does not know the object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }

    /// Whether the object is not, or no longer, what the request expected it to be.
    pub fn is_precondition_failed(&self) -> bool {
        matches!(self, Error::Refused { status: 412, .. })
    }

    /// Whether another try, or another master, may well succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::StreamEnded { .. } => true,
            other => matches!(other.status(), Some(502..=504)),
        }
    }

    /// Whether the master does not know, or does not trust, who asks.
    pub fn is_denied(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// The offending field of a refused request, by its JSON name.
    pub fn field(&self) -> Option<&str> {
        match self {
            Error::Refused { error, .. } if !error.field.is_empty() => Some(&error.field),
            _ => None,
        }
    }
}

/// What helps when a master refuses in these words.
fn remedy(master: &str, words: &str) -> String {
    // So says a netmaster of any version, and nothing else is asked for paths that it lacks.
    if words.contains("is no path of this API") {
        return format!("; {master} runs an earlier version, which cannot do this: upgrade it");
    }
    String::new()
}

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, attempt) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{} ({})", attempt.master, attempt.why)?;
        }
        Ok(())
    }
}

/// The cause below all layers: what hyper adds on top names only its own layers.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return contiv_identity::human(tls);
        }
        // What an I/O error carries is not among its sources, but the sources of that are.
        let carried = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match carried {
            Some(carried) => carried,
            None => match cause.source() {
                Some(deeper) => deeper,
                None => return cause.to_string(),
            },
        };
    }
}

/// How a time-out reads in an [`Attempt`].
pub(crate) fn too_slow(after: Duration) -> String {
    format!("no answer within {:.1} s", after.as_secs_f64())
}
