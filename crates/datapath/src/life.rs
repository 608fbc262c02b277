//! How long the kernel has been counting.

use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use contiv_datapath_abi::maps;

use crate::{Error, Plane};

/// Changes with each boot.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

impl Plane {
    /// A name for the life of the counters, which is another one when they begin from 0 again,
    /// and when that was, in milliseconds since 1970.
    ///
    /// The pin of a map is made with it, and goes with it.
    pub fn counting_since(&self) -> Result<(String, u64), Error> {
        let path = self.pins().map(maps::RULE_TOTALS);
        let pin =
            std::fs::metadata(&path).map_err(Error::file(format!("look at {}", path.display())))?;
        let boot = std::fs::read_to_string(BOOT).map_err(Error::file(format!("read {BOOT}")))?;
        let (seconds, nanoseconds) = (pin.ctime(), pin.ctime_nsec());
        let life = format!("{}.{}.{seconds}.{nanoseconds}", boot.trim(), pin.ino());
        let since = pin
            .modified()
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let since = since.map_or(0, |at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        Ok((life, since))
    }
}
