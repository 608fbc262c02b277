//! Building the three programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::layout::{root, target};
use crate::shell;

/// How the programs are built.
#[derive(Debug, Clone, Args)]
pub(crate) struct Build {
    /// Use the debug profile: builds faster, runs slower.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Install nothing: everything that is needed is there.
    #[arg(long)]
    pub(crate) no_setup: bool,
    /// Build nothing: use the programs as they are.
    #[arg(long)]
    pub(crate) no_build: bool,
}

impl Build {
    /// Builds netmaster, netplugin and netctl, and returns the directory they are in.
    pub(crate) fn programs(&self) -> Result<PathBuf> {
        let profile = if self.debug { "debug" } else { "release" };
        if !self.no_build {
            let mut command = cargo();
            command.args([
                "build",
                "-p",
                "netmaster",
                "-p",
                "netplugin",
                "-p",
                "netctl",
            ]);
            command.envs(provenance());
            if !self.debug {
                command.arg("--release");
            }
            shell::run(&mut command)?;
        }
        Ok(target().join(profile))
    }
}

/// What `netctl version` shows; of a tree that git does not know, nothing.
fn provenance() -> Vec<(&'static str, String)> {
    let root = root();
    let git = |format: &str| {
        let dir = root.to_string_lossy();
        let line = shell::capture("git", &["-C", &dir, "log", "-1", format]);
        line.map(|line| line.trim().to_owned())
    };
    // The commit's time, so that the same sources give the same programs.
    let known = [
        ("CONTIV_GIT_COMMIT", git("--format=%h")),
        ("CONTIV_BUILD_TIME", git("--format=%cI")),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.ok()?)))
        .collect()
}

/// The cargo that runs us, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
