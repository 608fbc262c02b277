//! `test-kernels`: the data plane under Debian 12's own kernel, in a virtual machine.
//!
//! The kernel is taken out of its package and never installed. The machine is emulated, so neither
//! KVM nor a kernel that allows it is needed; it boots an archive in memory that holds the test
//! programs, and says on its serial line how they ended.

mod archive;
mod guest;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::build::cargo;
use crate::layout::target;
use crate::setup::install;
use crate::shell::{self, capture};
use archive::Archive;

/// The packages whose test programs run in the guest.
const SUITES: [&str; 2] = ["contiv-datapath", "contiv-testbed"];

/// Test programs that need more than a kernel: a Docker engine.
const NOT_IN_GUEST: [&str; 1] = ["hosts"];

#[derive(Debug, Default, Args)]
pub(crate) struct Kernels {
    /// Run only tests whose name contains this word.
    #[arg(value_name = "WORD")]
    filter: Option<String>,
}

/// A kernel that was taken out of its package.
#[derive(Debug)]
struct Kernel {
    version: String,
    image: PathBuf,
    modules: PathBuf,
}

impl Kernels {
    pub(crate) fn run(&self) -> Result<()> {
        install(&[
            "qemu-system-x86",
            "busybox-static",
            "iproute2",
            "iptables",
            "nftables",
        ])?;
        let kernel = Kernel::fetch()?;
        println!("  kernel {}", kernel.version);
        let tests = test_programs()?;
        let archive = Archive::new(&target().join("kernels/root"))?;
        archive.add_modules(&kernel.modules, &kernel.version)?;
        for tool in ["ip", "tc", "nft", "iptables", "ip6tables", "iptables-save"] {
            archive.add_tool(tool)?;
        }
        archive.add_xtables()?;
        let mut suites = BTreeSet::new();
        for program in &tests {
            suites.insert(archive.add_test(program)?);
        }
        archive.add_init(&guest::init(&suites, self.filter()?))?;
        let initrd = archive.pack(&target().join("kernels/initrd.gz"))?;
        let verdict = guest::boot(&kernel.image, &initrd, &suites)?;
        println!("  kernel {} passed: {}", kernel.version, verdict.join(", "));
        Ok(())
    }
}

impl Kernels {
    /// The word as a shell may read it.
    fn filter(&self) -> Result<&str> {
        let word = self.filter.as_deref().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if word.chars().all(plain) {
            return Ok(word);
        }
        bail!("{word:?} is no part of a test's name")
    }
}

impl Kernel {
    /// Downloads and unpacks the newest cloud kernel of the distribution, unless it is there.
    fn fetch() -> Result<Self> {
        let depends = capture("apt-cache", &["depends", "linux-image-cloud-amd64"])?;
        let package = depends
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: "));
        let package = package.context("apt knows no linux-image-cloud-amd64: apt-get update")?;
        let version = package
            .strip_prefix("linux-image-")
            .context("a kernel's package")?;
        if !version.starts_with("6.1.") {
            bail!("this distribution's kernel is {version}; the test is about Debian 12's 6.1");
        }
        let dir = target().join("kernels").join(version);
        let kernel = Self {
            version: version.to_owned(),
            image: dir.join(format!("boot/vmlinuz-{version}")),
            modules: dir.join(format!("lib/modules/{version}")),
        };
        if kernel.image.is_file() && kernel.modules.is_dir() {
            return Ok(kernel);
        }
        fs::remove_dir_all(&dir).ok();
        fs::create_dir_all(&dir)?;
        // apt drops its rights for downloads and warns where it may not write; that is harmless.
        shell::run(
            Command::new("apt-get")
                .args(["-qq", "download", package])
                .current_dir(&dir),
        )?;
        let deb = find(&dir, ".deb")?;
        shell::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&dir))?;
        fs::remove_file(deb)?;
        Ok(kernel)
    }
}

/// Builds the test programs and returns their paths.
fn test_programs() -> Result<Vec<PathBuf>> {
    let mut command = cargo();
    command.args(["test", "--no-run", "--message-format=json"]);
    for package in SUITES {
        command.args(["-p", package]);
    }
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("run cargo")?;
    if !output.status.success() {
        bail!("the test programs do not build");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?;
        let path = message["executable"].as_str()?;
        let is_test = message["profile"]["test"] == true && !NOT_IN_GUEST.contains(&name);
        is_test.then(|| PathBuf::from(path))
    });
    let programs: Vec<PathBuf> = programs.collect();
    if programs.is_empty() {
        bail!("cargo names no test program");
    }
    Ok(programs)
}

fn find(dir: &Path, suffix: &str) -> Result<PathBuf> {
    let mut names = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let found = names.find(|path| path.to_string_lossy().ends_with(suffix));
    found.with_context(|| format!("no *{suffix} in {}", dir.display()))
}
