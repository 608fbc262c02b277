//! What an earlier agent has left of other hosts' endpoints.

use std::collections::{BTreeSet, HashMap, HashSet};

use contiv_datapath_abi::endpoint::{AddressKey, SLOTS, Target};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::tunnel::{Remote, is_remote};

use super::{Held, Remotes};
use crate::bpf::Table;
use crate::endpoints::Serials;
use crate::pins::Pins;
use crate::{Error, address};

/// Rows that are read at once.
const STEP: usize = 4096;

impl Remotes {
    /// Knows what is there, and removes what is half there.
    pub(in crate::overlay) fn open(pins: &Pins) -> Result<Remotes, Error> {
        let table = pins.table::<u32, Remote>(maps::REMOTES)?;
        let addresses = pins.table::<AddressKey, Target>(maps::ADDRESSES)?;
        let mut rows = HashMap::new();
        used(&table, |place, row| {
            if row != Remote::default() {
                rows.insert(place, row);
            }
        })?;
        let mut remotes = Remotes {
            serials: Serials::open(pins)?,
            held: HashMap::with_capacity(rows.len()),
            living: HashSet::with_capacity(rows.len()),
            free: Vec::new(),
            next: 0,
            applied: None,
            missing: BTreeSet::new(),
            yielded: false,
            table,
            addresses,
        };
        remotes.recover(rows)?;
        Ok(remotes)
    }

    fn recover(&mut self, rows: HashMap<u32, Remote>) -> Result<(), Error> {
        let (mut by_place, mut strays) = (HashMap::new(), Vec::new());
        let mut ipv6 = HashMap::new();
        used(&self.addresses, |key: AddressKey, target| {
            if !is_remote(target.slot) {
                return;
            }
            let place = target.slot - SLOTS;
            let known = rows
                .get(&place)
                .is_some_and(|row| row.serial == target.serial);
            let slot = if address::is_v4(&key.address) {
                &mut by_place
            } else {
                &mut ipv6
            };
            if !known || slot.insert(place, (key, target.group)).is_some() {
                strays.push(key);
            }
        })?;
        for (place, row) in &rows {
            self.next = self.next.max(place + 1);
            let Some((key, group)) = by_place.remove(place) else {
                self.table.put(place, &Remote::default())?;
                strays.extend(ipv6.remove(place).map(|(key, _)| key));
                continue;
            };
            let held = Held {
                place: *place,
                row: *row,
                group,
                ipv6: ipv6.remove(place).map(|(key, _)| key),
            };
            self.held.insert(key, held);
            self.living.insert(row.serial);
        }
        for key in strays {
            self.addresses.remove(&key)?;
        }
        let used: HashSet<u32> = self.held.values().map(|held| held.place).collect();
        self.free = (0..self.next).filter(|p| !used.contains(p)).collect();
        Ok(())
    }
}

/// Shows each row of a table that is too large to be held at once.
fn used<K, V>(table: &Table<K, V>, mut show: impl FnMut(K, V)) -> Result<(), Error>
where
    K: contiv_datapath_abi::Plain,
    V: contiv_datapath_abi::Plain,
{
    let mut at = None;
    loop {
        let (rows, next) = table.step(at, STEP)?;
        for (key, row) in rows {
            show(key, row);
        }
        if next.is_none() {
            return Ok(());
        }
        at = next;
    }
}
