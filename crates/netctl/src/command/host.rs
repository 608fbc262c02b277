//! `netctl host`.

use clap::Subcommand;
use contiv_client::Client;

use crate::command::join_token::JoinToken;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Print a token that lets one host join, once.
    Token(JoinToken),
}

impl Host {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Host::Token(token) => token.run(client, session).await,
        }
    }
}
