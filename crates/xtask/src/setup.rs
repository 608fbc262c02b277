//! `setup`: what this machine lacks, installed; quick when it lacks nothing.

mod packages;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;

pub(crate) use packages::install;

use crate::shell::{self, capture, exists, succeeds};

/// The linker of the kernel programs; newer ones want a newer LLVM than the compiler brings.
const BPF_LINKER: &str = "0.10.0";

/// One of Protobuf's own messages, which the compiler of messages may come without.
const PROTOBUF: &str = "/usr/include/google/protobuf/descriptor.proto";

#[derive(Debug, Default, Args)]
pub(crate) struct Setup {
    /// Also what the tests need.
    #[arg(long)]
    pub(crate) test: bool,
}

impl Setup {
    pub(crate) fn run(&self) -> Result<()> {
        println!("Set up:");
        let mut wanted = vec!["busybox-static", "iproute2", "iptables", "nftables"];
        if !exists("protoc") || !Path::new(PROTOBUF).exists() {
            // The client of etcd compiles its messages, which include Protobuf's own.
            wanted.extend(["protobuf-compiler", "libprotobuf-dev"]);
        }
        if !exists("cc") {
            wanted.extend(["gcc", "libc6-dev"]);
        }
        if !exists("dockerd") && !crate::engine::answers() {
            wanted.push("docker.io");
        }
        if !has_core_sources()? {
            // The kernel programs need core built for their target.
            wanted.extend(["rustc-web", "rust-web-src"]);
        }
        if self.test && !exists("valgrind") {
            // Counts instructions of verdicts for the benchmarks.
            wanted.push("valgrind");
        }
        if self.test && !exists("strace") {
            // Counts what a restart of the agent writes, for the benchmarks.
            wanted.push("strace");
        }
        if self.test && !exists("etcd") {
            wanted.push("etcd-server");
        }
        if self.test && !succeeds("/usr/bin/python3", &["-c", "import ensurepip, venv"]) {
            wanted.extend(["python3", "python3-venv"]);
        }
        install(&wanted)?;
        install_linker()?;
        println!("  everything needed is there");
        Ok(())
    }
}

/// Whether the active toolchain carries the sources of `core`.
fn has_core_sources() -> Result<bool> {
    let sysroot = capture("rustc", &["--print", "sysroot"])?;
    let core = "lib/rustlib/src/rust/library/core/src/lib.rs";
    Ok(Path::new(sysroot.trim()).join(core).is_file())
}

fn install_linker() -> Result<()> {
    let installed = capture("bpf-linker", &["--version"])
        .or_else(|_| capture(&cargo_bin("bpf-linker"), &["--version"]));
    if installed.is_ok_and(|version| version.split_whitespace().any(|word| word == BPF_LINKER)) {
        return Ok(());
    }
    println!("  install bpf-linker {BPF_LINKER} (one to three minutes)");
    let mut command = Command::new("cargo");
    command.args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked"]);
    shell::run(&mut command)
}

/// Where cargo puts what it installs.
fn cargo_bin(program: &str) -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let path = home.unwrap_or_default().join("bin").join(program);
    path.to_string_lossy().into_owned()
}
