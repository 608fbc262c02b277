//! A process that runs in a host until it is told otherwise.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait_for;

/// A running process of a host; it is killed when this value is dropped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: SharedChild,
    log: PathBuf,
}

/// A child that its host knows as well, so that nothing outlives the host.
#[derive(Debug, Clone)]
pub(crate) struct SharedChild(Arc<Mutex<Child>>);

impl SharedChild {
    pub(crate) fn new(child: Child) -> Self {
        Self(Arc::new(Mutex::new(child)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Child> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Kills the process and waits for its end; harmless when it has ended.
    pub(crate) fn kill(&self) {
        let mut child = self.lock();
        child.kill().ok();
        child.wait().ok();
    }
}

impl Daemon {
    pub(crate) fn new(name: &str, child: SharedChild, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// The process id as the test (not the host) sees it.
    pub fn pid(&self) -> u32 {
        self.child.lock().id()
    }

    /// How the process ended, or `None` while it runs.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.child.lock().try_wait().ok().flatten()
    }

    /// Sends a signal and returns at once.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid().cast_signed());
        kill(pid, signal).with_context(|| format!("send {signal} to {}", self.name))
    }

    /// Kills the process (SIGKILL) and waits for its end.
    pub fn kill9(&self) {
        self.child.kill();
    }

    /// Asks the process to end (SIGTERM) and waits for it, at most `limit`.
    pub fn terminate(&self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        wait_for(
            limit,
            &format!("{} to end after SIGTERM", self.name),
            || self.exited().ok_or("still running"),
        )
    }

    /// What the process wrote to its standard output and error so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the log, for error messages.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Where the log is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Kilobytes of the process resident in memory (`VmRSS`).
    pub fn resident_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .context("no VmRSS line")?
            .parse()
            .context("VmRSS is a number")
    }

    /// The number of file descriptors that the process has open.
    pub fn open_files(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.pid());
        Ok(std::fs::read_dir(&path)
            .with_context(|| format!("list {path}"))?
            .count())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill();
    }
}
