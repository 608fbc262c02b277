//! A cluster of real etcd members in one network namespace.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Netns, wait_for};

/// Clusters of one process have directories of their own.
static CLUSTERS: AtomicU32 = AtomicU32::new(0);

/// Members that run, at `127.0.0.N:2379` in their namespace; all end with this value.
#[derive(Debug)]
pub struct Etcd {
    netns: Netns,
    dir: PathBuf,
    arguments: Vec<String>,
    members: Mutex<Vec<Option<Child>>>,
}

impl Etcd {
    /// Starts `count` members, and waits until they serve.
    pub fn start(netns: &Netns, count: u8) -> Result<Etcd> {
        Etcd::start_with(netns, count, &[])
    }

    /// The same with further arguments for each member.
    pub fn start_with(netns: &Netns, count: u8, arguments: &[&str]) -> Result<Etcd> {
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("ctvt-etcd-{}-{number}", std::process::id());
        let etcd = Etcd {
            netns: netns.clone(),
            dir: std::env::temp_dir().join(name),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            members: Mutex::new((0..count).map(|_| None).collect()),
        };
        for member in 0..count {
            etcd.launch(member)?;
        }
        for member in 0..count {
            etcd.wait(member)?;
        }
        Ok(etcd)
    }

    /// `host:port` of every member.
    pub fn endpoints(&self) -> Vec<String> {
        let count = self.members().len();
        (0..count)
            .map(|n| format!("127.0.0.{}:2379", n + 1))
            .collect()
    }

    /// The address that a netmaster in the namespace gives its store by.
    pub fn url(&self) -> String {
        format!("etcd://{}", self.endpoints().join(","))
    }

    /// Starts a member again, with its data, and waits until it serves.
    pub fn restart(&self, member: u8) -> Result<()> {
        self.launch(member)?;
        self.wait(member)
    }

    /// Starts a member again without waiting for it, since alone it may not serve.
    pub fn launch(&self, member: u8) -> Result<()> {
        self.kill9(member);
        std::fs::create_dir_all(&self.dir)?;
        let (client, peer) = (url(member, 2379), url(member, 2380));
        let count = self.members().len();
        let all = (0..count).filter_map(|n| u8::try_from(n).ok());
        let all = all.map(|n| format!("m{n}={}", url(n, 2380)));
        let log = std::fs::File::create(self.dir.join(format!("m{member}.log")))?;
        let mut command = self.netns.command("etcd");
        command
            .args(["--name", &format!("m{member}")])
            .arg("--data-dir")
            .arg(self.dir.join(format!("m{member}")))
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &all.collect::<Vec<_>>().join(",")])
            .args(["--logger", "zap", "--log-level", "warn"])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        let child = command
            .spawn()
            .context("start etcd (make setup installs it)")?;
        self.members()[usize::from(member)] = Some(child);
        Ok(())
    }

    /// Kills a member (SIGKILL); harmless when it has ended.
    pub fn kill9(&self, member: u8) {
        if let Some(mut child) = self.members()[usize::from(member)].take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Sends a signal to a member, such as SIGSTOP.
    pub fn signal(&self, member: u8, signal: Signal) -> Result<()> {
        let members = self.members();
        let child = members[usize::from(member)].as_ref();
        let child = child.context("the member does not run")?;
        kill(Pid::from_raw(child.id().cast_signed()), signal).context("send a signal to etcd")
    }

    /// Waits until a member answers that it is healthy.
    pub fn wait(&self, member: u8) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, member + 1), 2379));
        let what = format!("etcd member {member} to serve");
        wait_for(Duration::from_secs(30), &what, || {
            let reply = self.netns.enter(|| healthy(address))?;
            match reply {
                Ok(true) => Ok(()),
                Ok(false) => bail!("it is not healthy: {}", self.log_tail(member)),
                Err(error) => bail!("{error}: {}", self.log_tail(member)),
            }
        })
    }

    fn log_tail(&self, member: u8) -> String {
        let log = std::fs::read_to_string(self.dir.join(format!("m{member}.log")));
        let log = log.unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    fn members(&self) -> std::sync::MutexGuard<'_, Vec<Option<Child>>> {
        let members = self.members.lock();
        members.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn url(member: u8, port: u16) -> String {
    format!("http://127.0.0.{}:{port}", member + 1)
}

/// Asks `/health`, which needs a majority of the members.
fn healthy(address: SocketAddr) -> std::io::Result<bool> {
    use std::io::{Read, Write};
    let limit = Duration::from_secs(5);
    let mut socket = TcpStream::connect_timeout(&address, limit)?;
    socket.set_read_timeout(Some(limit))?;
    socket.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
    let mut reply = String::new();
    socket.read_to_string(&mut reply)?;
    Ok(reply.contains("\"true\""))
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let count = self.members().len();
        for member in (0..count).filter_map(|n| u8::try_from(n).ok()) {
            self.kill9(member);
        }
        if std::env::var_os("CONTIV_KEEP_LOGS").is_none() {
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}
