//! Rules in `DOCKER-USER`, the chain that Docker leaves to others.
//!
//! The engine's forward policy is to drop; a packet of ours passes when this chain
//! accepts it. The chain exists while an engine runs, for IPv4 and perhaps IPv6.

use std::process::{Command, Output, Stdio};

use crate::Error;
use crate::error::Failures;
use crate::names::DOOR;

const CHAIN: &str = "DOCKER-USER";

/// From our containers out, and what the table `inet contiv` lets back in.
const RULES: [[&str; 4]; 2] = [["-i", DOOR, "-j", "ACCEPT"], ["-o", DOOR, "-j", "ACCEPT"]];

/// Puts the rules first in the chain where it exists and lacks them.
pub(crate) fn ensure() -> Result<(), Error> {
    let mut failures = Failures::default();
    for program in ["iptables", "ip6tables"] {
        if !has_chain(program) {
            continue;
        }
        for rule in RULES {
            if !succeeds(program, "-C", &rule) {
                failures.note(change(program, "-I", &rule));
            }
        }
    }
    failures.result()
}

/// Takes the rules out again, however often they are there.
pub(crate) fn remove() -> Result<(), Error> {
    let mut failures = Failures::default();
    for program in ["iptables", "ip6tables"] {
        if !has_chain(program) {
            continue;
        }
        for rule in RULES {
            while succeeds(program, "-C", &rule) {
                if failures.note(change(program, "-D", &rule)).is_none() {
                    break;
                }
            }
        }
    }
    failures.result()
}

fn has_chain(program: &str) -> bool {
    let listed = Command::new(program)
        .args(["-w", "5", "-n", "-L", CHAIN])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // No such program, no such chain.
    listed.is_ok_and(|status| status.success())
}

fn succeeds(program: &str, action: &str, rule: &[&str]) -> bool {
    run(program, action, rule).is_ok_and(|output| output.status.success())
}

fn change(program: &'static str, action: &str, rule: &[&str]) -> Result<(), Error> {
    let failed = |message: String| Error::Firewall { program, message };
    let output = run(program, action, rule).map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!(
        "{action} {CHAIN} {}: {}",
        rule.join(" "),
        said.trim()
    )))
}

fn run(program: &str, action: &str, rule: &[&str]) -> std::io::Result<Output> {
    Command::new(program)
        .args(["-w", "5", action, CHAIN])
        .args(rule)
        .stdin(Stdio::null())
        .output()
}
