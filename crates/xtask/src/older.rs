//! `older`: the programs as an earlier state of this repository builds them, for stories of
//! versions that meet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::cargo;
use crate::layout::{root, target};
use crate::shell::{self, capture, succeeds};

/// Earlier states, each by the name that stories have for it. Why these:
/// docs/adr/0016-layouts-and-versions.md.
///
/// `single` is the last one before there were clusters: tables of layout 1, a store whose contents
/// have version 1, and an agent that takes no words but its own. `cluster` has several hosts and
/// masters on etcd, and lacks what was added to the stream since.
const STATES: [State; 2] = [
    State {
        name: "single",
        commit: "ad66e45458dd9a62fb42a1ed6b170980f65ff902",
    },
    State {
        name: "cluster",
        commit: "7f91be871974f7ceef3bf3125db094e7bef2be3b",
    },
];

const PROGRAMS: [&str; 3] = ["netmaster", "netplugin", "netctl"];

/// Which commit the programs beside it are of.
const NOTE: &str = "commit";

#[derive(Debug, Args)]
pub(crate) struct Older {}

struct State {
    name: &'static str,
    commit: &'static str,
}

impl Older {
    /// Builds what is not there yet.
    pub(crate) fn run(&self) -> Result<()> {
        let cargos = place().join("build");
        STATES.iter().try_for_each(|state| state.build(&cargos))?;
        // Some gigabytes that nobody needs any more.
        fs::remove_dir_all(&cargos).ok();
        Ok(())
    }
}

impl State {
    /// `cargos` is the directory of Cargo's, where states share what they have in common.
    fn build(&self, cargos: &Path) -> Result<()> {
        let place = place().join(self.name);
        if self.is_built(&place) {
            println!("  {} is built in {}", self.name, place.display());
            return Ok(());
        }
        let source = place.join("source");
        fs::remove_dir_all(&place).ok();
        self.check_out(&source)?;
        let mut build = cargo();
        build
            .current_dir(&source)
            .args(["build", "--locked", "--target-dir"])
            .arg(cargos);
        for program in PROGRAMS {
            build.args(["-p", program]);
        }
        shell::run(&mut build)?;
        for program in PROGRAMS {
            let built = cargos.join("debug").join(program);
            fs::copy(&built, place.join(program))
                .with_context(|| format!("copy {}", built.display()))?;
        }
        fs::write(place.join(NOTE), self.commit)?;
        fs::remove_dir_all(&source).with_context(|| format!("remove {}", source.display()))
    }

    fn is_built(&self, place: &Path) -> bool {
        let note = fs::read_to_string(place.join(NOTE));
        let all = PROGRAMS.iter().all(|name| place.join(name).is_file());
        all && note.is_ok_and(|commit| commit == self.commit)
    }

    /// Takes the state's files out of the history.
    fn check_out(&self, source: &Path) -> Result<()> {
        let repository = root().to_string_lossy();
        let known = format!("{}^{{commit}}", self.commit);
        if !succeeds("git", &["-C", &*repository, "cat-file", "-e", &known]) {
            bail!(
                "the history here has no commit {}, of which the older version is built: use a \
                 clone with all of its history (git fetch --unshallow); a copy without any cannot \
                 prove that versions work with each other",
                self.commit
            );
        }
        fs::create_dir_all(source).with_context(|| format!("create {}", source.display()))?;
        let archive = source.join("all.tar");
        let file = archive.to_string_lossy();
        let line = [
            "-C",
            &*repository,
            "archive",
            "--output",
            &*file,
            self.commit,
        ];
        capture("git", &line)?;
        shell::run(
            Command::new("tar")
                .arg("-C")
                .arg(source)
                // Files as old as their commit would be taken for those of the state that was built
                // before: it is all one to Cargo which of two directories a workspace is in.
                .arg("--touch")
                .arg("-xf")
                .arg(&archive),
        )?;
        fs::remove_file(&archive).context("remove the archive")
    }
}

fn place() -> PathBuf {
    target().join("older")
}
