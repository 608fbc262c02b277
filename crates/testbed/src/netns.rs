//! A network namespace, and ways to act in it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns, unshare};

use crate::holder::namespace;

/// A handle that keeps a network namespace alive and lets the test act in it.
///
/// A socket stays in the namespace that it was opened in, so it can be used anywhere afterwards.
#[derive(Debug, Clone)]
pub struct Netns(Arc<OwnedFd>);

impl Netns {
    /// Makes a namespace with nothing but a loopback device, which is up.
    pub fn new() -> Result<Self> {
        let made = std::thread::spawn(|| -> Result<OwnedFd> {
            unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace (needs root)")?;
            Ok(File::open("/proc/thread-self/ns/net")?.into())
        })
        .join();
        let fd = made.map_err(|_| anyhow::anyhow!("the namespace's thread panicked"))??;
        let netns = Self(Arc::new(fd));
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    /// The namespace of a process, by its id as the test sees it.
    pub fn of_pid(pid: i32) -> Result<Self> {
        Ok(Self(Arc::new(namespace(pid, "net")?)))
    }

    /// The namespace that a file stands for, such as a container's sandbox key.
    pub fn at(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self(Arc::new(file.into())))
    }

    /// Runs `act` on a thread of its own inside the namespace.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            scope
                .spawn(|| -> Result<T> {
                    setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).context("enter a namespace")?;
                    Ok(act())
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace (with the test's own mounts).
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let fd = Arc::clone(&self.0);
        let mut command = Command::new(program);
        // SAFETY: the closure makes one system call on a descriptor that it keeps open.
        unsafe {
            command.pre_exec(
                move || match libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                },
            );
        }
        command
    }

    /// Runs a command line (split at blanks) inside the namespace; returns its output.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let output = self
            .command(words.next().context("an empty command")?)
            .args(words)
            .output();
        let output = output.with_context(|| format!("run {line}"))?;
        if !output.status.success() {
            bail!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `ip` with the words of `line`.
    pub fn ip(&self, line: &str) -> Result<String> {
        self.run(&format!("ip {line}"))
    }

    /// Moves a link to another namespace.
    pub fn hand(&self, link: &str, to: &Netns) -> Result<()> {
        let there = format!("/proc/{}/fd/{}", std::process::id(), to.0.as_raw_fd());
        self.ip(&format!("link set {link} netns {there}")).map(drop)
    }

    /// Joins this namespace to another by a veth pair, `name` here and `peer_name` there, both up.
    pub fn veth(&self, name: &str, peer: &Netns, peer_name: &str) -> Result<()> {
        // iproute2 takes any path for a namespace; the peer's descriptor is one of ours.
        let there = format!("/proc/{}/fd/{}", std::process::id(), peer.0.as_raw_fd());
        self.ip(&format!(
            "link add {name} type veth peer name {peer_name} netns {there}"
        ))?;
        self.ip(&format!("link set {name} up"))?;
        peer.ip(&format!("link set {peer_name} up"))?;
        Ok(())
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
