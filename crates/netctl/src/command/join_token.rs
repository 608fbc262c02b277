//! `netctl host token`.

use clap::Args;
use contiv_client::Client;
use contiv_model::identity::JoinTokenRequest;

use crate::failure::{Failure, Places};
use crate::session::Session;

const PLACES: Places = &[("ttlSeconds", "--ttl"), ("host", "--host")];

#[derive(Debug, Args)]
#[command(after_help = "Example:
  netplugin --netmaster=https://m1:9998 --join-token=$(netctl host token)")]
pub(crate) struct JoinToken {
    /// Until it expires: a number with s, m, h or d after it; a week at most.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = seconds)]
    ttl: u64,
    /// The one host that it is for, which may have joined before; any new one otherwise.
    #[arg(long, default_value = "", value_name = "NAME")]
    host: String,
}

impl JoinToken {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let request = JoinTokenRequest {
            host: self.host,
            ttl_seconds: self.ttl,
        };
        let made = client.make_join_token(&request).await;
        let made = made.map_err(Failure::with_places(PLACES))?;
        session.say(&made.token)
    }
}

/// A span of time as people write it.
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" | "" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let number: u64 = digits.parse().unwrap_or_default();
    match number.checked_mul(unit) {
        Some(seconds) if seconds > 0 => Ok(seconds),
        _ => Err("give a number with s, m, h or d after it, such as 1h".into()),
    }
}
