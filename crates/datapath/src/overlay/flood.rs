//! Which hosts get what is sent to all of a network.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::maps;
use contiv_datapath_abi::tunnel::Flood;

use crate::Error;
use crate::bpf::Table;
use crate::error::Failures;
use crate::pins::Pins;

/// The table of floods, with a copy of what it holds.
#[derive(Debug)]
pub(super) struct Floods {
    table: Table<u32, Flood>,
    rows: BTreeMap<u32, Flood>,
    on: bool,
}

impl Floods {
    pub(super) fn open(pins: &Pins) -> Result<Floods, Error> {
        let table = pins.table::<u32, Flood>(maps::FLOOD)?;
        let rows = table.rows()?.into_iter().collect();
        Ok(Floods {
            table,
            rows,
            on: false,
        })
    }

    /// Makes the table say who holds members; `members` is asked when that, or the mode, has changed.
    pub(super) fn set(
        &mut self,
        on: bool,
        changed: bool,
        members: impl FnOnce() -> BTreeMap<u32, BTreeSet<u32>>,
        vnis: &BTreeMap<u32, u32>,
    ) -> Result<(), Error> {
        if !changed && on == self.on {
            return Ok(());
        }
        let wanted = if on { members() } else { BTreeMap::new() };
        let mut failures = Failures::default();
        let gone = self.rows.keys().filter(|n| !wanted.contains_key(n));
        for network in gone.copied().collect::<Vec<_>>() {
            if failures.note(self.table.remove(&network)).is_some() {
                self.rows.remove(&network);
            }
        }
        for (network, hosts) in wanted {
            let vni = vnis.get(&network).copied().unwrap_or_default();
            let row = row(vni, &hosts);
            if self.rows.get(&network) != Some(&row)
                && failures.note(self.table.put(&network, &row)).is_some()
            {
                self.rows.insert(network, row);
            }
        }
        self.on = on;
        failures.result()
    }
}

fn row(vni: u32, hosts: &BTreeSet<u32>) -> Flood {
    let mut row = Flood {
        vni,
        count: hosts.len() as u32,
        hosts: [0; Flood::ROOM],
    };
    for (place, host) in row.hosts.iter_mut().zip(hosts) {
        *place = *host;
    }
    row
}
