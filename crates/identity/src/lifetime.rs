//! How long certificates are good for. Times are milliseconds since 1970.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::Error;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long each kind of certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub authority: Duration,
    pub server: Duration,
    pub host: Duration,
    /// A certificate is good from this long before it was made, since clocks differ.
    pub skew: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Lifetimes {
            authority: 3650 * DAY,
            server: 90 * DAY,
            host: 365 * DAY,
            skew: Duration::from_secs(5 * 60),
        }
    }
}

/// When a certificate of a server is made anew: two thirds of the way to its end.
pub fn renew_at(made: u64, until: u64) -> u64 {
    made + until.saturating_sub(made) / 3 * 2
}

/// The first and the last moment of a certificate that is made now. None outlives its authority.
pub(crate) fn span(
    now: u64,
    skew: Duration,
    good_for: Duration,
    end: Option<u64>,
) -> Result<(OffsetDateTime, OffsetDateTime), Error> {
    let until = now.saturating_add(millis(good_for));
    let until = until.min(end.unwrap_or(u64::MAX));
    Ok((moment(now.saturating_sub(millis(skew)))?, moment(until)?))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn moment(time: u64) -> Result<OffsetDateTime, Error> {
    let seconds = i64::try_from(time / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|e| Error::unmakable("a certificate of that time", e))
}
