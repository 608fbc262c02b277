//! A host: namespaces, a disk, and processes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::SharedChild;
use crate::holder::{Holder, namespace};
use crate::sweep::{self, PREFIX};
use crate::{Daemon, Netns, cgroups, wait_for};

/// How long a command of a test may run.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// A machine of the test: its own network, mounts, processes and host name.
///
/// `/run`, `/proc`, `/sys/fs/bpf` and changes below `/var/lib` are private to it. Clones are the
/// same host; with the last one go all processes, mounts, links, control groups and files.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    dir: PathBuf,
    holder: Mutex<Holder>,
    pid: libc::pid_t,
    children: Mutex<Vec<SharedChild>>,
    logs: Mutex<HashMap<String, u32>>,
    /// Whether the disk is another run's by now.
    rebooted: AtomicBool,
}

impl Host {
    /// Makes a host; `label` (letters and digits) becomes part of its unique name.
    pub fn new(label: &str) -> Result<Self> {
        static SWEEP: std::sync::Once = std::sync::Once::new();
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        SWEEP.call_once(|| {
            sweep::sweep();
        });
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{label}", std::process::id());
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Self::boot(name, dir, HashMap::new())
    }

    /// Ends whatever runs here, as a loss of power does, and starts the host anew on its disk:
    /// with an empty `/run`, no link but the loopback, and another boot id. The value that this
    /// is called on, and its clones, stand for what has ended.
    pub fn reboot(&self) -> Result<Self> {
        self.0.end();
        self.0.rebooted.store(true, Ordering::Relaxed);
        let mut logs = self.0.logs.lock().unwrap_or_else(PoisonError::into_inner);
        Self::boot(
            self.0.name.clone(),
            self.0.dir.clone(),
            std::mem::take(&mut logs),
        )
    }

    fn boot(name: String, dir: PathBuf, logs: HashMap<String, u32>) -> Result<Self> {
        let holder = match Holder::start(&name, &dir) {
            Ok(holder) => holder,
            Err(error) => {
                fs::remove_dir_all(&dir).ok();
                return Err(error);
            }
        };
        let pid = holder.pid();
        let host = Self(Arc::new(Inner {
            name,
            dir,
            holder: Mutex::new(holder),
            pid,
            children: Mutex::default(),
            logs: Mutex::new(logs),
            rebooted: AtomicBool::new(false),
        }));
        host.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// The unique name, which is also the host name inside.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The host's directory on the machine's disk; removed with the host.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The process that holds the namespaces, for `nsenter -t` while debugging.
    pub fn holder_pid(&self) -> i32 {
        self.0.pid
    }

    /// The machine's path of the host's absolute path `inside`.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        PathBuf::from(format!("/proc/{}/root", self.0.pid)).join(relative)
    }

    /// The host's own network namespace.
    pub fn netns(&self) -> Result<Netns> {
        Netns::of_pid(self.0.pid)
    }

    /// The network namespace of a process whose id is `pid` inside the host.
    pub fn netns_of(&self, pid: i32) -> Result<Netns> {
        Netns::at(self.path(format!("/proc/{pid}/ns/net")))
    }

    /// Runs a command in the host and returns its standard output; a failure is an error that
    /// quotes it.
    pub fn run<S: AsRef<OsStr>>(&self, argv: &[S]) -> Result<String> {
        let output = self.output(argv)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let words: Vec<_> = argv
            .iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect();
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{}: {}: {} {}",
            words.join(" "),
            output.status,
            stderr.trim(),
            stdout.trim()
        )
    }

    /// Runs a command in the host to its end, whatever its exit code.
    pub fn output<S: AsRef<OsStr>>(&self, argv: &[S]) -> Result<Output> {
        let (program, args) = argv.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command.args(args);
        self.output_of(command)
    }

    /// Runs a prepared command in the host to its end.
    pub fn output_of(&self, mut command: Command) -> Result<Output> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let what = format!("{command:?} to end");
        let mut child = self.start(command)?;
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let status = wait_for(COMMAND_LIMIT, &what, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("still running".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        if status.is_err() {
            child.kill().ok();
            child.wait().ok();
        }
        let bytes = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
        Ok(Output {
            status: status?,
            stdout: bytes(stdout),
            stderr: bytes(stderr),
        })
    }

    /// Starts a command that keeps running; its output goes to a log named after `name`.
    pub fn spawn(&self, name: &str, mut command: Command) -> Result<Daemon> {
        let count = {
            let mut logs = self.0.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let count = logs.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        let path = self.0.dir.join(format!("{name}.{count}.log"));
        let log = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = SharedChild::new(self.start(command)?);
        self.0
            .children
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(child.clone());
        Ok(Daemon::new(name, child, path))
    }

    /// Runs a command in the host with the test's own terminal and without a limit of time.
    pub fn attach(&self, command: Command) -> Result<ExitStatus> {
        Ok(self.start(command)?.wait()?)
    }

    /// Starts a command in all of the host's namespaces.
    fn start(&self, mut command: Command) -> Result<Child> {
        let pid_ns = namespace(self.0.pid, "pid")?;
        let rest: Vec<_> = ["net", "uts", "ipc", "mnt"]
            .iter()
            .map(|kind| namespace(self.0.pid, kind))
            .collect::<Result<_>>()?;
        for name in [
            "DOCKER_HOST",
            "DOCKER_CONTEXT",
            "NOTIFY_SOCKET",
            "NETMASTER",
        ] {
            command.env_remove(name);
        }
        command.env("DOCKER_CONFIG", self.0.dir.join("docker-client"));
        // SAFETY: the closure makes only system calls on descriptors that it owns.
        unsafe {
            command.pre_exec(move || {
                for fd in &rest {
                    if libc::setns(fd.as_raw_fd(), 0) != 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        // A thread of its own: entering a process namespace redirects where the caller's later
        // children are born.
        let program = command.get_program().to_owned();
        std::thread::spawn(move || {
            // SAFETY: takes no pointers; the descriptor is open.
            if unsafe { libc::setns(pid_ns.as_raw_fd(), libc::CLONE_NEWPID) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
            command.spawn()
        })
        .join()
        .map_err(|_| anyhow::anyhow!("the starting thread panicked"))?
        .with_context(|| format!("start {} in {}", program.display(), self.0.name))
    }
}

/// Reads a pipe to its end beside the caller, so that a talkative command never blocks.
fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).ok();
        }
        bytes
    })
}

impl Inner {
    /// Ends every process; harmless when that was done before.
    fn end(&self) {
        // The holder's end waits for every process of the host, and ours are ours to wait for.
        let children =
            std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        for child in children.iter().rev() {
            child.kill();
        }
        self.holder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .end();
        cgroups::remove(&self.name);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.rebooted.get_mut() {
            return;
        }
        self.end();
        if std::env::var_os("CONTIV_KEEP_LOGS").is_none() {
            remove_dir(&self.dir);
        }
    }
}

/// Removes a directory, again while the kernel still lets go of mounts below it.
pub(crate) fn remove_dir(dir: &Path) {
    let gone =
        wait_for(
            Duration::from_secs(5),
            "the host's files to go",
            || match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        );
    if let Err(error) = gone {
        eprintln!("left over: {}: {error:#}", dir.display());
    }
}

/// A program of this workspace, built into the directory that the running test was built into.
pub fn bin(name: &str) -> Result<PathBuf> {
    let exe = std::env::current_exe().context("where this test is")?;
    let dir = exe.ancestors().find(|dir| dir.join(name).is_file());
    let dir = dir.with_context(|| format!("{name} is not built: run `cargo build -p {name}`"))?;
    Ok(dir.join(name))
}
