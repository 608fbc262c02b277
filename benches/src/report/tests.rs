//! What the report says about figures that are made up.

use super::*;
use crate::load::Load;

/// Streams at 90 and 96 % of the measure, ten rounds alike; the rest as it should be.
fn readings(ours: f64) -> Readings {
    let mut readings = Readings {
        machine: vec![("kernel", "Linux 1.0".to_owned())],
        rounds: 10,
        handlers: vec![5.0; 20],
        ready_first: vec![100.0],
        ready_again: vec![50.0],
        resident_mib: 41.0,
        ..Readings::default()
    };
    for round in 0..10 {
        let stream = Suite::Traffic(Load::Stream);
        let speed = 10.0 + f64::from(round);
        readings.note(stream, Contender::Veth, vec![speed]);
        readings.note(stream, Contender::Contiv, vec![speed * ours]);
    }
    readings
}

fn line<'a>(report: &'a str, start: &str) -> &'a str {
    report
        .lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no line {start:?} in:\n{report}"))
}

#[test]
fn bars_are_held_against_the_interval() {
    let good = whole(&readings(0.96), None);
    assert_eq!(
        line(&good, "| Contiv"),
        "| Contiv, 100 rules | 13.9 | 9.60 – 18.2 | 0.960 | 0.960 [0.960, 0.960] | ≥ 0.95 | met |"
    );
    let bad = whole(&readings(0.90), None);
    assert!(line(&bad, "| Contiv").ends_with("≥ 0.95 | **not met** |"));
}

#[test]
fn the_agents_own_figures_have_bars_too() {
    let report = whole(&readings(1.0), None);
    assert!(line(&report, "| handlers of one start, median").ends_with("| met |"));
    assert!(line(&report, "| resident memory").ends_with("| ≤ 40 | **not met** |"));
}

#[test]
fn suites_that_were_not_read_are_left_out() {
    assert!(!whole(&readings(1.0), None).contains("## TCP round trip"));
}

#[test]
fn causes_that_were_written_by_hand_survive_a_new_run() {
    let first = whole(&readings(0.9), None);
    let edited = first.replace("None is written down yet.", "The moon.\n\nAnd the tide.");
    let second = whole(&readings(0.8), kept(&edited));
    assert!(second.ends_with("## Causes of shortfalls\n\nThe moon.\n\nAnd the tide.\n"));
    assert_eq!(second.matches("# Contiv beside").count(), 1);
}
