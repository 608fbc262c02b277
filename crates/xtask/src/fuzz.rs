//! `fuzz`: anything at all, thrown at what reads it.
//!
//! The fuzzer is compiler-rt's, linked into each target; the compiler's flags below are what it
//! needs to see which branches an input takes. Any compiler has them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::build::cargo;
use crate::layout::{root, target};
use crate::shell::{self, capture};

/// Branches are counted, comparisons are seen, and what a release would let pass is caught.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks";

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Run only targets whose name contains this word.
    #[arg(value_name = "WORD")]
    pub(crate) filter: Option<String>,
    /// How long each target runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) seconds: u32,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Result<()> {
        let sources = root().join("fuzz");
        let names = targets(&sources.join("fuzz_targets"))?;
        let word = self.filter.as_deref().unwrap_or_default();
        let names: Vec<_> = names.iter().filter(|name| name.contains(word)).collect();
        ensure!(!names.is_empty(), "no target has {word} in its name");
        let machine = machine()?;
        let place = target().join("fuzz");
        let mut build = cargo();
        build
            .args(["build", "--quiet", "--release", "--manifest-path"])
            .arg(sources.join("Cargo.toml"))
            // With a target, flags are not for what runs while building.
            .args(["--target", &machine, "--target-dir"])
            .arg(&place)
            .env("RUSTFLAGS", FLAGS);
        shell::run(&mut build)?;
        for name in names {
            // What was found worth keeping is where the next run begins.
            let corpus = place.join("corpus").join(name);
            fs::create_dir_all(&corpus)?;
            let program = place.join(&machine).join("release").join(name);
            let mut run = std::process::Command::new(program);
            run.current_dir(&place)
                .arg(format!("-max_total_time={}", self.seconds))
                .args(["-timeout=10", "-print_final_stats=1", "-verbosity=0"])
                .arg(format!("-artifact_prefix={name}-"))
                .arg(&corpus);
            shell::run(&mut run).with_context(|| format!("{name}: its input is above"))?;
        }
        Ok(())
    }
}

fn targets(sources: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(sources).context("list fuzz targets")?;
    let paths = files.flatten().map(|file| file.path());
    let mut names: Vec<_> = paths
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The compiler's name for this machine.
fn machine() -> Result<String> {
    let about = capture("rustc", &["--version", "--verbose"])?;
    let line = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not name its host")?.to_owned())
}
