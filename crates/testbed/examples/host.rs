//! Runs a command on a host of its own, with a way to the world: a place to try things out.
//!
//! `cargo run -p contiv-testbed --example host -- bash`
use std::process::{Command, ExitCode};

use contiv_testbed::{Host, World};

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new(words.next().unwrap_or_else(|| "sh".into()));
    command.args(words);
    let world = World::new()?;
    let host = Host::new("try")?;
    world.attach(&host)?;
    let status = host.attach(command)?;
    Ok(ExitCode::from(
        u8::try_from(status.code().unwrap_or(1)).unwrap_or(1),
    ))
}
