//! `netctl version`.

use std::fmt;

use clap::Args;
use contiv_client::Client;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::InfoFlags;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Version {
    #[command(flatten)]
    output: InfoFlags,
}

/// A version in the three lines that the original prints.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Build(contiv_client::Version);

#[derive(Debug, Serialize)]
struct Both {
    client: Build,
    server: Build,
}

/// The version of this netctl.
pub(crate) fn own() -> Build {
    let known = |value: Option<&str>| value.unwrap_or("unknown").to_owned();
    Build(contiv_client::Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: known(option_env!("CONTIV_GIT_COMMIT")),
        build_time: known(option_env!("CONTIV_BUILD_TIME")),
    })
}

impl Version {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let own = own();
        if self.output.is_lines() {
            // Shown before the master is asked: it is known even when no master answers.
            session.print(&format!("Client Version:\n{own}\n"))?;
        }
        let server = Build(client.version().await?);
        let lines = format!("Server Version:\n{server}");
        self.output.print(
            session,
            &Both {
                client: own,
                server,
            },
            &lines,
        )
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Build(v) = self;
        writeln!(f, "Version: {}", v.version)?;
        writeln!(f, "GitCommit: {}", v.git_commit)?;
        writeln!(f, "BuildTime: {}", v.build_time)
    }
}
