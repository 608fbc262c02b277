//! netplugin itself: how soon it is ready, and how much memory it holds.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contiv_testbed::{Daemon, Stack, bin, unix_request};

/// The driver's socket, inside the host.
const SOCKET: &str = "/run/docker/plugins/netplugin.sock";

/// How long the agent may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What the agent finds in the kernel when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finds {
    /// Nothing: programs are loaded, maps made.
    Nothing,
    /// All that the one before left.
    Everything,
}

/// Milliseconds from the agent's start to its first answer to the engine with the masters' stream
/// up. The stack's own agent must have been killed before.
pub(crate) fn ready(stack: &Stack, finds: Finds) -> Result<f64> {
    if finds == Finds::Nothing {
        let program = bin("netplugin")?;
        stack.host.run(&[program.as_os_str(), "cleanup".as_ref()])?;
    }
    let mut command = Command::new(bin("netplugin")?);
    command.args(["--netmaster", "http://127.0.0.1:9999"]);
    let begin = Instant::now();
    let agent = stack.host.spawn("netplugin-timed", command)?;
    while !answers(stack) {
        if let Some(status) = agent.exited() {
            bail!("netplugin ended ({status}):\n{}", agent.log_tail(10));
        }
        if begin.elapsed() > LIMIT {
            bail!(
                "netplugin is not ready after {LIMIT:?}:\n{}",
                agent.log_tail(10)
            );
        }
        pause();
    }
    let took = begin.elapsed();
    agent.terminate(LIMIT)?;
    Ok(took.as_secs_f64() * 1e3)
}

/// Mebibytes that a daemon has resident.
pub(crate) fn resident_mib(daemon: &Daemon) -> Result<f64> {
    let kib = daemon.resident_kib().context("memory of a daemon")?;
    Ok(kib as f64 / 1024.0)
}

/// Whether the agent answers the engine, and follows its master.
pub(crate) fn answers(stack: &Stack) -> bool {
    let limit = Duration::from_secs(2);
    let socket = stack.host.path(SOCKET);
    let activate = unix_request(&socket, "POST", "/Plugin.Activate", None, limit);
    activate.is_ok_and(|reply| reply.status == 200)
        && stack
            .metric(true, "contiv_netplugin_stream_connected")
            .is_ok_and(|connected| connected == 1.0)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the pause of a loop that polls; the testbed's is too long to time with"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}
