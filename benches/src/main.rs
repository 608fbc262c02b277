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
mod packets;
mod path;
mod policy;
mod programs;
mod readings;
mod report;
mod rules;
mod run;
mod section;
mod site;
mod start;
mod stats;
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Compares Contiv with a veth pair, a bridge and Docker's own networks, alternating, and writes a
/// report.
#[derive(Debug, Parser)]
#[command(name = "contiv-bench")]
struct Cli {
    /// How often every contender has its turn
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// One short round, to see that everything runs; its report stays in the target directory
    #[arg(long)]
    quick: bool,

    /// Only the paths that need no engine and no Contiv; figures go to the terminal
    #[arg(long)]
    bare: bool,

    /// Build nothing: use Contiv's programs as they are
    #[arg(long)]
    no_build: bool,

    /// Measure only these; the report stays in the target directory
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<run::Part>,

    /// The same as naming one part
    #[arg(long, value_enum)]
    only: Option<run::Part>,

    /// Where the report goes [default: benches/REPORT.md, when all of it was measured in full]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut plan = if cli.quick {
        run::Plan::quick()
    } else {
        run::Plan::full(cli.rounds.into())
    };
    let parts: Vec<run::Part> = cli.parts.iter().copied().chain(cli.only).collect();
    if parts == [run::Part::Addresses] {
        let (rounds, time) = match cli.quick {
            true => (1, std::time::Duration::from_secs(2)),
            false => (cli.rounds.into(), std::time::Duration::from_secs(5)),
        };
        return ended(addresses::run(rounds, time));
    }
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

fn whole(cli: &Cli, plan: &run::Plan) -> anyhow::Result<()> {
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
