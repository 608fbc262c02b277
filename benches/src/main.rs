//! Contiv beside its alternatives, in one run: `make bench`.
//!
//! [`suite`] says what is compared and which bar ours has to meet; [`path`] builds the ways between
//! two ends, [`load`] drives them, [`start`] times containers from the first API call to the first
//! packet, [`agent`] looks at netplugin itself. [`run`] alternates all of them and fills
//! [`readings`], which [`report`] turns into `REPORT.md`. [`packets`], [`changes`], [`firewalls`],
//! [`neighbour`] and [`instructions`] each write a [`section`] of it: what many rules cost. [`addresses`] loads masters on etcd. Everything happens in namespaces of its
//! own, and nothing here fails because a figure is bad: figures are read, not asserted.

mod addresses;
mod agent;
mod changes;
mod firewalls;
mod instructions;
mod load;
mod machine;
mod metrics;
mod neighbour;
mod overlay;
mod packets;
mod parts;
mod path;
mod plan;
mod policy;
mod programs;
mod progress;
mod readings;
mod remotes;
mod report;
mod rules;
mod run;
mod section;
mod site;
mod start;
mod stats;
mod suite;
mod turns;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use plan::{Part, Plan};

/// Compares Contiv with its alternatives on this machine, and writes a report
///
/// All contenders take turns in one run, in namespaces of their own; nothing of the machine's own
/// network is touched. All of it takes about 20 minutes on two processors that have nothing else to
/// do, which is what figures need. Root is needed, and what `make setup` installs.
#[derive(Debug, Parser)]
#[command(
    name = "contiv-bench",
    after_long_help = "How figures come about stands at the head of the report. All that was read goes to \
                       target/bench/readings.json, lap by lap.\n\n\
                       A netmaster and a thousand simulated hosts: `make bench-hosts`."
)]
struct Cli {
    /// How many rounds are measured, over which intervals are drawn; `packets` takes twice as many
    ///
    /// Less than ten say little: intervals are of the rounds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Little of everything, to see that it runs; the report stays in the target directory
    ///
    /// One round of one lap, three container starts, and short turns. Three minutes.
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,

    /// Only a veth pair beside a bridge, which need no engine and no Contiv; figures go to the terminal
    #[arg(long)]
    bare: bool,

    /// Build nothing: use netmaster, netplugin and netctl as they lie beside this program
    #[arg(long)]
    no_build: bool,

    /// Measure only these, one after the other; the report stays in the target directory
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,

    /// The same as naming one part
    #[arg(long, value_enum)]
    only: Option<Part>,

    /// Where the report goes [default: benches/REPORT.md when all of it was measured in full, else
    /// target/bench/REPORT.md]
    ///
    /// What stands in it below "Causes of shortfalls", which is written by hand, is kept.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut plan = if cli.quick {
        Plan::quick()
    } else {
        Plan::full(cli.rounds.into())
    };
    let parts: Vec<Part> = cli.parts.iter().copied().chain(cli.only).collect();
    if !parts.is_empty() {
        plan.restrict(&parts);
    }
    let done = match cli.bare {
        true => run::bare(&plan),
        false => whole(&cli, &plan),
    };
    ended(done)
}

fn ended(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("contiv-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn whole(cli: &Cli, plan: &Plan) -> anyhow::Result<()> {
    if !cli.no_build {
        programs::build()?;
    }
    let place = cli.report.clone();
    run::whole(
        plan,
        &place.unwrap_or_else(|| {
            report::place(!cli.quick && cli.only.is_none() && cli.parts.is_empty())
        }),
    )
}
