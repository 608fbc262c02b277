//! Everything that a running Contiv leaves on a machine, how to see it, how to remove it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::layout::{PINS, PLUGIN_SOCKET, SWARM_SOCKETS};
use crate::shell::{capture, exists, succeeds};
use crate::{engine, firewall};

/// The label that netplugin puts on each Docker network it makes.
const NETWORK_LABEL: &str = "contiv.uid";

/// Removes containers on our Docker networks.
pub(crate) fn remove_containers() -> Result<()> {
    for network in docker_networks()? {
        let filter = format!("network={network}");
        for container in lines("docker", &["ps", "-aq", "--no-trunc", "--filter", &filter])? {
            println!(
                "  remove container {}",
                &container[..12.min(container.len())]
            );
            capture("docker", &["rm", "-f", &container])?;
        }
    }
    Ok(())
}

/// Removes our Docker networks. netmaster must have ended: while it holds the objects that they
/// stand for, netplugin brings the networks back.
pub(crate) fn remove_docker_networks() -> Result<()> {
    for network in docker_networks()? {
        println!("  remove Docker network {network}");
        capture("docker", &["network", "rm", &network])?;
    }
    Ok(())
}

/// Docker networks that use our driver, whoever made them.
fn docker_networks() -> Result<Vec<String>> {
    let by_driver = lines(
        "docker",
        &[
            "network",
            "ls",
            "-q",
            "--no-trunc",
            "--filter",
            "driver=netplugin",
        ],
    )?;
    let label = format!("label={NETWORK_LABEL}");
    let by_label = lines(
        "docker",
        &["network", "ls", "-q", "--no-trunc", "--filter", &label],
    )?;
    let mut all = by_driver;
    all.extend(by_label);
    all.sort();
    all.dedup();
    Ok(all)
}

/// Removes links, pins, firewall tables and rules, sockets. The daemons must have ended.
pub(crate) fn remove_kernel() -> Result<()> {
    for link in links()? {
        println!("  remove link {link}");
        // Its pair may have taken it along.
        if !succeeds("ip", &["link", "del", &link]) && links()?.contains(&link) {
            capture("ip", &["link", "del", &link])?;
        }
    }
    if Path::new(PINS).exists() {
        println!("  remove {PINS}");
        fs::remove_dir_all(PINS)?;
    }
    if exists("nft") && succeeds("nft", &["list", "table", "inet", "contiv"]) {
        println!("  remove nft table inet contiv");
        capture("nft", &["delete", "table", "inet", "contiv"])?;
    }
    for rule in firewall_rules() {
        println!("  remove iptables rule {rule}");
        firewall::delete("filter", &rule)?;
    }
    fs::remove_file(PLUGIN_SOCKET).ok();
    fs::remove_dir_all(SWARM_SOCKETS).ok();
    Ok(())
}

/// What is still there, in words; empty when nothing is.
pub(crate) fn left() -> Result<Vec<String>> {
    let mut left: Vec<String> = links()?.iter().map(|link| format!("link {link}")).collect();
    if engine::answers() {
        let networks = docker_networks()?;
        left.extend(networks.iter().map(|id| format!("Docker network {id}")));
    }
    for path in [PINS, PLUGIN_SOCKET, SWARM_SOCKETS, "/var/lib/contiv/up"] {
        if Path::new(path).exists() {
            left.push(path.to_owned());
        }
    }
    if exists("nft") && succeeds("nft", &["list", "table", "inet", "contiv"]) {
        left.push("nft table inet contiv".to_owned());
    }
    left.extend(
        firewall_rules()
            .into_iter()
            .map(|rule| format!("iptables rule {rule}")),
    );
    Ok(left)
}

/// Our links: the host's door, the tunnel, and `cv…` and `cc…` of endpoints.
fn links() -> Result<Vec<String>> {
    let text = capture("ip", &["-br", "link", "show"])?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let names = names.map(|name| name.split('@').next().unwrap_or(name));
    Ok(names
        .filter(|name| is_ours(name))
        .map(str::to_owned)
        .collect())
}

fn is_ours(link: &str) -> bool {
    let number = |prefix: &str| {
        link.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    matches!(link, "contiv0" | "contiv1" | "contivvx0") || number("cv") || number("cc")
}

/// Rules of iptables that mention our door.
fn firewall_rules() -> Vec<String> {
    let mut rules = firewall::rules("filter").unwrap_or_default();
    rules.retain(|rule| rule.starts_with("-A ") && rule.contains("contiv"));
    rules
}

fn lines(program: &str, args: &[&str]) -> Result<Vec<String>> {
    Ok(capture(program, args)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_links_from_others() {
        for ours in ["contiv0", "contiv1", "contivvx0", "cv1a", "cc0012"] {
            assert!(is_ours(ours), "{ours}");
        }
        for theirs in ["contiv10", "cv", "cvx", "eth0", "ccm0x", "veth12"] {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }
}
