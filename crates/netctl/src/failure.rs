//! How a command fails: the messages, and the exit codes that scripts rely on.

use std::io;
use std::process::ExitCode;

/// The exit codes of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    /// The command line makes no sense.
    Usage = 1,
    /// No master answered.
    Request = 2,
    /// A master refused, or what was asked for did not come about.
    Invalid = 3,
    /// Reading or writing on this side failed.
    Io = 4,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answered.
    #[error("{0}; is netmaster running there? --netmaster or NETMASTER name another")]
    Unreachable(contiv_client::Error),
    /// A master's answer is no success.
    #[error(transparent)]
    Client(contiv_client::Error),
    /// A master refused a field that a flag or an argument stands for.
    #[error("{place}: {error}")]
    Field {
        place: &'static str,
        error: contiv_client::Error,
    },
    /// A master did as it was told, and yet the result is not what was asked for.
    #[error("{0}")]
    Invalid(String),
    /// A file of this side cannot be read.
    #[error("cannot read {0}")]
    Unreadable(String),
    /// Writing on this side failed.
    #[error("cannot write the result: {0}")]
    Io(#[from] io::Error),
}

/// Which flag or argument gives which field, by the field's JSON name.
pub(crate) type Places = &'static [(&'static str, &'static str)];

impl Failure {
    /// Names the flag or argument in a refusal that names its field.
    pub(crate) fn with_places(places: Places) -> impl Fn(contiv_client::Error) -> Failure {
        move |error| {
            let field = error.field().unwrap_or_default();
            match places.iter().find(|(name, _)| *name == field) {
                Some((_, place)) => Failure::Field { place, error },
                None => error.into(),
            }
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Unreachable(_) => Exit::Request,
            Failure::Client(error) | Failure::Field { error, .. } => client_exit(error),
            Failure::Invalid(_) => Exit::Invalid,
            Failure::Unreadable(_) | Failure::Io(_) => Exit::Io,
        }
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<contiv_client::Error> for Failure {
    fn from(error: contiv_client::Error) -> Failure {
        match client_exit(&error) {
            Exit::Request => Failure::Unreachable(error),
            _ => Failure::Client(error),
        }
    }
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

fn client_exit(error: &contiv_client::Error) -> Exit {
    use contiv_client::Error;
    match error {
        Error::BadAddress { .. } | Error::NoMaster | Error::EmptyName { .. } => Exit::Usage,
        Error::BadToken | Error::Identity(_) => Exit::Usage,
        Error::Unreachable { .. } | Error::StreamEnded { .. } => Exit::Request,
        Error::Refused { .. } | Error::NotJson { .. } | Error::Unavailable { .. } => Exit::Invalid,
        Error::Unexpected { .. } | Error::Unwritable { .. } => Exit::Invalid,
    }
}
