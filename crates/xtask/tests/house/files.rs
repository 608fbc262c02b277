//! Files are small, and named after what is in them.

use std::path::Path;

use crate::{files, none, text};

/// No file is longer.
const HARD: usize = 600;

/// Files are not longer, but for the exceptions.
const LIMIT: usize = 400;

/// Files between the two limits, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];

/// A module's own folder file is `foo.rs`, but programs of `tests/` need theirs.
const OLD_STYLE: &str = "mod.rs";

#[test]
fn no_source_file_is_too_long() {
    let mut complaints = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "rs"))
    {
        let name = file.to_string_lossy();
        let lines = text(file).lines().count();
        let excepted = EXCEPTIONS.iter().any(|(exception, _)| *exception == name);
        if lines > HARD || (lines > LIMIT && !excepted) {
            complaints.push(format!(
                "{name}: {lines} lines, the limit is {LIMIT}: split it"
            ));
        }
        if excepted && lines <= LIMIT {
            complaints.push(format!("{name} needs no exception any more"));
        }
    }
    none(&complaints);
}

#[test]
fn modules_are_named_after_what_is_in_them() {
    let mut complaints = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "rs"))
    {
        let stem = file.file_stem().unwrap().to_string_lossy();
        if EMPTY_NAMES.contains(&stem.as_ref()) || file.ends_with(OLD_STYLE) {
            complaints.push(format!("{}: a name that says nothing", file.display()));
        }
    }
    none(&complaints);
}

#[test]
fn each_crate_says_what_it_is() {
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| file.ends_with("src/lib.rs")) {
        if !text(file).trim_start().starts_with("//!") {
            complaints.push(format!("{}: starts without a crate's doc", file.display()));
        }
    }
    none(&complaints);
}

#[test]
fn the_architecture_fits_on_a_few_pages() {
    for (file, limit) in [("ARCHITECTURE.md", 150), ("CONTRIBUTING.md", 60)] {
        let lines = text(Path::new(file)).lines().count();
        assert!(
            (1..=limit).contains(&lines),
            "{file}: {lines} lines, the limit is {limit}"
        );
    }
}
