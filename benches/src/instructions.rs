//! Instructions of one verdict, counted by callgrind: of the code itself, without look-ups.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::plan::Plan;
use crate::programs::{OPTIMISED, root};
use crate::section::Section;

/// Verdicts that are counted; the count without any is taken off. So many that what compiling takes,
/// which differs a little from run to run, does not show.
const TIMES: u64 = 100_000;

const POLICIES: [(&str, &str, &str); 5] = [
    ("1 rule", "rules", "1"),
    ("100 rules", "rules", "100"),
    ("1,000 rules", "rules", "1000"),
    ("10,000 rules", "rules", "10000"),
    ("100,000 CIDRs", "prefixes", "100000"),
];

pub(crate) fn run(_: &Plan) -> Result<Section> {
    let mut section = Section::new(
        "Instructions of a verdict",
        "Counted by callgrind over the function that the kernel runs, on this processor, with the \
         answers of the tables at hand: what the code itself takes for the incoming policy of one \
         connection, look-ups not counted.",
    );
    let there = Command::new("valgrind").arg("--version").output();
    there.context("valgrind is not installed; `make setup` does it")?;
    build()?;
    section
        .body
        .push_str("| policy | instructions |\n| --- | --: |\n");
    for (title, kind, count) in POLICIES {
        let (none, all) = (counted(kind, count, 0)?, counted(kind, count, TIMES)?);
        let each = all.saturating_sub(none) as f64 / TIMES as f64;
        section.body.push_str(&format!("| {title} | {each:.0} |\n"));
        section.raw[title] = each.into();
    }
    section.body.push('\n');
    Ok(section)
}

fn program() -> std::path::PathBuf {
    let profile = if OPTIMISED { "release" } else { "debug" };
    crate::programs::target()
        .join(profile)
        .join("contiv-bench-verdict")
}

fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["build", "--quiet", "-p", "contiv-bench"]);
    command.args(["--bin", "contiv-bench-verdict"]);
    if OPTIMISED {
        command.arg("--release");
    }
    let status = command.status().context("start cargo")?;
    ensure!(status.success(), "building contiv-bench-verdict: {status}");
    Ok(())
}

fn counted(kind: &str, count: &str, times: u64) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command
        .arg(program())
        .args([kind, count, &times.to_string()]);
    let output = command.output().context("start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = line.with_context(|| format!("valgrind counted nothing: {said}"))?;
    count.trim().parse().context("a count of instructions")
}
