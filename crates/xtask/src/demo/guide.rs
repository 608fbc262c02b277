//! Runs one command at a time and says what was expected and what came.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a step that is expected to become true may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the reader is told to expect, checked.
#[derive(Debug, Clone)]
pub(crate) enum Expect {
    /// The command succeeds.
    Success,
    /// The command succeeds and its output has these texts, blanks counted once.
    Prints(Vec<String>),
    /// The command succeeds and its output is this, blanks counted once.
    Says(String),
    /// The command fails.
    Failure,
}

/// The walker of the tour.
#[derive(Debug)]
pub(crate) struct Guide {
    path: OsString,
    steps: u32,
}

struct Outcome {
    success: bool,
    text: String,
}

impl Guide {
    pub(crate) fn new(programs: &Path) -> Self {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&old));
        let path = std::env::join_paths(dirs).unwrap_or(old);
        Self { path, steps: 0 }
    }

    /// How many steps went well.
    pub(crate) fn steps(&self) -> u32 {
        self.steps
    }

    /// Opens a chapter.
    pub(crate) fn chapter(&self, title: &str) {
        println!("\n━━ {title} ━━");
    }

    /// Runs a command line, which must meet the expectation at once.
    pub(crate) fn step(&mut self, line: &str, why: &str, expect: &Expect) -> Result<()> {
        self.walk(line, why, expect, Duration::ZERO)
    }

    /// Runs a command line again until it meets the expectation, within a few seconds.
    pub(crate) fn soon(&mut self, line: &str, why: &str, expect: &Expect) -> Result<()> {
        self.walk(line, why, expect, PATIENCE)
    }

    fn walk(&mut self, line: &str, why: &str, expect: &Expect, patience: Duration) -> Result<()> {
        println!("\n$ {line}");
        println!("  expected: {why}");
        let deadline = Instant::now() + patience;
        let outcome = loop {
            let outcome = self.run(line)?;
            if expect.met(&outcome) || Instant::now() >= deadline {
                break outcome;
            }
        };
        for (index, text) in outcome.text.lines().enumerate() {
            println!(
                "  {}{text}",
                if index == 0 {
                    "got:      "
                } else {
                    "          "
                }
            );
        }
        if !expect.met(&outcome) {
            println!("  ✗ a surprise");
            let end = if outcome.success {
                "success"
            } else {
                "failure"
            };
            bail!("`{line}` ended in {end}; expected: {why} ({expect:?})");
        }
        println!("  ✓");
        self.steps += 1;
        Ok(())
    }

    fn run(&self, line: &str) -> Result<Outcome> {
        let output = Command::new("sh")
            .args(["-c", line])
            .env("PATH", &self.path)
            .output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Outcome {
            success: output.status.success(),
            text: text.trim_end().to_owned(),
        })
    }
}

impl Expect {
    fn met(&self, outcome: &Outcome) -> bool {
        let text = blanks_once(&outcome.text);
        match self {
            Self::Success => outcome.success,
            Self::Prints(parts) => {
                outcome.success && parts.iter().all(|part| text.contains(&blanks_once(part)))
            }
            Self::Says(all) => outcome.success && text == blanks_once(all),
            Self::Failure => !outcome.success,
        }
    }
}

fn blanks_once(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surprise_ends_the_tour() {
        let mut guide = Guide::new(Path::new("/nowhere"));
        guide
            .step("echo 'a   b'", "a b", &Expect::Says("a b".into()))
            .unwrap();
        guide.step("false", "a failure", &Expect::Failure).unwrap();
        assert_eq!(guide.steps(), 2);
        guide
            .step("false", "success", &Expect::Success)
            .unwrap_err();
        guide
            .step("echo a; false", "a", &Expect::Prints(vec!["a".into()]))
            .unwrap_err();
        let error = guide
            .step("echo a", "b", &Expect::Prints(vec!["b".into()]))
            .unwrap_err();
        assert!(error.to_string().contains("echo a"), "{error}");
        guide.step("true", "failure", &Expect::Failure).unwrap_err();
        assert_eq!(guide.steps(), 2);
    }

    #[test]
    fn patience_runs_a_command_again() {
        let dir = std::env::temp_dir().join(format!("guide-{}", std::process::id()));
        let line = format!("echo x >> {0}; test $(wc -l < {0}) -ge 3", dir.display());
        Guide::new(Path::new("/nowhere"))
            .soon(&line, "the third time", &Expect::Success)
            .unwrap();
        assert_eq!(std::fs::read_to_string(&dir).unwrap().lines().count(), 3);
        std::fs::remove_file(dir).unwrap();
    }
}
