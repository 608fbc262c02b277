//! What every command shares: the way out for results, and patience.

use std::io::{self, Write};
use std::time::Duration;

use contiv_client::Timeouts;

use crate::failure::Failure;

/// One run of netctl.
pub(crate) struct Session {
    out: io::Stdout,
}

impl Session {
    pub(crate) fn new() -> Session {
        Session { out: io::stdout() }
    }

    /// How long a person waits for a master.
    pub(crate) fn timeouts() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(3),
            call: Duration::from_secs(15),
            ..Timeouts::default()
        }
    }

    /// Writes `text`, which ends with a line break, as a result.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()?;
        Ok(())
    }

    /// Writes one line of what is being done.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        self.print(&format!("{line}\n"))
    }
}
