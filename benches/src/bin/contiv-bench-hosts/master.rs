//! The netmaster that is measured.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

use crate::Change;

/// A netmaster of this run's own; killed at its end.
pub(crate) struct Master {
    child: Child,
    pub(crate) address: String,
    _data: tempfile::TempDir,
}

/// What a process has used.
pub(crate) struct Spent {
    /// Resident, in bytes.
    pub(crate) memory: u64,
    pub(crate) processor: Duration,
    written: u64,
    at: Instant,
}

impl Master {
    pub(crate) fn start(program: &PathBuf) -> Result<Master> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .arg("--data-dir")
            .arg(data.path())
            .args(["--listen-url", "127.0.0.1:0", "--log-level", "info"])
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {}", program.display()))?;
        let mut log = BufReader::new(child.stderr.take().context("a pipe")?);
        let address = loop {
            let mut line = String::new();
            anyhow::ensure!(log.read_line(&mut line)? > 0, "netmaster did not get ready");
            if let Some((_, rest)) = line.split_once("is ready address=") {
                break rest.split(' ').next().unwrap_or_default().to_owned();
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Master {
            child,
            address,
            _data: data,
        })
    }

    pub(crate) fn spent(&self) -> Result<Spent> {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let number = |text: &str, field: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let (status, io, stat) = (of("status")?, of("io")?, of("stat")?);
        let fields = stat.rsplit_once(") ").context("stat")?.1;
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|t| t.parse::<u64>().ok())
            .sum();
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks of the clock")?;
        Ok(Spent {
            memory: number(&status, "VmRSS:").context("VmRSS")? << 10,
            processor: Duration::from_millis(ticks * 1_000 / u64::try_from(per_second)?),
            written: number(&io, "wchar:").context("wchar")?,
            at: Instant::now(),
        })
    }

    pub(crate) fn tell(
        &self,
        what: &str,
        mut times: Vec<Duration>,
        rounds: usize,
        before: &Spent,
    ) -> Result<Change> {
        let now = self.spent()?;
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let took = now.at.duration_since(before.at);
        let rounds = rounds.max(1);
        let change = Change {
            median: at(50),
            most: at(99),
            last: at(100),
            processor: (now.processor - before.processor) / u32::try_from(rounds)?,
            written: (now.written - before.written) / u64::try_from(rounds)?,
        };
        println!(
            "{what}: median {:.1?}, 99 % {:.1?}, last {:.1?}, in {:.1?}",
            change.median,
            change.most,
            change.last,
            took / u32::try_from(rounds)?,
        );
        Ok(change)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
