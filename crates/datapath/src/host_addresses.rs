//! The host's own addresses, which guests may not reach.

use std::collections::BTreeSet;

use contiv_datapath_abi::tenant::HOST_ADDRESSES;
use contiv_datapath_abi::{Address, maps};
use ipnet::IpNet;

use crate::bpf::Table;
use crate::error::Failures;
use crate::pins::Pins;
use crate::{Error, address};

/// The table of the host's addresses, with a copy of what it holds.
#[derive(Debug)]
pub(crate) struct HostAddresses {
    table: Table<Address, u32>,
    rows: BTreeSet<Address>,
}

impl HostAddresses {
    pub(crate) fn open(pins: &Pins) -> Result<HostAddresses, Error> {
        let table = pins.table::<Address, u32>(maps::HOST_ADDRESSES)?;
        let rows = table.rows()?.into_iter().map(|(address, _)| address);
        Ok(HostAddresses {
            rows: rows.collect(),
            table,
        })
    }

    /// Makes the table hold these addresses of links.
    pub(crate) fn set(&mut self, addresses: &[(u32, IpNet)]) -> Result<(), Error> {
        let wanted: BTreeSet<Address> = addresses
            .iter()
            .map(|(_, net)| address::bytes(net.addr()))
            .take(HOST_ADDRESSES as usize)
            .collect();
        let mut failures = Failures::default();
        for new in wanted.difference(&self.rows) {
            failures.note(self.table.put(new, &1));
        }
        for old in self.rows.difference(&wanted) {
            failures.note(self.table.remove(old));
        }
        self.rows = wanted;
        failures.result()
    }
}
