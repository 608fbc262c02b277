//! The Docker engine: the machine's own if one answers, else one of ours.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

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
    for link in ["docker0"] {
        if Path::new("/sys/class/net").join(link).exists()
            || succeeds("ip", &["link", "show", link])
        {
            capture("ip", &["link", "del", link])?;
        }
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
    remove_cgroups()?;
    fs::remove_dir_all(up_file("engine")).context("remove the engine's data")?;
    fs::remove_file(up_file(BEFORE))?;
    Ok(())
}

/// Deletes the chains that Docker made in one table, and the rules that name them or `docker0`.
fn remove_chains(table: &str) -> Result<()> {
    let rules = capture("iptables", &["-t", table, "-S"])?;
    let ours = |word: &str| word.starts_with("DOCKER") || word == "docker0" || word == "!docker0";
    for rule in rules.lines() {
        let words: Vec<&str> = rule.split_whitespace().collect();
        let masquerade = words.contains(&"MASQUERADE") && words.contains(&"docker0");
        if words.first() == Some(&"-A") && (masquerade || words.iter().any(|word| ours(word))) {
            let mut delete = vec!["-t", table, "-D"];
            delete.extend(&words[1..]);
            capture("iptables", &delete)?;
        }
    }
    for chain in rules
        .lines()
        .filter_map(|rule| rule.strip_prefix("-N DOCKER"))
    {
        capture("iptables", &["-t", table, "-F", &format!("DOCKER{chain}")])?;
        capture("iptables", &["-t", table, "-X", &format!("DOCKER{chain}")])?;
    }
    Ok(())
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
