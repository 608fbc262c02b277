//! The nft table `inet contiv`.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{GuestFoothold, Rules};
use crate::Error;
use crate::names::DOOR;

const PROGRAM: &str = "nft";

/// The table as nft reads it; loaded, it replaces an older one in one step.
pub(crate) fn table(rules: &Rules) -> String {
    let Rules {
        private,
        private_ipv6,
        guests,
        guests_ipv6,
        bridges,
        tunnel_port,
        footholds,
        guest_footholds,
    } = rules;
    let ours: String = footholds
        .iter()
        .map(|name| format!(", \"{name}\""))
        .collect();
    let ours = format!("{{ \"{DOOR}\"{ours} }}");
    let answering: String = guest_footholds.iter().map(answering).collect();
    let (mut walled, mut tunnel) = (String::new(), String::new());
    let untracked = tunnel_port.map_or_else(String::new, untracked);
    if !bridges.is_empty() {
        let names: Vec<String> = bridges.iter().map(|name| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        walled = format!("iifname \"{DOOR}\" oifname {{ {names} }} counter drop");
        if let Some(port) = tunnel_port {
            tunnel = format!("iifname {{ {names} }} udp dport {port} counter drop");
        }
    }
    format!(
        "table inet contiv {{}}
delete table inet contiv
table inet contiv {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {private} oifname != \"{DOOR}\" masquerade
    ip6 saddr {private_ipv6} oifname != \"{DOOR}\" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    oifname {ours} ct state established,related accept
    oifname {ours} counter drop
    {walled}
    {tunnel}
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname \"{DOOR}\" ct state established,related accept
    iifname \"{DOOR}\" ip saddr {guests} counter drop
    iifname \"{DOOR}\" ip6 saddr {guests_ipv6} counter drop
{answering}  }}
{untracked}}}
"
    )
}

/// The tenant's containers may answer there, and other hosts may speak.
fn answering(foothold: &GuestFoothold) -> String {
    let GuestFoothold {
        link,
        hosts,
        hosts_ipv6,
    } = foothold;
    let v6 = hosts_ipv6.map_or_else(String::new, |hosts| {
        format!("    iifname \"{link}\" ip6 saddr {hosts} accept\n")
    });
    format!(
        "    iifname \"{link}\" ct state established,related accept
    iifname \"{link}\" ip saddr {hosts} accept
{v6}    iifname \"{link}\" counter drop
"
    )
}

/// Each connection between endpoints comes with a source port of its own, and would have the kernel
/// keep an entry for it, which nobody asks for.
fn untracked(port: u16) -> String {
    let chain = |name: &str, hook: &str| {
        format!(
            "  chain {name} {{
    type filter hook {hook} priority raw; policy accept;
    udp dport {port} notrack
  }}
"
        )
    };
    chain("tunnel_in", "prerouting") + &chain("tunnel_out", "output")
}

/// Loads rules, all of them or none.
pub(crate) fn load(text: &str) -> Result<(), Error> {
    let failed = |message: String| Error::Firewall {
        program: PROGRAM,
        message,
    };
    let mut child = Command::new(PROGRAM)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut input = child.stdin.take();
    let written = input.as_mut().map(|pipe| pipe.write_all(text.as_bytes()));
    drop(input);
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(said.trim().to_owned()));
    }
    if let Some(Err(error)) = written {
        return Err(failed(error.to_string()));
    }
    Ok(())
}

/// The table as it is, without what counts up; `None` where there is none.
pub(crate) fn list() -> Option<String> {
    let output = Command::new(PROGRAM)
        .args(["-s", "list", "table", "inet", "contiv"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Deletes the table, if there is one.
pub(crate) fn remove() -> Result<(), Error> {
    match list() {
        Some(_) => load("delete table inet contiv\n"),
        None => Ok(()),
    }
}
