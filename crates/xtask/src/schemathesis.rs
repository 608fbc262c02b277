//! `schemathesis`: random requests made from the API's own description.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::cargo;
use crate::layout::target;
use crate::shell::{self, exists, http_get, wait_for};

/// The tool's version, from PyPI.
const VERSION: &str = "4.32.5";

#[derive(Debug, Args)]
pub(crate) struct Schemathesis {
    /// Requests per operation and phase.
    #[arg(long, default_value_t = 50)]
    pub(crate) examples: u32,
}

/// A netmaster that ends with this value.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Schemathesis {
    pub(crate) fn run(&self) -> Result<()> {
        let tool = tool()?;
        shell::run(cargo().args(["build", "--workspace", "--all-targets"]))?;
        let dir = target().join("schemathesis");
        fs::remove_dir_all(&dir).ok();
        fs::create_dir_all(&dir)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = fs::File::create(dir.join("netmaster.log"))?;
        let master = Command::new(target().join("debug/netmaster"))
            .arg("--data-dir")
            .arg(&dir)
            .args(["--listen-url", &address])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        let master = Master(master.context("start netmaster")?);
        wait_for(Duration::from_secs(20), "netmaster to be ready", || {
            http_get(&address, "/healthz")
        })?;
        let mut command = Command::new(tool);
        command
            .args(["run", &format!("http://{address}/api/v1/openapi.json")])
            .args(["--checks", "not_a_server_error"])
            .args(["--max-examples", &self.examples.to_string()])
            // Streams have no end to wait for.
            .args(["--exclude-path-regex", "watch|stream"])
            .args([
                "--request-timeout",
                "10",
                "--generation-deterministic",
                "--no-color",
            ])
            .current_dir(&dir);
        let result = shell::run(&mut command);
        let well = http_get(&address, "/healthz");
        drop(master);
        result?;
        well.with_context(|| format!("netmaster is not well; its log is in {}", dir.display()))?;
        Ok(())
    }
}

/// The tool's path, installed into an environment of its own below the target directory.
fn tool() -> Result<std::path::PathBuf> {
    let venv = target().join(format!("schemathesis-{VERSION}"));
    let tool = venv.join("bin/schemathesis");
    if tool.is_file() {
        return Ok(tool);
    }
    let python = if exists("/usr/bin/python3") {
        "/usr/bin/python3"
    } else {
        "python3"
    };
    fs::remove_dir_all(&venv).ok();
    shell::run(Command::new(python).args(["-m", "venv"]).arg(&venv))?;
    let package = format!("schemathesis=={VERSION}");
    shell::run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", &package]))?;
    Ok(tool)
}
