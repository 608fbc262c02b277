//! The report, written from the readings alone; only the causes of shortfalls are written by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::{OPTIMISED, root, target};
use crate::readings::Readings;
use crate::stats::{Ratio, median, quantile};
use crate::suite::{Bar, Contender, Suite};

/// What stands below this heading is kept when the report is written anew.
const CAUSES: &str = "## Causes of shortfalls";

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
         All contenders take turns, and who is first changes; a round's figure is the median of its \
         turns. Client and server are \
         threads in the namespaces of the two ends, on a processor of their own each. Ours is a \
         group with connection tracking and 100 or 1,000 rules, which deny what they do not name, both \
         ways. A ratio is one of medians over the rounds, with its 95 % bootstrap interval; it \
         holds when the interval includes the bar. Absolute figures are this machine's alone.\n\n",
        readings.rounds
    );
    out.push_str(&tables(readings));
    if !readings.handlers.is_empty() {
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
        if readings.of(suite, contenders[0]).is_empty() {
            continue;
        }
        let measure = contenders[0].title();
        let (title, meaning, unit) = (suite.title(), suite.meaning(), suite.unit());
        let _ = write!(
            out,
            "## {title}\n\n{meaning}.\n\n\
             | contender | median, {unit} | lowest – highest | ratio to the {measure} | bar | |\n\
             | --- | --: | --: | --: | --- | --- |\n"
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
    let figures = readings.of(suite, contender);
    let Some(ratio) = readings.ratio(suite, contender) else {
        return;
    };
    let (low, high) = (quantile(figures, 0.0), quantile(figures, 1.0));
    let ratio_text = format!("{:.3} [{:.3}, {:.3}]", ratio.value, ratio.low, ratio.high);
    let (ratio_text, bar, met) = match contender {
        _ if contender == suite.contenders()[0] => ("1".to_owned(), String::new(), ""),
        Contender::Contiv | Contender::ContivThousand => {
            let bar = suite.bar();
            (
                ratio_text,
                bar.to_string(),
                word(bar.met(ratio.low, ratio.high)),
            )
        }
        _ => (ratio_text, String::new(), ""),
    };
    let _ = writeln!(
        out,
        "| {} | {} | {} – {} | {ratio_text} | {bar} | {met} |",
        contender.title(),
        figure(median(figures)),
        figure(low),
        figure(high),
    );
}

/// What is held to Docker's default bridge as well.
fn to_docker(out: &mut String, readings: &Readings, suite: Suite) {
    let theirs = readings.of(suite, Contender::DockerBridge);
    let Some(bar) = suite.bar_to_docker().filter(|_| !theirs.is_empty()) else {
        return;
    };
    for contender in [Contender::Contiv, Contender::ContivThousand] {
        let ours = readings.of(suite, contender);
        if ours.is_empty() {
            continue;
        }
        let ratio = Ratio::of(ours, theirs);
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
    let lines = [
        ("handlers of one start, median, ms", median(handlers), 10.0),
        (
            "handlers of one start, 99th percentile, ms",
            quantile(handlers, 0.99),
            25.0,
        ),
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
    let mut out =
        String::from("## netplugin\n\n| figure | value | bar | |\n| --- | --: | --- | --- |\n");
    for (what, value, limit) in lines {
        let bar = Bar::AtMost(limit);
        let met = word(bar.met(value, value));
        let _ = writeln!(out, "| {what} | {} | {bar} | {met} |", figure(value));
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
