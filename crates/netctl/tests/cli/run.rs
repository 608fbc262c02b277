//! Runs the binary.

use std::process::{Command, Stdio};

/// What one run of netctl did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs netctl with these words; `master` is what the environment names.
pub(crate) fn netctl(master: &str, words: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_netctl"))
        .args(words)
        .env("NETMASTER", master)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// The one line that says what went wrong.
    pub(crate) fn complaint(&self) -> &str {
        let last = self.stderr.lines().last().unwrap_or_default();
        last.strip_prefix("netctl: ")
            .unwrap_or_else(|| panic!("no complaint: {self:?}"))
    }

    /// Asserts success and gives what was printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        self.stdout
    }

    /// Asserts this exit code and gives the complaint.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.complaint().to_owned()
    }
}
