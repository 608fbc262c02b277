//! A real Docker engine inside a host.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{BUSYBOX_IMAGE, Container, Daemon, Host, Reply, busybox_tree, unix_request, wait_for};

/// The engine's socket, inside the host.
const SOCKET: &str = "/run/docker.sock";
const PIDFILE: &str = "/run/docker.pid";
const EXEC_ROOT: &str = "/run/docker-exec";

/// The version of the engine's API that is spoken.
const API: &str = "/v1.41";

/// How long an engine may take to answer after its start.
const READY: Duration = Duration::from_secs(90);

/// How long one API call may take.
const CALL: Duration = Duration::from_secs(90);

/// What differs between engines of the tests.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Address and prefix length of `docker0`.
    pub bip: String,
    /// Whether containers keep running while the engine is down.
    pub live_restore: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            bip: "172.21.0.1/24".to_owned(),
            live_restore: false,
        }
    }
}

/// A running engine, with [`BUSYBOX_IMAGE`] imported; it ends with this value.
#[derive(Debug)]
pub struct Engine {
    host: Host,
    options: EngineOptions,
    daemon: Option<Daemon>,
}

impl Engine {
    /// Starts an engine in `host` and waits until it answers.
    pub fn start(host: &Host, options: EngineOptions) -> Result<Self> {
        let mut engine = Self::off(host, options);
        engine.up()?;
        engine.import_busybox()?;
        Ok(engine)
    }

    /// An engine that does not run yet, of a host on whose disk one has run before.
    pub(crate) fn off(host: &Host, options: EngineOptions) -> Self {
        Self {
            host: host.clone(),
            options,
            daemon: None,
        }
    }

    /// Starts the engine again after [`Engine::stop`] or [`Engine::kill9`].
    pub fn up(&mut self) -> Result<()> {
        let daemon = self.launch()?;
        let what = format!("the engine of {} to answer", self.host.name());
        let ready = wait_for(READY, &what, || -> Result<()> {
            if let Some(status) = daemon.exited() {
                bail!("dockerd ended ({status})");
            }
            let reply = self.api("GET", "/_ping", None)?;
            if reply.status == 200 {
                Ok(())
            } else {
                bail!("status {}", reply.status)
            }
        });
        if ready.is_err() {
            let tail = daemon.log_tail(15);
            return ready.with_context(|| format!("dockerd said:\n{tail}"));
        }
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Starts `dockerd` without waiting for it to answer.
    fn launch(&self) -> Result<Daemon> {
        let dir = self.host.dir();
        let config = dir.join("daemon.json");
        fs::write(&config, "{}")?;
        // What a killed engine left behind keeps the next one from starting.
        let stale = [
            "containerd/containerd.pid",
            "containerd/docker-containerd.pid",
        ];
        let sockets = [
            "containerd/containerd.sock",
            "containerd/containerd-debug.sock",
        ];
        for name in stale.iter().chain(&sockets) {
            let ttrpc = format!("{EXEC_ROOT}/{name}.ttrpc");
            fs::remove_file(self.host.path(ttrpc)).ok();
            fs::remove_file(self.host.path(format!("{EXEC_ROOT}/{name}"))).ok();
        }
        fs::remove_file(self.host.path(PIDFILE)).ok();
        let mut command = Command::new("dockerd");
        command
            .arg("--config-file")
            .arg(config)
            .arg("--data-root")
            .arg(dir.join("docker"))
            .args(["--exec-root", EXEC_ROOT, "--pidfile", PIDFILE])
            .args(["--host", &format!("unix://{SOCKET}")])
            .args(["--cgroup-parent", &format!("/{}", self.host.name())])
            .args(["--bip", &self.options.bip])
            .args(["--shutdown-timeout", "5"]);
        if self.options.live_restore {
            command.arg("--live-restore");
        }
        self.host.spawn("dockerd", command)
    }

    /// The host that the engine runs in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The `dockerd` process, unless it was stopped.
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// The engine's socket, as a path of the machine.
    pub fn socket(&self) -> PathBuf {
        self.host.path(SOCKET)
    }

    /// Ends the engine in good order.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.terminate(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Stops the engine in good order and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.up()
    }

    /// Kills the engine and its containerd, as a crash would; containers go on.
    pub fn kill9(&mut self) {
        let containerd = self
            .host
            .path(format!("{EXEC_ROOT}/containerd/containerd.pid"));
        let pid = fs::read_to_string(containerd).unwrap_or_default();
        if let Some(daemon) = self.daemon.take() {
            daemon.kill9();
        }
        if !pid.trim().is_empty() {
            // The id is one of the host's process namespace; an error means it has ended already.
            self.host.run(&["kill", "-9", pid.trim()]).ok();
            wait_for(Duration::from_secs(5), "containerd to end", || {
                let gone = !self.host.path(format!("/proc/{}", pid.trim())).exists();
                if gone { Ok(()) } else { Err("still there") }
            })
            .ok();
        }
    }

    /// Runs the `docker` client in the host; a failure is an error that quotes it.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        let mut words = vec!["docker"];
        words.extend(args);
        Ok(self.host.run(&words)?.trim_end().to_owned())
    }

    /// Calls the engine's API; `target` starts after the version, such as `/networks`.
    pub fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Reply> {
        unix_request(
            &self.socket(),
            method,
            &format!("{API}{target}"),
            body,
            CALL,
        )
    }

    /// Calls the engine's API and wants success.
    pub fn api_ok(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value> {
        let reply = self.api(method, target, body)?;
        if !(200..300).contains(&reply.status) {
            bail!("{method} {target}: {} {}", reply.status, reply.text.trim());
        }
        Ok(reply.body)
    }

    /// Runs a container that does nothing on `network`; `args` are further options of `docker run`.
    pub fn run(&self, name: &str, network: &str, args: &[&str]) -> Result<Container> {
        let mut words = vec!["run", "-d", "--name", name, "--network", network];
        words.extend(args);
        words.extend(["--stop-timeout", "0", BUSYBOX_IMAGE, "sleep", "1000000"]);
        self.docker(&words)?;
        self.container(name)
    }

    /// A container that exists, by name or id.
    pub fn container(&self, name: &str) -> Result<Container> {
        Container::inspect(self, name)
    }

    /// Imports a busybox image from this machine's static binary.
    fn import_busybox(&self) -> Result<()> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = self.host.dir().join(format!("busybox.{number}"));
        busybox_tree(&root)?;
        let line = format!(
            "tar -C {} -c . | docker import - {BUSYBOX_IMAGE}",
            root.display()
        );
        self.host.run(&["sh", "-c", &line])?;
        fs::remove_dir_all(root)?;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Containers end with the host at the latest; ending them here frees the engine's mounts.
        self.kill9();
    }
}
