//! Numbers that no endpoint ever had before, of this host or of another.

use contiv_datapath_abi::endpoint::Endpoint;
use contiv_datapath_abi::maps;

use super::rows::COUNTER;
use crate::Error;
use crate::bpf::Table;
use crate::pins::Pins;

/// The counter of serials, which outlives agents.
#[derive(Debug)]
pub(crate) struct Serials {
    endpoints: Table<u32, Endpoint>,
}

impl Serials {
    pub(crate) fn open(pins: &Pins) -> Result<Serials, Error> {
        Ok(Serials {
            endpoints: pins.table(maps::ENDPOINTS)?,
        })
    }

    /// The first of so many numbers that follow each other.
    pub(crate) fn take(&self, count: u32) -> Result<u32, Error> {
        let mut counter = self.endpoints.get(&COUNTER)?.unwrap_or_default();
        let first = counter.serial + 1;
        counter.serial += count;
        self.endpoints.put(&COUNTER, &counter)?;
        Ok(first)
    }
}
