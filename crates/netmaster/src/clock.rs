//! The time of day, as one master knows it.

use std::fmt;
use std::sync::Arc;

use contiv_fabric::record::Stamp;
use jiff::Timestamp;
use uuid::Uuid;

/// Says what time it is: this machine's clock, or another one in its place.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> u64 + Send + Sync>>);

impl Clock {
    /// A clock that says, in milliseconds since 1970, what `now` answers.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Clock {
        Clock(Some(Arc::new(now)))
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        match &self.0 {
            Some(now) => now(),
            None => now(),
        }
    }

    /// The uid and the time of something new.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            uid: Uuid::new_v4().to_string(),
            time: self.now(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Milliseconds since 1970, by this machine's clock.
pub(crate) fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
