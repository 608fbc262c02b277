//! `plugin`: the managed plugin for Docker Swarm, as a directory and in this machine's engine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::cargo;
use crate::layout::{root, target};
use crate::shell;

/// What Swarm's networks name as their driver, before the tag.
const NAME: &str = "contiv/netplugin";

#[derive(Debug, Args)]
pub(crate) struct Plugin {
    /// The tag behind contiv/netplugin.
    #[arg(long, env = "TAG", default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// Only make the directory; ask no engine.
    #[arg(long)]
    no_engine: bool,
}

impl Plugin {
    pub(crate) fn run(&self) -> Result<()> {
        let tree = tree()?;
        println!("  {} is ready for `docker plugin create`", tree.display());
        if self.no_engine {
            return Ok(());
        }
        let name = format!("{NAME}:{}", self.tag);
        if shell::succeeds("docker", &["plugin", "inspect", &name]) {
            println!("  the engine has {name}: remove it by `docker plugin rm -f {name}` first");
            return Ok(());
        }
        let dir = tree.to_string_lossy().into_owned();
        shell::capture("docker", &["plugin", "create", &name, &dir])?;
        println!(
            "  made {name}; `docker plugin enable {name}` starts it, on each host of the Swarm"
        );
        Ok(())
    }
}

/// Builds the program, and lays out the directory that Docker makes plugins of.
pub(crate) fn tree() -> Result<PathBuf> {
    let mut command = cargo();
    // On its own in its root file system, it finds no library to link.
    command.args(["rustc", "--release", "-p", "contiv-plugin"]);
    command.args(["--", "-C", "target-feature=+crt-static"]);
    shell::run(&mut command)?;
    let tree = target().join("plugin");
    let files = tree.join("rootfs");
    fs::create_dir_all(&files).with_context(|| format!("make {}", files.display()))?;
    let program = target().join("release/contiv-plugin");
    let to = files.join("contiv-plugin");
    fs::copy(&program, &to).with_context(|| format!("copy {}", program.display()))?;
    let config = root().join("packaging/plugin/config.json");
    let to = tree.join("config.json");
    fs::copy(&config, &to).with_context(|| format!("copy {}", config.display()))?;
    Ok(tree)
}
