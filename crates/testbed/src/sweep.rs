//! Removal of what killed test runs left.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::cgroups;
use crate::host::remove_dir;

/// How everything of ours is named: `ctvt-<process id of the test>-<number>-<label>`.
pub(crate) const PREFIX: &str = "ctvt-";

/// Removes files and control groups of tests whose process is gone; returns their names.
///
/// Processes, mounts and links need no sweeping: they end with their host's holder.
pub fn sweep() -> Vec<String> {
    let mut stale: Vec<String> = Vec::new();
    let places = cgroups::hierarchies()
        .into_iter()
        .chain([std::env::temp_dir()]);
    for place in places {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            if let Some(name) = orphan(&entry.file_name())
                && !stale.contains(&name)
            {
                stale.push(name);
            }
        }
    }
    for name in &stale {
        cgroups::remove(name);
        remove_dir(&std::env::temp_dir().join(name));
    }
    stale
}

/// The name, when it is one of ours and its owner has ended.
fn orphan(name: &OsStr) -> Option<String> {
    let name = name.to_str()?;
    let owner: u32 = name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()?;
    let alive = Path::new(&format!("/proc/{owner}")).exists();
    (!alive).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_owners_are_swept() {
        let own = format!("{PREFIX}{}-1-x", std::process::id());
        assert_eq!(orphan(OsStr::new(&own)), None);
        // Above the kernel's limit of process ids.
        let dead = format!("{PREFIX}99999999-1-x");
        assert_eq!(orphan(OsStr::new(&dead)), Some(dead.clone()));
        assert_eq!(orphan(OsStr::new("ctvt-notanumber-1")), None);
        assert_eq!(orphan(OsStr::new("other-99999999-1")), None);
    }
}
