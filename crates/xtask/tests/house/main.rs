//! The rules of the house that no lint knows.
#![allow(clippy::unwrap_used, reason = "tests")]

mod arrows;
mod files;
mod links;
mod uninstalling;
mod units;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

/// Every file that belongs to the repository, known to git or about to be, relative to its root.
fn files() -> Vec<PathBuf> {
    let listing = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git")
        .args(listing)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "this test needs a checkout");
    let names = String::from_utf8(output.stdout).unwrap();
    let mut files: Vec<PathBuf> = names.lines().map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// The file's text, or nothing when it is no text.
fn text(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// Fails with every complaint, one a line.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
