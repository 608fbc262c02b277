//! Where this master looks for free addresses first.
//!
//! A master that is alone takes the lowest free one, as people expect. Masters that meet at
//! addresses each take a lane of their own: another one by chance whenever they meet again,
//! until they do not. After some time without it everybody is back at the lowest.

use std::time::Duration;

use contiv_fabric::Lane;
use tokio::time::Instant;
use uuid::Uuid;

/// Keys at which masters meet that take addresses.
const ADDRESSES: &str = "/addresses/";

/// Without a meeting for this long, the lowest are looked at again.
const LONELY: Duration = Duration::from_secs(10);

/// What was decided before the lane was taken may still meet others.
const FRESH: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The lane, and when it was taken.
    lane: Option<(Lane, Instant)>,
    met: Option<Instant>,
}

impl Lanes {
    /// The lane that is in use.
    pub(super) fn now(&mut self) -> Option<Lane> {
        if self.met.is_some_and(|met| met.elapsed() > LONELY) {
            *self = Lanes::default();
        }
        self.lane.map(|(lane, _)| lane)
    }

    /// Takes note that another one was faster at this key.
    pub(super) fn met(&mut self, key: &str) {
        if !key.starts_with(ADDRESSES) {
            return;
        }
        self.met = Some(Instant::now());
        if self.lane.is_none_or(|(_, since)| since.elapsed() > FRESH) {
            let lane = Lane::new(Uuid::new_v4().as_bytes()[0]);
            self.lane = Some((lane, Instant::now()));
        }
    }
}
