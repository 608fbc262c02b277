//! `netctl host token`.

use std::time::Duration;

use clap::Args;
use contiv_client::Client;
use contiv_model::identity::JoinTokenRequest;
use contiv_model::parse_span;

use crate::failure::{Failure, Places};
use crate::session::Session;

const PLACES: Places = &[("ttlSeconds", "--ttl"), ("host", "--host")];

#[derive(Debug, Args)]
#[command(after_help = "Example:
  netplugin --netmaster=https://m1:9998 --join-token=$(netctl host token)")]
pub(crate) struct JoinToken {
    /// Until it expires: a number with s, m, h or d after it; a week at most.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_span)]
    ttl: Duration,
    /// The one host that it is for, which may have joined before; any new one otherwise.
    #[arg(long, default_value = "", value_name = "NAME")]
    host: String,
}

impl JoinToken {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let request = JoinTokenRequest {
            host: self.host,
            ttl_seconds: self.ttl.as_secs(),
        };
        let made = client.make_join_token(&request).await;
        let made = made.map_err(Failure::with_places(PLACES))?;
        session.say(&made.token)
    }
}
