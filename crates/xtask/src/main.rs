//! What `make` calls: one file for each command, and what they share beside them.
//!
//! Start at the command's file; `layout` says where things are, `shell` runs programs, `process`
//! keeps daemons by pid file, `traces` knows everything that a running Contiv leaves on a machine.

mod build;
mod demo;
mod down;
mod engine;
mod firewall;
mod fuzz;
mod image;
mod kernels;
mod layout;
mod older;
mod plugin;
mod process;
mod schemathesis;
mod setup;
mod shell;
mod test;
mod traces;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what building and running need (with --test: what testing needs as well).
    Setup(setup::Setup),
    /// Build, and start netmaster and netplugin beside a Docker engine.
    Up(up::Up),
    /// Remove every trace of `up` and `demo`.
    Down(down::Down),
    /// `up`, then the tutorial, step by step, stopping at the first surprise.
    Demo(demo::Demo),
    /// Everything that proves the tree, within its time budget.
    Test(test::Test),
    /// `test`, and the suites that take longer.
    TestAll(test::TestAll),
    /// The managed plugin for Docker Swarm, contiv/netplugin:TAG.
    Plugin(plugin::Plugin),
    /// The data plane under Debian 12's own kernel, in a virtual machine.
    TestKernels(kernels::Kernels),
    /// Programs of an earlier state of the repository, for stories of versions that meet.
    Older(older::Older),
    /// Random requests against a running netmaster: none may end in a 5xx.
    Schemathesis(schemathesis::Schemathesis),
    /// Anything at all, thrown at parsers and tables; finds what no test thought of.
    Fuzz(fuzz::Fuzz),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup(task) => task.run(),
        Task::Up(task) => task.run(),
        Task::Down(task) => task.run(),
        Task::Demo(task) => task.run(),
        Task::Test(task) => task.run(),
        Task::TestAll(task) => task.run(),
        Task::Plugin(task) => task.run(),
        Task::TestKernels(task) => task.run(),
        Task::Older(task) => task.run(),
        Task::Schemathesis(task) => task.run(),
        Task::Fuzz(task) => task.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
