//! `test` and `test-all`: suites, each with a budget of time.

mod suite;

use anyhow::{Result, bail};
use clap::Args;

use crate::build::cargo;
use crate::fuzz::Fuzz;
use crate::kernels::Kernels;
use crate::older::Older;
use crate::plugin;
use crate::schemathesis::Schemathesis;
use crate::setup::Setup;
use crate::shell::want_root;
use suite::{Report, Suite};

/// The package of the stories that need real engines, which run one at a time.
const STORIES: &str = "contiv-e2e";

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Install nothing: everything that is needed is there.
    #[arg(long)]
    no_setup: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestAll {
    #[command(flatten)]
    test: Test,
}

impl Test {
    pub(crate) fn run(&self) -> Result<()> {
        want_root("test")?;
        if !self.no_setup {
            Setup { test: true }.run()?;
        }
        let mut report = Report::default();
        self.suites(&mut report);
        report.finish()
    }

    fn suites(&self, report: &mut Report) {
        for suite in [format(), lint(), build(), units()] {
            report.run(&suite);
        }
        report.task("REST under random requests", 3, || {
            Schemathesis { examples: 15 }.run()
        });
        report.task("managed plugin", 1, || plugin::tree().map(drop));
        report.run(&stories());
        report.run(&cluster());
        report.run(&swarm());
    }
}

impl TestAll {
    pub(crate) fn run(&self) -> Result<()> {
        want_root("test-all")?;
        Setup { test: true }.run()?;
        let mut report = Report::default();
        self.test.suites(&mut report);
        report.run(&slow());
        if report.task("older version, built", 12, || Older {}.run()) {
            report.run(&older());
        }
        report.run(&simulation());
        report.task("REST under many random requests", 20, || {
            Schemathesis { examples: 200 }.run()
        });
        report.task("fuzz targets", 12, || {
            Fuzz {
                filter: None,
                seconds: 30,
            }
            .run()
        });
        report.task("Debian's 6.1 kernel", 45, || Kernels::default().run());
        report.finish()
    }
}

fn format() -> Suite {
    suite("format", 1, "fmt --all --check")
}

fn lint() -> Suite {
    let line = "clippy --workspace --all-targets -- -D warnings";
    suite("lint", 5, line)
}

fn build() -> Suite {
    // Everything in one go, so that features are unified once and nothing is built twice.
    suite("build", 7, "build --workspace --all-targets")
}

fn units() -> Suite {
    let line = format!("test --workspace --exclude {STORIES} --no-fail-fast");
    suite("units, properties, conformance", 12, &line)
}

fn stories() -> Suite {
    let line = format!("test -p {STORIES} --test stories --no-fail-fast -- --test-threads=1");
    suite("stories", 10, &line)
}

/// Three hosts of everything; the longer ones of their stories are slow tests.
fn cluster() -> Suite {
    let line = format!("test -p {STORIES} --test cluster --no-fail-fast -- --test-threads=1");
    suite("stories of a cluster", 4, &line)
}

/// Two engines in one Swarm, by the managed plugin; the longer one of its stories is a slow test.
fn swarm() -> Suite {
    let line = format!("test -p {STORIES} --test swarm --no-fail-fast -- --test-threads=1");
    suite("stories of a Swarm", 4, &line)
}

/// Tests that are too slow for every run are marked `#[ignore = "slow: …"]`.
fn slow() -> Suite {
    let line = "test --workspace --no-fail-fast -- --ignored --test-threads=1";
    suite("slow tests", 60, line)
}

/// This version and an older one beside each other; none of its tests is marked as slow.
fn older() -> Suite {
    let line = format!("test -p {STORIES} --test older --no-fail-fast -- --test-threads=1");
    suite("stories of two versions", 6, &line)
}

/// Clusters in virtual time, by many more seeds than every run has.
fn simulation() -> Suite {
    let line = "run --release --quiet -p contiv-simulation -- --seeds 20000";
    suite("simulated clusters", 30, line)
}

/// A run of cargo with the words of `line`.
fn suite(name: &'static str, minutes: u64, line: &str) -> Suite {
    let mut command = cargo();
    command.args(line.split_whitespace());
    Suite {
        name,
        minutes,
        command,
    }
}

/// Fails with the names of what failed.
fn conclude(failed: &[&str]) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}
