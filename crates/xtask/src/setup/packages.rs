//! Debian packages.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{self, capture, exists, is_root};

/// Installs those of `wanted` that are missing, after one `apt-get update`.
pub(crate) fn install(wanted: &[&str]) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| !is_installed(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !exists("apt-get") {
        bail!(
            "this machine has no apt-get: install by hand what serves as {}",
            missing.join(", ")
        );
    }
    if !is_root() {
        bail!(
            "missing packages: run `sudo apt-get install {}` first",
            missing.join(" ")
        );
    }
    println!("  install {}", missing.join(", "));
    shell::run(apt_get().arg("update"))?;
    shell::run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing),
    )
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    capture("dpkg-query", &["-W", "-f", "${Status}", package])
        .is_ok_and(|status| status == "install ok installed")
}
