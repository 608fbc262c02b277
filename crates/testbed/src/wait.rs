//! Waiting for a condition instead of for a while.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks `probe` until it answers `Ok`, at most for `limit`.
///
/// The probe's error is the state seen so far; the last one is part of the error that says what
/// was awaited.
pub fn wait_for<T, E: Display>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, E>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let state = match probe() {
            Ok(value) => return Ok(value),
            Err(state) => state,
        };
        if Instant::now() >= deadline {
            bail!("waited {limit:?} for {what}; last seen: {state:#}");
        }
        pause(INTERVAL);
    }
}

/// Sleeps between two looks at a condition.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where polling loops pause"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_was_awaited_and_what_was_seen() {
        let mut looks = 0;
        let error = wait_for(Duration::from_millis(50), "three ducks", || {
            looks += 1;
            Err::<(), _>(format!("{looks} looks, no duck"))
        })
        .unwrap_err()
        .to_string();
        assert!(looks > 1);
        assert!(
            error.contains("three ducks") && error.contains("looks, no duck"),
            "{error}"
        );
    }

    #[test]
    fn answers_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let found = wait_for(Duration::from_secs(5), "the third look", || {
            looks += 1;
            if looks == 3 {
                Ok(looks)
            } else {
                Err("not yet")
            }
        });
        assert_eq!(found.unwrap(), 3);
    }
}
