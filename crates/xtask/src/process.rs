//! Daemons of `make up`, known by their pid files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::layout::up_file;
use crate::shell::{capture, wait_for};

/// A daemon by its name, whether it runs or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) &'static str);

impl Process {
    fn pid_file(self) -> PathBuf {
        up_file(&format!("{}.pid", self.0))
    }

    /// Where the daemon's output goes.
    pub(crate) fn log(self) -> PathBuf {
        up_file(&format!("{}.log", self.0))
    }

    /// Starts `command` in a session of its own, so that it outlives this terminal.
    pub(crate) fn start(self, command: &Command) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.with_context(|| format!("open {}", self.log().display()))?;
        let mut session = Command::new("setsid");
        session.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let child = session
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        let child = child.with_context(|| format!("start {}", self.0))?;
        fs::write(self.pid_file(), format!("{}\n", child.id()))?;
        println!(
            "  {} runs as process {}, log {}",
            self.0,
            child.id(),
            self.log().display()
        );
        Ok(())
    }

    /// The process id, while a process of this name runs under it.
    pub(crate) fn pid(self) -> Option<u32> {
        let pid = fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // The kernel keeps 15 letters of a name; an ended child of ours may still be listed.
        let name = status
            .lines()
            .find_map(|line| line.strip_prefix("Name:"))?
            .trim();
        let ended = status.lines().any(|line| line.starts_with("State:\tZ"));
        (!ended && self.0.starts_with(name)).then_some(pid)
    }

    /// An error that quotes the log's end when the daemon has ended.
    pub(crate) fn check(self) -> Result<()> {
        if self.pid().is_some() {
            return Ok(());
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(10)..].join("\n");
        bail!(
            "{} has ended; its last words in {}:\n{tail}",
            self.0,
            self.log().display()
        )
    }

    /// Ends the daemon: asks first, and insists after `patience`.
    pub(crate) fn stop(self, patience: Duration) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        println!("  stop {} (process {pid})", self.0);
        let gone = || {
            if self.pid().is_none() {
                Ok(())
            } else {
                bail!("it runs")
            }
        };
        capture("kill", &["-TERM", &pid.to_string()])?;
        if wait_for(patience, &format!("{} to end", self.0), gone).is_err() {
            println!("  {} did not end in {patience:?}: kill it", self.0);
            capture("kill", &["-KILL", &pid.to_string()])?;
            wait_for(Duration::from_secs(10), &format!("{} to die", self.0), gone)?;
        }
        fs::remove_file(self.pid_file()).ok();
        Ok(())
    }
}
