//! Which build of Contiv's programs is meant: this workspace's, or one of its history.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bin;

/// A build of the programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// The one of this workspace.
    #[default]
    This,
    /// An older one by its name, which `cargo xtask older` has built below `target/older`.
    Older(&'static str),
}

impl Version {
    /// Where the program `name` of this version is.
    pub fn program(self, name: &str) -> Result<PathBuf> {
        let Self::Older(version) = self else {
            return bin(name);
        };
        let program = bin(&format!("older/{version}/{name}"));
        program.context("older versions are built by `cargo xtask older`")
    }
}
