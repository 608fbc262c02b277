//! Control groups that an engine makes for its containers, and leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wait_for;

/// The mount points of all control-group hierarchies.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (target, kind) = (words.nth(1)?, words.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(target))
        })
        .collect()
}

/// Removes group `name` below the root of every hierarchy, leaves first.
pub(crate) fn remove(name: &str) {
    for root in hierarchies() {
        let group = root.join(name);
        // A group is busy until the kernel has buried its last process.
        let gone = wait_for(Duration::from_secs(5), "the control group to empty", || {
            remove_tree(&group);
            if group.exists() {
                Err("still busy")
            } else {
                Ok(())
            }
        });
        if let Err(error) = gone {
            eprintln!("left over: {}: {error:#}", group.display());
        }
    }
}

fn remove_tree(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    fs::remove_dir(group).ok();
}
