//! The Docker engine: the machine's own if one answers, else one of ours.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::firewall;
use crate::layout::up_file;
use crate::process::Process;
use crate::shell::{capture, exists, succeeds, wait_for};

pub(crate) const DOCKERD: Process = Process("dockerd");

/// The control group below which an engine of ours puts its containers.
const CGROUP: &str = "contiv-up";

/// What the machine was like before an engine of ours changed it, one `name=value` a line.
const BEFORE: &str = "before-engine";

/// Whether an engine answers on Docker's usual socket.
pub(crate) fn answers() -> bool {
    succeeds("docker", &["version", "--format", "{{.Server.Version}}"])
}

/// Makes sure that an engine answers.
pub(crate) fn ensure() -> Result<()> {
    if DOCKERD.pid().is_some() {
        return ready();
    }
    if answers() {
        let version = capture("docker", &["version", "--format", "{{.Server.Version}}"])?;
        println!("  use the machine's own Docker engine ({})", version.trim());
        return Ok(());
    }
    if !exists("dockerd") {
        bail!("no Docker engine answers and dockerd is not installed: run without --no-setup");
    }
    println!("  no Docker engine answers: start one");
    let forward = capture("iptables", &["-S", "FORWARD"])?;
    let forward = if forward.contains("-P FORWARD DROP") {
        "DROP"
    } else {
        "ACCEPT"
    };
    let sysctl = fs::read_to_string(IP_FORWARD).context("read ip_forward")?;
    fs::write(
        up_file(BEFORE),
        format!("forward={forward}\nip_forward={}\n", sysctl.trim()),
    )?;
    let mut command = Command::new("dockerd");
    command
        .arg("--data-root")
        .arg(up_file("engine"))
        .args([
            "--exec-root",
            "/run/contiv-engine",
            "--pidfile",
            "/run/contiv-engine.pid",
        ])
        .args(["--cgroup-parent", &format!("/{CGROUP}")]);
    DOCKERD.start(&command)?;
    ready()
}

const IP_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

fn ready() -> Result<()> {
    wait_for(
        Duration::from_secs(90),
        "the Docker engine to answer",
        || {
            DOCKERD.check()?;
            if answers() {
                Ok(())
            } else {
                bail!("it does not answer")
            }
        },
    )
}

/// Stops an engine of ours and removes what it made; the machine's own is left alone.
pub(crate) fn remove() -> Result<()> {
    let Ok(before) = fs::read_to_string(up_file(BEFORE)) else {
        return Ok(());
    };
    DOCKERD.stop(Duration::from_secs(60))?;
    if succeeds("ip", &["link", "show", "docker0"]) {
        capture("ip", &["link", "del", "docker0"])?;
    }
    for table in ["filter", "nat"] {
        remove_chains(table)?;
    }
    for line in before.lines() {
        match line.split_once('=') {
            Some(("forward", policy)) => {
                capture("iptables", &["-P", "FORWARD", policy])?;
            }
            Some(("ip_forward", value)) => fs::write(IP_FORWARD, value)?,
            _ => {}
        }
    }
    for path in ["/run/contiv-engine.pid", "/run/docker.sock"] {
        fs::remove_file(path).ok();
    }
    fs::remove_dir_all("/run/contiv-engine").ok();
    for dir in ["/run/docker", "/run/containerd"] {
        remove_empty(Path::new(dir));
    }
    remove_cgroups()?;
    fs::remove_dir_all(up_file("engine")).context("remove the engine's data")?;
    fs::remove_file(up_file(BEFORE))?;
    Ok(())
}

/// Deletes the chains that Docker made in one table, and the rules that name them or `docker0`.
fn remove_chains(table: &str) -> Result<()> {
    let rules = firewall::rules(table)?;
    let ours = |word: &String| word.starts_with("DOCKER") || word == "docker0";
    for rule in rules.iter().filter(|rule| rule.starts_with("-A ")) {
        if firewall::words(rule).iter().any(ours) {
            firewall::delete(table, rule)?;
        }
    }
    for chain in rules.iter().filter_map(|rule| rule.strip_prefix("-N ")) {
        if chain.starts_with("DOCKER") {
            firewall::delete_chain(table, chain)?;
        }
    }
    Ok(())
}

/// Removes a directory below which there are no files; leaves it where there are.
fn remove_empty(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        remove_empty(&entry.path());
    }
    fs::remove_dir(dir).ok();
}

fn remove_cgroups() -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let roots = mounts.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words.get(2), Some(&"cgroup" | &"cgroup2")).then(|| words[1].to_owned())
    });
    for root in roots {
        let group = Path::new(&root).join(CGROUP);
        wait_for(
            Duration::from_secs(5),
            &format!("{} to empty", group.display()),
            || {
                for entry in fs::read_dir(&group).into_iter().flatten().flatten() {
                    fs::remove_dir(entry.path()).ok();
                }
                match fs::remove_dir(&group) {
                    Err(error) if group.exists() => Err(error.into()),
                    _ => Ok(()),
                }
            },
        )?;
    }
    Ok(())
}
