//! Running suites, timing them, and adding up what `cargo test` says.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A command that proves something.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    /// What it may take on two cores.
    pub(super) minutes: u64,
    pub(super) command: Command,
}

/// What the suites said so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    ended: Vec<Ended>,
    tally: Tally,
}

#[derive(Debug)]
struct Ended {
    name: &'static str,
    minutes: u64,
    took: Duration,
    failed: bool,
}

/// Sums over the summary lines of `cargo test`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    filtered: u64,
}

impl Report {
    /// Runs a suite; it is killed at twice its budget, since by then it hangs.
    pub(super) fn run(&mut self, suite: &Suite) {
        let mut tally = Tally::default();
        self.task(suite.name, suite.minutes, || follow(suite, &mut tally));
        self.tally.add(&tally);
    }

    /// Runs a task of our own as a suite; says whether it succeeded.
    pub(super) fn task(
        &mut self,
        name: &'static str,
        minutes: u64,
        run: impl FnOnce() -> Result<()>,
    ) -> bool {
        println!("\n━━ {name} (budget {minutes} min) ━━");
        let start = Instant::now();
        let result = run();
        if let Err(error) = &result {
            println!("✗ {name}: {error:#}");
        }
        self.ended.push(Ended {
            name,
            minutes,
            took: start.elapsed(),
            failed: result.is_err(),
        });
        result.is_ok()
    }

    /// Prints times and sums; fails when a suite did.
    pub(super) fn finish(self) -> Result<()> {
        println!("\n━━ suites ━━");
        for suite in &self.ended {
            let mark = if suite.failed { '✗' } else { '✓' };
            let took = suite.took.as_secs_f64() / 60.0;
            let over = if took > suite.minutes as f64 {
                "  OVER ITS BUDGET"
            } else {
                ""
            };
            println!(
                "{mark} {:32} {took:5.1} of {:2} min{over}",
                suite.name, suite.minutes
            );
        }
        let failed: Vec<&str> = self
            .ended
            .iter()
            .filter(|suite| suite.failed)
            .map(|suite| suite.name)
            .collect();
        let took: Duration = self.ended.iter().map(|suite| suite.took).sum();
        let Tally {
            passed,
            failed: wrong,
            ignored,
            filtered,
        } = self.tally;
        let word = if failed.is_empty() { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {word}. {passed} passed; {wrong} failed; {ignored} ignored; \
             0 measured; {filtered} filtered out; finished in {:.2}s",
            took.as_secs_f64()
        );
        super::conclude(&failed)
    }
}

/// Runs the suite, shows its output as it comes, and adds up its summary lines.
fn follow(suite: &Suite, tally: &mut Tally) -> Result<()> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", &format!("{}m", suite.minutes * 2)]);
    command
        .arg(suite.command.get_program())
        .args(suite.command.get_args());
    if let Some(dir) = suite.command.get_current_dir() {
        command.current_dir(dir);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("start the suite")?;
    let output = child.stdout.take().context("the suite's output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        tally.note(&line);
        println!("{line}");
    }
    match child.wait()?.code() {
        Some(0) => Ok(()),
        Some(124 | 137) => bail!("it hangs: stopped after twice its budget"),
        code => bail!("exit code {code:?}"),
    }
}

impl Tally {
    /// Takes one line of output, of which only summaries count.
    fn note(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let Some((_, counts)) = counts.split_once(". ") else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                "filtered out" => self.filtered += number,
                _ => {}
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.filtered += other.filtered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_summaries() {
        let mut tally = Tally::default();
        tally.note("test result: ok. 7 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.07s");
        tally.note("test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s");
        tally.note("test test_result: ok. 9 passed; ... ok");
        assert_eq!(
            tally,
            Tally {
                passed: 10,
                failed: 1,
                ignored: 2,
                filtered: 1
            }
        );
    }

    #[test]
    fn a_failing_suite_fails_the_report_and_the_others_still_run() {
        let mut report = Report::default();
        let mut ran = 0;
        report.task("bad", 1, || bail!("no"));
        report.task("good", 1, || {
            ran += 1;
            Ok(())
        });
        assert_eq!(ran, 1);
        assert_eq!(report.finish().unwrap_err().to_string(), "failed: bad");
    }

    #[test]
    fn a_command_s_failure_and_its_sums_are_seen() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test result: ok. 4 passed; 0 failed; finished'; exit 3",
        ]);
        let mut tally = Tally::default();
        let suite = Suite {
            name: "x",
            minutes: 1,
            command,
        };
        assert!(
            follow(&suite, &mut tally)
                .unwrap_err()
                .to_string()
                .contains('3')
        );
        assert_eq!(tally.passed, 4);
    }
}
