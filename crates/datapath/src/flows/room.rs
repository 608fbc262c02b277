//! Shares of the table of connections.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::flow::{FLOWS, Flow, FlowKey, Room, Taken};
use contiv_datapath_abi::maps;

use crate::Error;
use crate::bpf::Table;
use crate::pins::Pins;
use crate::totals::FlowUse;

/// Rows that are nobody's share, so that a tenant that comes finds some while others still have
/// more than their new share: one of so many.
const RESERVE: u32 = 8;
/// Rows that are counted in one step.
const STEP: usize = 16_384;

/// What tenants may have of the table, and what they have.
#[derive(Debug)]
pub(super) struct Rooms {
    taken: Table<u32, Taken>,
    table: Table<u32, Room>,
    /// What the table holds, which nobody else writes.
    rooms: BTreeMap<u32, Room>,
    share: u32,
}

impl Rooms {
    /// Takes over what an earlier agent has left, and counts anew what that one may not have come
    /// to write down.
    pub(super) fn open(pins: &Pins, flows: &Table<FlowKey, Flow>) -> Result<Rooms, Error> {
        let table: Table<u32, Room> = pins.table(maps::FLOW_ROOM)?;
        let taken: Table<u32, Taken> = pins.table(maps::FLOWS_TAKEN)?;
        let known = table.rows()?.into_iter();
        let known = known.filter(|(_, room)| *room != Room::default());
        let mut rooms = Rooms {
            taken,
            table,
            share: share_among(1),
            rooms: known.collect(),
        };
        if !rooms.rooms.is_empty() {
            rooms.count(flows)?;
        }
        Ok(rooms)
    }

    fn count(&mut self, flows: &Table<FlowKey, Flow>) -> Result<(), Error> {
        let mut taken = BTreeMap::new();
        for tenant in self.rooms.keys() {
            taken.insert(*tenant, self.taken.get(tenant)?.unwrap_or_default().rows);
        }
        let mut at = None;
        loop {
            let (rows, next) = flows.step(at, STEP)?;
            for (key, _) in rows {
                if let Some(count) = taken.get_mut(&key.tenant) {
                    *count = count.saturating_sub(1);
                }
            }
            match next {
                Some(_) => at = next,
                None => break,
            }
        }
        for (tenant, freed) in taken {
            self.write(tenant, |room| room.freed = freed)?;
        }
        Ok(())
    }

    /// Gives each of these tenants, and each that has rows already, the same share.
    pub(super) fn share(&mut self, tenants: impl Iterator<Item = u32>) -> Result<(), Error> {
        let tenants: BTreeSet<u32> = tenants.collect();
        let share = share_among(tenants.len());
        self.share = share;
        let all: BTreeSet<u32> = self.rooms.keys().copied().chain(tenants).collect();
        for tenant in all {
            self.write(tenant, |room| room.share = share)?;
        }
        Ok(())
    }

    fn write(&mut self, tenant: u32, change: impl FnOnce(&mut Room)) -> Result<(), Error> {
        let old = self.rooms.get(&tenant).copied().unwrap_or_default();
        let mut new = old;
        change(&mut new);
        if new != old {
            self.table.put(&tenant, &new)?;
            self.rooms.insert(tenant, new);
        }
        Ok(())
    }

    /// Notes that rows were removed.
    pub(super) fn free(&mut self, freed: &BTreeMap<u32, u64>) -> Result<(), Error> {
        for (tenant, rows) in freed {
            self.write(*tenant, |room| room.freed += rows)?;
        }
        Ok(())
    }

    /// The tenants that are under pressure.
    pub(super) fn pressed(&self) -> Result<BTreeSet<u32>, Error> {
        let mut pressed = BTreeSet::new();
        for (tenant, room) in &self.rooms {
            let taken = self.taken.get(tenant)?.unwrap_or_default();
            if !room.has_left(&taken, false) {
                pressed.insert(*tenant);
            }
        }
        Ok(pressed)
    }

    pub(super) fn usage(&self) -> Result<FlowUse, Error> {
        let mut usage = FlowUse {
            rows: FLOWS,
            share: self.share,
            ..FlowUse::default()
        };
        for (tenant, room) in &self.rooms {
            let taken = self.taken.get(tenant)?.unwrap_or_default();
            let used = u32::try_from(room.used(&taken)).unwrap_or(FLOWS);
            if used != 0 {
                usage.used.insert(*tenant, used);
            }
            if taken.crowded != 0 {
                usage.crowded.insert(*tenant, taken.crowded);
            }
        }
        Ok(usage)
    }
}

/// Rows of each of so many tenants.
fn share_among(tenants: usize) -> u32 {
    let tenants = u32::try_from(tenants.max(1)).unwrap_or(u32::MAX);
    (FLOWS - FLOWS / RESERVE) / tenants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_a_reserve_whatever_the_number_of_tenants() {
        for tenants in [0, 1, 3, 1_000] {
            let all = share_among(tenants) as usize * tenants.max(1);
            assert!(all <= (FLOWS - FLOWS / RESERVE) as usize, "{tenants}");
        }
        assert!(share_among(1_000) > 0);
    }
}
