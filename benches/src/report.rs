//! The report, written from the readings alone; only the causes of shortfalls are written by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::{OPTIMISED, root, target};
use crate::readings::Readings;
use crate::section::spread;
use crate::stats::{median, quantile};
use crate::suite::{Bar, Contender, Suite};

/// What stands below this heading is kept when the report is written anew.
const CAUSES: &str = "## Causes of shortfalls";

/// How figures come about.
const HOW: &str = "\
    Contenders take turns. In a *lap* each of them has one short turn, in an order drawn by lot, and a \
    round is many laps (one where nothing else is said); a round's figure is the median of its laps. \
    What slows the machine for longer than a lap meets both sides of a ratio: so it is taken within \
    each lap, a round's is the median of its laps', and the one that bars are held to is the median of \
    all rounds', with its 95 % bootstrap interval over the rounds. It holds when the interval includes \
    the bar, or where it says *upper end*, when all of the interval does. Beside it stands the ratio of \
    the two medians over all rounds, which is not paired. No round, lap or turn is left out but those \
    that warm up, and all are in `readings.json`. Absolute figures are this machine's alone.\n\n\
    One netmaster and a thousand hosts are measured by `make bench-hosts`, see [HOSTS.md](HOSTS.md).\n\n\
    Client and server of a load are threads in the namespaces of the two ends, on a processor of their \
    own each. Ours is a group with connection tracking and 100 or 1,000 rules, which deny what they do \
    not name, both ways.";

/// Where a report goes when nobody says otherwise.
pub(crate) fn place(complete: bool) -> PathBuf {
    if complete {
        root().join("benches/REPORT.md")
    } else {
        target().join("bench/REPORT.md")
    }
}

/// Writes the report to `place`, and the readings into the target directory.
pub(crate) fn write(readings: &Readings, place: &Path) -> Result<()> {
    let raw = target().join("bench/readings.json");
    let write = |path: &Path, text: String| {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
            .and_then(|()| fs::write(path, text))
            .with_context(|| format!("write {}", path.display()))
    };
    write(&raw, format!("{:#}\n", readings.to_json()))?;
    let before = fs::read_to_string(place).unwrap_or_default();
    let text = whole(readings, kept(&before));
    write(place, text.clone())?;
    println!(
        "\n{text}\nreport: {}\nreadings: {}",
        place.display(),
        raw.display()
    );
    Ok(())
}

/// What was written by hand into an earlier report.
fn kept(before: &str) -> Option<&str> {
    let (_, causes) = before.split_once(CAUSES)?;
    Some(causes.trim()).filter(|text| !text.is_empty())
}

fn whole(readings: &Readings, causes: Option<&str>) -> String {
    let mut out = String::from("# Contiv beside its alternatives\n\nWritten by `make bench`.\n\n");
    if !OPTIMISED {
        out.push_str("**A build without optimisation: these figures say nothing.**\n\n");
    }
    out.push_str("| | |\n| --- | --- |\n");
    for (word, text) in &readings.machine {
        let _ = writeln!(out, "| {word} | {text} |");
    }
    let _ = write!(
        out,
        "| rounds | {} |\n\n\
         {HOW}\n\n",
        readings.rounds
    );
    out.push_str(&tables(readings));
    if !readings.ready_first.is_empty() {
        out.push_str(&agent(readings));
    }
    for section in &readings.sections {
        out.push_str(&section.text());
    }
    let _ = write!(
        out,
        "{CAUSES}\n\n{}\n",
        causes.unwrap_or("None is written down yet.")
    );
    out
}

/// A table for each suite that was read.
pub(crate) fn tables(readings: &Readings) -> String {
    let mut out = String::new();
    for suite in Suite::ALL {
        let contenders = suite.contenders();
        if readings.of(suite, contenders[0]).is_none() {
            continue;
        }
        let measure = contenders[0].title();
        let (title, meaning, unit) = (suite.title(), suite.meaning(), suite.unit());
        let _ = write!(
            out,
            "## {title}\n\n{meaning}.\n\n\
             | contender | median, {unit} | lowest – highest | of medians | ratio to the {measure} | bar | |\n\
             | --- | --: | --: | --: | --: | --- | --- |\n"
        );
        for contender in contenders {
            row(&mut out, readings, suite, *contender);
        }
        out.push('\n');
        to_docker(&mut out, readings, suite);
    }
    out
}

fn row(out: &mut String, readings: &Readings, suite: Suite, contender: Contender) {
    let measure = suite.contenders()[0];
    let (Some(figures), Some(ratio)) = (
        readings.of(suite, contender),
        readings.ratio(suite, contender, measure),
    ) else {
        return;
    };
    let (ratio, bar, met) = match contender {
        _ if contender == measure => ("1 | 1".to_owned(), String::new(), ""),
        Contender::Contiv | Contender::ContivThousand => {
            let (bar, met) = (suite.bar(), suite.bar().met(ratio.low, ratio.high));
            (ratio.to_string(), bar.to_string(), word(met))
        }
        _ => (ratio.to_string(), String::new(), ""),
    };
    let (title, spread) = (contender.title(), spread(figures));
    let _ = writeln!(out, "| {title} | {spread} | {ratio} | {bar} | {met} |");
}

/// What is held to Docker's default bridge as well.
fn to_docker(out: &mut String, readings: &Readings, suite: Suite) {
    let Some(bar) = suite.bar_to_docker() else {
        return;
    };
    for contender in [Contender::Contiv, Contender::ContivThousand] {
        let Some(ratio) = readings.ratio(suite, contender, Contender::DockerBridge) else {
            continue;
        };
        let _ = writeln!(
            out,
            "{} to {}: {:.3} [{:.3}, {:.3}], {bar}: {}.\n",
            contender.title(),
            Contender::DockerBridge.title(),
            ratio.value,
            ratio.low,
            ratio.high,
            word(bar.met(ratio.low, ratio.high)),
        );
    }
}

/// netplugin's own time, memory and readiness.
fn agent(readings: &Readings) -> String {
    let handlers = &readings.handlers;
    let mut lines = vec![
        (
            "resident memory after all loads, MiB",
            readings.resident_mib,
            40.0,
        ),
        (
            "ready, nothing in the kernel, median, ms",
            median(&readings.ready_first),
            300.0,
        ),
        (
            "ready, everything in the kernel, median, ms",
            median(&readings.ready_again),
            300.0,
        ),
    ];
    if !handlers.is_empty() {
        let most = quantile(handlers, 0.99);
        lines.extend([
            ("handlers of one start, median, ms", median(handlers), 10.0),
            ("handlers of one start, 99th percentile, ms", most, 25.0),
        ]);
    }
    let mut out =
        String::from("## netplugin\n\n| figure | value | bar | |\n| --- | --: | --- | --- |\n");
    for (what, value, limit) in lines {
        let bar = Bar::AtMost(limit);
        let met = word(bar.met(value, value));
        let _ = writeln!(out, "| {what} | {} | {bar} | {met} |", figure(value));
    }
    if handlers.is_empty() {
        out.push('\n');
        return out;
    }
    let starts = handlers.len() as f64;
    let _ = write!(
        out,
        "\nThe handlers' time over {starts} starts, from netplugin's own histogram \
         `contiv_netplugin_call_seconds`:\n\n\
         | call | calls a start | ms a start |\n| --- | --: | --: |\n"
    );
    for (call, spent) in &readings.calls.0 {
        let (count, time) = (spent.count / starts, spent.seconds * 1e3 / starts);
        let _ = writeln!(out, "| {call} | {count:.2} | {time:.2} |");
    }
    out.push('\n');
    out
}

pub(crate) fn word(met: bool) -> &'static str {
    if met { "met" } else { "**not met**" }
}

/// Three digits that count.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests;
