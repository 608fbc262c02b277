//! Contiv's programs, built as this program was built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Whether this is an optimised build; other figures are worth nothing.
pub(crate) const OPTIMISED: bool = !cfg!(debug_assertions);

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is one level below the repository's root")
}

/// Where what is made and not kept goes.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds netmaster, netplugin and netctl beside this program.
pub(crate) fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["build", "--quiet"]);
    if OPTIMISED {
        command.arg("--release");
    }
    command.args(["-p", "netmaster", "-p", "netplugin", "-p", "netctl"]);
    let status = command.status().context("start cargo")?;
    ensure!(status.success(), "building Contiv's programs: {status}");
    Ok(())
}
