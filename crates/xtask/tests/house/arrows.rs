//! Arrows between crates point down.

use std::process::Command;

use serde_json::Value;

use crate::{none, root};

/// Each package with the ones it may use (build and normal dependencies).
const MAY_USE: &[(&str, &[&str])] = &[
    ("contiv-ipam", &[]),
    ("contiv-model", &["contiv-ipam"]),
    ("contiv-datapath-abi", &[]),
    ("contiv-policy", &["contiv-model", "contiv-datapath-abi"]),
    ("contiv-store", &[]),
    ("contiv-identity", &[]),
    ("contiv-client", &["contiv-model", "contiv-identity"]),
    ("contiv-datapath", &["contiv-datapath-abi", "contiv-policy"]),
    (
        "contiv-fabric",
        &[
            "contiv-model",
            "contiv-ipam",
            "contiv-store",
            "contiv-policy",
            "contiv-datapath-abi",
        ],
    ),
    (
        "netmaster",
        &[
            "contiv-model",
            "contiv-ipam",
            "contiv-store",
            "contiv-fabric",
            "contiv-client",
            "contiv-identity",
        ],
    ),
    (
        "netplugin",
        &[
            "contiv-model",
            "contiv-policy",
            "contiv-client",
            "contiv-identity",
            "contiv-datapath",
            "contiv-datapath-abi",
        ],
    ),
    (
        "netctl",
        &["contiv-model", "contiv-client", "contiv-identity"],
    ),
    ("contiv-plugin", &[]),
    // The proof stands beside the product: nothing of the product may use it.
    ("contiv-testbed", &[]),
    (
        "contiv-bench",
        &[
            "contiv-testbed",
            "contiv-client",
            "contiv-model",
            "contiv-store",
            "contiv-fabric",
            "netmaster",
            "contiv-datapath",
            "contiv-datapath-abi",
            "contiv-policy",
        ],
    ),
    (
        "contiv-e2e",
        &["contiv-testbed", "contiv-client", "contiv-model"],
    ),
    (
        "contiv-simulation",
        &[
            "contiv-client",
            "contiv-datapath",
            "contiv-fabric",
            "contiv-ipam",
            "contiv-model",
            "contiv-policy",
            "contiv-store",
            "netmaster",
            "netplugin",
        ],
    ),
    ("xtask", &[]),
];

fn may_use(package: &str) -> Option<&'static [&'static str]> {
    MAY_USE
        .iter()
        .find(|(name, _)| *name == package)
        .map(|(_, allowed)| *allowed)
}

/// The workspace's packages, each with those of its normal and build dependencies that are ours.
fn uses() -> Vec<(String, Vec<String>)> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let output = cargo.current_dir(root()).output().unwrap();
    let doc: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = doc["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: Vec<String> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    let dependencies = |package: &Value| -> Vec<String> {
        let all = package["dependencies"].as_array().unwrap().iter();
        let shipped = all.filter(|dependency| dependency["kind"] != "dev");
        let shipped = shipped.map(|dependency| text(&dependency["name"]));
        shipped.filter(|name| names.contains(name)).collect()
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), dependencies(package)))
        .collect()
}

#[test]
fn arrows_point_down() {
    let mut complaints = Vec::new();
    for (package, used) in uses() {
        let Some(allowed) = may_use(&package) else {
            complaints.push(format!(
                "{package} is new: say in this table what it may use"
            ));
            continue;
        };
        for other in used
            .iter()
            .filter(|other| !allowed.contains(&other.as_str()))
        {
            complaints.push(format!("{package} may not use {other}"));
        }
    }
    none(&complaints);
}

#[test]
fn the_table_has_no_cycle() {
    fn reaches(from: &str, target: &str, depth: usize) -> bool {
        assert!(depth < MAY_USE.len(), "a cycle through {from}");
        let next = may_use(from).unwrap_or_default();
        next.iter()
            .any(|next| *next == target || reaches(next, target, depth + 1))
    }
    for (package, _) in MAY_USE {
        assert!(!reaches(package, package, 0), "{package} reaches itself");
    }
}

#[test]
fn netctl_stays_small() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--offline",
        "-p",
        "netctl",
        "-e",
        "normal",
        "--prefix",
        "none",
    ]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success());
    let tree = String::from_utf8(output.stdout).unwrap();
    for heavy in ["aya ", "redb ", "axum ", "kube "] {
        assert!(
            !tree.lines().any(|line| line.starts_with(heavy)),
            "netctl pulls in {heavy}"
        );
    }
}
