//! The systemd units, and the scripts that bring and remove them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{root, text};

const UNITS: [&str; 2] = ["netmaster.service", "netplugin.service"];

fn unit(name: &str) -> String {
    text(&Path::new("packaging/systemd").join(name))
}

/// Whether the unit has this value under a key that may hold several.
fn has(unit: &str, key: &str, value: &str) -> bool {
    let values = unit
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values
        .flat_map(str::split_whitespace)
        .any(|word| word == value)
}

#[test]
fn both_start_before_the_engine_restores_containers() {
    for name in UNITS {
        assert!(has(&unit(name), "Before", "docker.service"), "{name}");
        assert!(has(&unit(name), "Restart", "always"), "{name}");
    }
    assert!(has(
        &unit("netplugin.service"),
        "After",
        "netmaster.service"
    ));
    // The engine waits for the driver's socket, not just for a process.
    assert!(has(&unit("netplugin.service"), "Type", "notify"));
    // Packets flow and nothing else dies while the agent is away.
    assert!(has(&unit("netplugin.service"), "KillMode", "process"));
}

#[test]
fn systemd_accepts_the_units() {
    let Ok(_) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("skipped: no systemd-analyze on this machine");
        return;
    };
    let dir = scratch("units");
    for name in UNITS {
        // The programs need not be installed for the check.
        let text = unit(name)
            .replace("/usr/local/bin/", "/bin/")
            .replace("/bin/net", "/bin/true net");
        std::fs::write(dir.join(name), text).unwrap();
        let output = Command::new("systemd-analyze")
            .arg("verify")
            .arg(dir.join(name))
            .output();
        let complaints = String::from_utf8(output.unwrap().stderr).unwrap();
        let ours: Vec<&str> = complaints
            .lines()
            .filter(|line| line.contains(name))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn uninstalling_removes_what_installing_brought() {
    let dir = scratch("install");
    let image = dir.join("image");
    script("install.sh", None, &dir).unwrap();
    let installed = tree(&image);
    for name in [
        "netmaster",
        "netplugin",
        "netctl",
        "netmaster.service",
        "netplugin.service",
    ] {
        assert!(
            installed.iter().any(|path| path.ends_with(name)),
            "{name}: {installed:?}"
        );
    }
    script("uninstall.sh", None, &dir).unwrap();
    assert_eq!(tree(&image), BTreeSet::new());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_host_gets_no_master_and_stays_what_it_is() {
    let dir = scratch("host");
    let masters = |dir: &Path| {
        let files = tree(&dir.join("image"));
        let of = |path: &&PathBuf| path.to_string_lossy().contains("/netmaster");
        (files.len(), files.iter().filter(of).count())
    };
    script("install.sh", Some("host"), &dir).unwrap();
    assert_eq!(masters(&dir), (3, 0));
    // An upgrade says no role.
    script("install.sh", None, &dir).unwrap();
    assert_eq!(masters(&dir), (3, 0));
    script("install.sh", Some("all"), &dir).unwrap();
    assert_eq!(masters(&dir), (5, 2));
    // Its store may be the only one.
    let refused = script("install.sh", Some("host"), &dir).unwrap_err();
    assert!(refused.contains("netmaster is installed here"), "{refused}");
    let refused = script("install.sh", Some("router"), &dir).unwrap_err();
    assert!(refused.contains("ROLE=router"), "{refused}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// Runs a script on the image of a machine below `dir`, or returns why it refuses.
fn script(name: &str, role: Option<&str>, dir: &Path) -> Result<(), String> {
    let (programs, image) = (dir.join("programs"), dir.join("image"));
    std::fs::create_dir_all(&programs).unwrap();
    std::fs::create_dir_all(&image).unwrap();
    for name in ["netmaster", "netplugin", "netctl"] {
        std::fs::copy("/bin/true", programs.join(name)).unwrap();
    }
    let output = Command::new(root().join("packaging").join(name))
        .env("DESTDIR", &image)
        .env("PROGRAMS", &programs)
        .env_remove("ROLE")
        .envs(role.map(|role| ("ROLE", role)))
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("house-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Every file below `dir`.
fn tree(dir: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path);
        }
    }
    files
}
