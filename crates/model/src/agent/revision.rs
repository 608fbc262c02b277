//! Points in the history of the store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in the history of the store. A restore from a snapshot starts a new epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision {
    pub epoch: u64,
    pub number: u64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

impl FromStr for Revision {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parsed = s.split_once('.').and_then(|(e, n)| {
            Some(Revision {
                epoch: e.parse().ok()?,
                number: n.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| format!("revision {s:?} is not of the form EPOCH.NUMBER"))
    }
}
