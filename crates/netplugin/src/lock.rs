//! The lock that keeps a host to one agent.
//!
//! A second one would take the programs' events and Docker's sockets away from the first, and leave
//! the engine with nobody to talk to as soon as it ends. The lock is the kernel's (`flock`): it goes
//! with its process, however that ends, and a file that is left behind locks nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::app::DRAIN;
use crate::config::Config;

/// An agent that was told to end may take this long, and the next one is often started meanwhile.
const PATIENCE: Duration = DRAIN.saturating_add(Duration::from_secs(1));

/// Between two tries.
const RETRY: Duration = Duration::from_millis(50);

/// Why this host is not ours.
#[derive(Debug, thiserror::Error)]
pub enum NotAlone {
    /// Somebody else has it.
    #[error(
        "another netplugin{} runs on this host ({} is locked): to give it other settings, write \
         them to /etc/contiv/netplugin.env and say `systemctl restart netplugin`; to run this one \
         instead, stop that one first",
        .pid.as_ref().map(|pid| format!(", pid {pid},")).unwrap_or_default(),
        .file.display()
    )]
    Taken { file: PathBuf, pid: Option<String> },
    /// The lock's file cannot be used.
    #[error("cannot lock {}, beside --swarm-socket: {source}", .file.display())]
    Unusable {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The right to be this host's agent, for as long as the value lives.
#[derive(Debug)]
pub struct HostLock {
    _held: File,
}

impl HostLock {
    /// Takes the host, or waits a few seconds for another agent to end.
    pub fn take(config: &Config) -> Result<HostLock, NotAlone> {
        let directory = config.swarm_socket.parent().unwrap_or(Path::new("/"));
        HostLock::at(&directory.join("netplugin.lock"), PATIENCE)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a loop that polls: a wait in the kernel has no end of its own"
    )]
    fn at(path: &Path, patience: Duration) -> Result<HostLock, NotAlone> {
        let unusable = |source| NotAlone::Unusable {
            file: path.to_owned(),
            source,
        };
        let mut file = open(path).map_err(unusable)?;
        let by = Instant::now() + patience;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < by => {
                    if !told {
                        tracing::info!(
                            pid = holder(&mut file),
                            "waits for another netplugin to end"
                        );
                        told = true;
                    }
                    sleep(RETRY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(NotAlone::Taken {
                        file: path.to_owned(),
                        pid: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
        }
        sign(&mut file).map_err(unusable)?;
        Ok(HostLock { _held: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // Whoever has the lock has its name in there.
        .truncate(false)
        // Others could lock what they can open.
        .mode(0o600)
        .open(path)
}

/// Writes down who has the lock, for the next one to say.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    let pid = text.trim();
    (!pid.is_empty()).then(|| pid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn a_host_has_one_agent_and_the_refusal_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/netplugin.lock");
        let first = HostLock::at(&path, SHORT).unwrap();
        let refused = HostLock::at(&path, SHORT).unwrap_err().to_string();
        let named = format!(
            "another netplugin, pid {}, runs on this host",
            std::process::id()
        );
        assert!(refused.starts_with(&named), "{refused}");
        assert!(refused.contains("systemctl restart netplugin"), "{refused}");
        drop(first);
        HostLock::at(&path, SHORT).unwrap();
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the end has to be late")]
    fn an_agent_that_is_about_to_end_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netplugin.lock");
        let first = HostLock::at(&path, SHORT).unwrap();
        let ending = std::thread::spawn(move || {
            sleep(SHORT);
            drop(first);
        });
        HostLock::at(&path, Duration::from_secs(20)).unwrap();
        ending.join().unwrap();
    }

    #[test]
    fn what_is_left_in_the_file_locks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netplugin.lock");
        fs::write(&path, "4294967295 and more\n").unwrap();
        let _lock = HostLock::at(&path, Duration::ZERO).unwrap();
        let own = format!("{}\n", std::process::id());
        assert_eq!(fs::read_to_string(&path).unwrap(), own);
    }
}
