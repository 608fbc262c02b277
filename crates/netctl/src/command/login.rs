//! `netctl login`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use contiv_client::{Access, Client};
use contiv_identity::Fingerprint;

use crate::access::{AccessFlags, Saved};
use crate::failure::Failure;
use crate::session::Session;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netctl login --netmaster=https://m1:9998 --ca=ca.pem <admin.token
  netctl login --netmaster=https://m1:9998,https://m2:9998 --fingerprint=6f0c…

netmaster prints the fingerprint at its start, and keeps ca.pem and admin.token in its data
directory. Without --token the token is read from the standard input.")]
pub(crate) struct Login {
    /// File with the authority's certificate, in place of its fingerprint.
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    ca: Option<PathBuf>,
}

impl Login {
    /// Tries it, and keeps it when a master takes it.
    pub(crate) async fn run(
        self,
        flags: &AccessFlags,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let usage = |what: &str| Failure::Usage(what.to_owned());
        let masters = flags
            .masters()
            .ok_or_else(|| usage("--netmaster: name the masters to log in to"))?;
        let fingerprint = match (&self.ca, flags.fingerprint()?) {
            (Some(file), _) => {
                let unreadable =
                    |why: String| Failure::Unreadable(format!("{}: {why}", file.display()));
                let pem = std::fs::read_to_string(file).map_err(|e| unreadable(e.to_string()))?;
                Fingerprint::of_pem(&pem)
                    .map_err(|e| unreadable(e.to_string()))?
                    .to_string()
            }
            (None, Some(fingerprint)) => fingerprint,
            (None, None) => {
                return Err(usage(
                    "--ca or --fingerprint: say which authority's masters to believe; netmaster \
                     prints the fingerprint at its start and keeps ca.pem in its data directory",
                ));
            }
        };
        let token = match flags.token() {
            Some(token) => token,
            None => read_token()?,
        };
        let authority = fingerprint
            .parse()
            .map_err(|e: contiv_identity::Error| usage(&e.to_string()))?;
        let access = Access::with_token(authority, token.clone());
        let list: Vec<String> = masters.iter().map(ToString::to_string).collect();
        let client = Client::of(masters, Session::timeouts(), &access)?;
        client.info().await?;
        let saved = Saved {
            netmaster: list.join(","),
            fingerprint,
            token,
        };
        let path = saved.store()?;
        session.say(&format!(
            "Logged in to {}: {}",
            saved.netmaster,
            path.display()
        ))
    }
}

fn read_token() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprint!("Token: ");
    }
    let mut line = String::new();
    stdin
        .read_line(&mut line)
        .map_err(|e| Failure::Unreadable(format!("the token: {e}")))?;
    match line.trim() {
        "" => Err(Failure::Usage(
            "--token: give the token that is in admin.token of netmaster's data directory".into(),
        )),
        token => Ok(token.to_owned()),
    }
}
