//! Builds the kernel's programs and puts the object where `src/program.rs` includes it.
//!
//! The programs need `core` compiled for their target. Its sources come with the active toolchain
//! (`rustup component add rust-src`) or with Debian's `rust-web-src`, whose own compiler then does
//! the work; `bpf-linker` links.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources of the programs, beside this crate.
const SOURCES: &str = "../datapath-ebpf";
/// A compiler of the distribution, with sources when `rust-web-src` is installed.
const DISTRIBUTION: &str = "/usr/bin/rustc";
const INSTALL_COMPILER: &str = "apt-get install rustc-web rust-web-src";
const INSTALL_LINKER: &str = "cargo install bpf-linker --version 0.10.0 --locked";

fn main() {
    for path in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={SOURCES}/{path}");
    }
    println!("cargo::rerun-if-changed=../datapath-abi/src");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(complaint) = build() {
        println!("cargo::error={complaint}");
    }
}

fn build() -> Result<(), String> {
    let rustc = compiler()?;
    let linker = linker()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = out.join("ebpf");
    let triple = match variable("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let flags = [
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        // Every kernel since 5.1 has these instructions.
        "-Ctarget-cpu=v3".to_owned(),
        format!("-Clinker={}", linker.display()),
        format!(
            "--cfg=bpf_target_arch=\"{}\"",
            variable("CARGO_CFG_TARGET_ARCH")?
        ),
    ];
    let mut cargo = Command::new(variable("CARGO")?);
    // What cargo says to build scripts is about the host's program, and wrong for this one.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_CFG_") || text.starts_with("CARGO_FEATURE_") || text == "TARGET"
        {
            cargo.env_remove(&name);
        }
    }
    cargo
        .current_dir(SOURCES)
        .args([
            "build",
            "--release",
            "--locked",
            "-Z",
            "build-std=core",
            "--target",
            triple,
        ])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    let output = cargo
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        eprintln!("{text}");
        return Err("the kernel's programs do not compile; cargo's words are above".to_owned());
    }
    let object = target.join(triple).join("release/datapath");
    std::fs::copy(&object, out.join("datapath.o"))
        .map_err(|error| format!("{}: {error}", object.display()))?;
    Ok(())
}

/// The first compiler that has the sources of `core`: the active one, else the distribution's.
fn compiler() -> Result<PathBuf, String> {
    let active = PathBuf::from(variable("RUSTC")?);
    [active, PathBuf::from(DISTRIBUTION)].into_iter().find(|rustc| has_core(rustc)).ok_or_else(|| {
        format!("no compiler here has the sources of core, which the kernel's programs need: run `{INSTALL_COMPILER}` or `rustup component add rust-src`")
    })
}

fn has_core(rustc: &Path) -> bool {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let core = "lib/rustlib/src/rust/library/core/src/lib.rs";
        output.status.success() && Path::new(&sysroot).join(core).is_file()
    })
}

/// `bpf-linker` from the search path, else from where cargo installs.
fn linker() -> Result<PathBuf, String> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home =
        cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(cargo_home.map(|home| home.join("bin")))
        .map(|dir| dir.join("bpf-linker"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            format!("no bpf-linker here, which links the kernel's programs: run `{INSTALL_LINKER}`")
        })
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("cargo sets {name} for build scripts: {error}"))
}
