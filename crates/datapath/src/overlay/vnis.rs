//! What numbers on the wire stand for.

use std::collections::BTreeMap;

use contiv_datapath_abi::maps;
use contiv_datapath_abi::tunnel::Vni;

use crate::Error;
use crate::bpf::Table;
use crate::error::Failures;
use crate::pins::Pins;
use crate::shortfall::{Shortfalls, Subject};
use crate::spec::NetworkSpec;

/// The table of numbers, with a copy of what it holds.
#[derive(Debug)]
pub(super) struct Vnis {
    table: Table<u32, Vni>,
    rows: BTreeMap<u32, Vni>,
}

impl Vnis {
    pub(super) fn open(pins: &Pins) -> Result<Vnis, Error> {
        let table = pins.table::<u32, Vni>(maps::VNIS)?;
        let rows = table.rows()?.into_iter().collect();
        Ok(Vnis { table, rows })
    }

    /// Makes the table hold the numbers of these networks, and says which networks have one.
    pub(super) fn set(
        &mut self,
        networks: &BTreeMap<u32, NetworkSpec>,
        failures: &mut Failures,
        lacks: &mut Shortfalls,
    ) -> BTreeMap<u32, u32> {
        let (mut wanted, mut by_network) = (BTreeMap::new(), BTreeMap::new());
        for (number, network) in networks.iter().filter(|(_, network)| network.vni != 0) {
            let row = Vni {
                tenant: network.tenant,
                network: *number,
            };
            let before = wanted.insert(network.vni, row);
            if let Some(first) = before {
                wanted.insert(network.vni, first);
                let twice = Err::<(), _>(Error::VniTaken {
                    network: *number,
                    vni: network.vni,
                    holder: first.network,
                });
                lacks.note(Subject::Network(*number), twice);
                continue;
            }
            by_network.insert(*number, network.vni);
        }
        let gone = self.rows.keys().filter(|vni| !wanted.contains_key(vni));
        for vni in gone.copied().collect::<Vec<_>>() {
            if failures.note(self.table.remove(&vni)).is_some() {
                self.rows.remove(&vni);
            }
        }
        for (vni, row) in wanted {
            if self.rows.get(&vni) == Some(&row) {
                continue;
            }
            let put = self.table.put(&vni, &row);
            if lacks.note(Subject::Network(row.network), put).is_some() {
                self.rows.insert(vni, row);
            }
        }
        by_network
    }
}
