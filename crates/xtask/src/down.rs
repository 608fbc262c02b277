//! `down`: remove every trace of `up`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::layout::{DATA, UP, up_file};
use crate::shell::{capture, succeeds, want_root};
use crate::up::{BPFFS_NOTE, NETMASTER, NETPLUGIN, PROGRAMS_NOTE};
use crate::{engine, image, traces};

#[derive(Debug, Args)]
pub(crate) struct Down {}

/// What could not be undone.
#[derive(Debug, Default)]
struct Undo {
    failures: Vec<String>,
}

impl Down {
    /// Goes on after a failure, so that as much as possible is removed, and reports all of them.
    pub(crate) fn run(&self) -> Result<()> {
        want_root("down")?;
        if !Path::new(UP).exists() {
            println!("Nothing to remove: `make up` did not run here.");
            return Ok(());
        }
        println!("Remove Contiv:");
        let mut undo = Undo::default();
        // netplugin outlives the rest, so that the engine's calls are answered.
        if engine::answers() {
            undo.step("containers", traces::remove_containers());
        }
        undo.step("netmaster", NETMASTER.stop(Duration::from_secs(15)));
        if engine::answers() {
            undo.step("Docker networks", traces::remove_docker_networks());
        }
        undo.step("netplugin", NETPLUGIN.stop(Duration::from_secs(15)));
        undo.step("netplugin's own", cleanup());
        undo.step("kernel", traces::remove_kernel());
        if engine::answers() && succeeds("docker", &["image", "inspect", image::BUSYBOX]) {
            undo.step(
                "image",
                capture("docker", &["rmi", "-f", image::BUSYBOX]).map(drop),
            );
        }
        undo.step("engine", engine::remove());
        if up_file(BPFFS_NOTE).exists() {
            // Somebody else may use it by now; then it stays.
            succeeds("umount", &["/sys/fs/bpf"]);
        }
        if undo.failures.is_empty() {
            undo.step("files", fs::remove_dir_all(DATA).map_err(Into::into));
            undo.step("what is left", traces::left().and_then(|left| none(&left)));
        }
        if undo.failures.is_empty() {
            println!("Nothing of it is left.");
            return Ok(());
        }
        bail!("some of it is left:\n  {}", undo.failures.join("\n  "))
    }
}

/// Lets netplugin remove what it made in the kernel, if its program is still there.
fn cleanup() -> Result<()> {
    let programs = fs::read_to_string(up_file(PROGRAMS_NOTE)).unwrap_or_default();
    let netplugin = Path::new(&programs).join("netplugin");
    if !netplugin.is_file() {
        return Ok(());
    }
    capture(&netplugin.to_string_lossy(), &["cleanup"]).map(drop)
}

impl Undo {
    fn step(&mut self, what: &str, result: Result<()>) {
        if let Err(error) = result {
            self.failures.push(format!("{what}: {error:#}"));
        }
    }
}

fn none(left: &[String]) -> Result<()> {
    if left.is_empty() {
        Ok(())
    } else {
        bail!("{}", left.join(", "))
    }
}
