//! `netctl host`.

use clap::{Args, Subcommand};
use contiv_client::{Client, HostEntry};

use crate::command::join_token::JoinToken;
use crate::failure::Failure;
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// List the hosts, whether they are here, and how far they have come.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is known of a host.
    Inspect(Inspect),
    /// Remove a host that is no more, with its endpoints and its certificate.
    #[command(
        after_help = "Example:\n  netctl host rm worker-7\n\nWhat a lost host leaves behind is \
                      collected by itself after netmaster's --host-timeout."
    )]
    Rm(Rm),
    /// Print a token that lets one host join, once.
    Token(JoinToken),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The host's name.
    name: String,
    #[command(flatten)]
    output: DocumentFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The host's name.
    name: String,
    /// Even if it is live: what runs on it loses its addresses.
    #[arg(long)]
    force: bool,
}

impl Host {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Host::Ls(list) => {
                let hosts = client.hosts().await?;
                list.print(session, &hosts, |host| host.name.clone(), table)
            }
            Host::Inspect(Inspect { name, output }) => {
                output.print(session, &client.host_document(&name).await?)
            }
            Host::Rm(Rm { name, force }) => Ok(client.remove_host(&name, force).await?),
            Host::Token(token) => token.run(client, session).await,
        }
    }
}

fn table(hosts: &[HostEntry]) -> String {
    let mut rows = Rows::new(&[
        "Host",
        "State",
        "Version",
        "Tunnel",
        "Endpoints",
        "Applied",
        "Lag",
        "Heard",
        "Problems",
    ]);
    for host in hosts {
        let tunnel = host.tunnel.map(|a| a.to_string()).unwrap_or_default();
        let heard = match (host.live, host.silent) {
            (true, _) => "now".to_owned(),
            (false, Some(seconds)) => format!("{} ago", span(seconds)),
            (false, None) => "not by this master".to_owned(),
        };
        rows.add_cells([
            host.name.clone(),
            if host.live { "live" } else { "away" }.to_owned(),
            host.agent_version.clone(),
            tunnel,
            host.endpoints.to_string(),
            host.applied.to_string(),
            host.lag.to_string(),
            heard,
            host.problems.len().to_string(),
        ]);
    }
    rows.to_string()
}

/// A span of time in its largest unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_away_is_told_from_one_that_is_live() {
        let host = |name: &str, live, silent| HostEntry {
            name: name.into(),
            live,
            silent,
            tunnel: Some("192.0.2.1".parse().expect("an address")),
            ..HostEntry::default()
        };
        let table = table(&[
            host("here", true, Some(3)),
            host("gone", false, Some(7_300)),
            host("unheard", false, None),
        ]);
        let lines: Vec<&str> = table.lines().collect();
        let with = |name: &str| lines.iter().find(|l| l.contains(name)).copied();
        assert!(with("here").is_some_and(|l| l.contains("live") && l.contains("now")));
        assert!(with("gone").is_some_and(|l| l.contains("away") && l.contains("2 h ago")));
        assert!(with("unheard").is_some_and(|l| l.contains("not by this master")));
        assert!(table.contains("192.0.2.1"));
    }
}
