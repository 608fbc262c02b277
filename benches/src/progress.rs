//! What is being done, for whoever waits, and how long all of it has taken.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static BEGIN: OnceLock<Instant> = OnceLock::new();

/// Says what comes next, with the time since the first word.
pub(crate) fn say(what: &str) {
    println!("· {}  {what}", clock(elapsed()));
}

/// Says which round of a part begins.
pub(crate) fn round(what: &str, round: usize, rounds: usize) {
    say(&format!("{what}: round {} of {rounds}", round + 1));
}

/// Since the first word.
pub(crate) fn elapsed() -> Duration {
    BEGIN.get_or_init(Instant::now).elapsed()
}

/// Minutes and seconds.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_secs(5)), "00:05");
        assert_eq!(clock(Duration::from_secs(1205)), "20:05");
    }
}
