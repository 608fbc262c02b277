//! `up`: build, and start everything on this machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::Build;
use crate::layout::{DATA, MASTER, PLUGIN_SOCKET, UP, up_file};
use crate::process::Process;
use crate::setup::Setup;
use crate::shell::{capture, http_get, wait_for, want_root};
use crate::{engine, image};

pub(crate) const NETMASTER: Process = Process("netmaster");
pub(crate) const NETPLUGIN: Process = Process("netplugin");

/// Set when the BPF file system was not mounted before.
pub(crate) const BPFFS_NOTE: &str = "bpffs-was-not-mounted";

/// Where the programs are that were started.
pub(crate) const PROGRAMS_NOTE: &str = "programs";

/// How long a daemon may take to be ready.
const READY: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) build: Build,
}

impl Up {
    pub(crate) fn run(&self) -> Result<()> {
        let programs = self.start()?;
        println!("\nContiv is up. Try:\n");
        hints(&programs);
        Ok(())
    }

    /// Starts what does not run yet and returns the directory of the programs.
    pub(crate) fn start(&self) -> Result<std::path::PathBuf> {
        want_root("up")?;
        if !self.build.no_setup {
            Setup::default().run()?;
        }
        let programs = self.build.programs()?;
        claim()?;
        println!("\nStart Contiv:");
        engine::ensure()?;
        image::ensure()?;
        if NETMASTER.pid().is_none() {
            let mut command = Command::new(programs.join("netmaster"));
            command.args(["--data-dir", DATA, "--listen-url", MASTER]);
            NETMASTER.start(&command)?;
        }
        wait_for(READY, "netmaster to be ready", || {
            NETMASTER.check()?;
            http_get(MASTER, "/healthz")
        })?;
        if NETPLUGIN.pid().is_none() {
            let mut command = Command::new(programs.join("netplugin"));
            command.args(["--netmaster", &format!("http://{MASTER}")]);
            NETPLUGIN.start(&command)?;
        }
        fs::write(
            up_file(PROGRAMS_NOTE),
            programs.as_os_str().as_encoded_bytes(),
        )?;
        wait_for(READY, "netplugin to be ready", || {
            NETPLUGIN.check()?;
            if !Path::new(PLUGIN_SOCKET).exists() {
                bail!("{PLUGIN_SOCKET} is not there");
            }
            if !http_get(MASTER, "/api/v1/hosts/")?.contains("\"live\":true") {
                bail!("netmaster knows no live host");
            }
            Ok(())
        })?;
        Ok(programs)
    }
}

/// Takes the data directory, unless it is an installed Contiv's.
fn claim() -> Result<()> {
    let installed = Path::new(DATA).join("netmaster.redb").exists() && !Path::new(UP).exists();
    if installed {
        bail!(
            "{DATA} holds the data of an installed Contiv, which `make down` would have to spare; \
             uninstall it first (packaging/uninstall.sh)"
        );
    }
    fs::create_dir_all(UP).with_context(|| format!("create {UP}"))?;
    let mounts = capture("cat", &["/proc/mounts"])?;
    let mounted = mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some("/sys/fs/bpf"));
    if !mounted {
        fs::write(up_file(BPFFS_NOTE), "")?;
    }
    Ok(())
}

/// What a person can do next.
pub(crate) fn hints(programs: &Path) {
    println!("  export PATH={}:$PATH", programs.display());
    println!("  netctl net create my-net --subnet=10.9.0.0/24 --gateway=10.9.0.254");
    println!(
        "  docker run -it --rm --network my-net {} sh",
        image::BUSYBOX
    );
    println!("  netctl endpoint ls");
    println!("\nLogs are in {UP}. `make down` removes every trace.");
}
