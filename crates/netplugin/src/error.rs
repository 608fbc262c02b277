//! What can go wrong in the agent.

use std::time::Duration;

/// Why the agent could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine asks for something that Contiv does not do, or that makes no sense.
    #[error("{0}")]
    Refused(String),

    /// A master refused, or none answered.
    #[error(transparent)]
    Master(#[from] contiv_client::Error),

    /// Nothing is known on this host, since no master has told it anything.
    #[error(
        "no master has told this host anything since netplugin started; asking {masters}: see \
         that one of them runs and that this host reaches it"
    )]
    Untold { masters: String },

    /// No answer within the time that the engine is kept waiting.
    #[error("no result within {} s; asked {masters}", .after.as_secs())]
    TooSlow { after: Duration, masters: String },

    /// The kernel could not be made to hold what it should.
    #[error("the data plane of this host: {0}")]
    DataPlane(String),

    /// The engine did not answer, or refused.
    #[error("Docker engine: {0}")]
    Engine(String),

    /// A socket, file or directory could not be used.
    #[error("{what}: {source}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}
