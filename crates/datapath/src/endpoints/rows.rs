//! Rows of endpoints in the kernel's tables.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::counter::{DropKey, Reason};
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Members, Target};
use contiv_datapath_abi::event::Limits;
use contiv_datapath_abi::{Address, maps};

use super::Local;
use crate::bpf::Table;
use crate::error::Failures;
use crate::pins::Pins;
use crate::private::Private;
use crate::spec::EndpointSpec;
use crate::{Error, address};

/// The host's own slot, whose row is never open: it keeps the highest serial that was ever given.
/// (That of slot 0 must be 0, by which programs know the host and the world.)
pub(super) const COUNTER: u32 = 1;

/// The tables of endpoints.
#[derive(Debug)]
pub(crate) struct Rows {
    endpoints: Table<u32, Endpoint>,
    interfaces: Table<u32, u32>,
    addresses: Table<AddressKey, Target>,
    members: Table<u32, Members>,
    drops: Table<DropKey, u64>,
    limits: Table<u32, Limits>,
}

impl Rows {
    pub(super) fn open(pins: &Pins) -> Result<Rows, Error> {
        Ok(Rows {
            endpoints: pins.table(maps::ENDPOINTS)?,
            interfaces: pins.table(maps::INTERFACES)?,
            addresses: pins.table(maps::ADDRESSES)?,
            members: pins.table(maps::MEMBERS)?,
            drops: pins.table(maps::DROPS)?,
            limits: pins.table(maps::EVENT_LIMITS)?,
        })
    }

    /// Every slot that is not empty.
    pub(super) fn used(&self) -> Result<Vec<Local>, Error> {
        let rows = self.endpoints.rows()?.into_iter();
        let used = rows.filter(|(slot, row)| *slot != COUNTER && *row != Endpoint::default());
        Ok(used.map(|(slot, row)| Local { slot, row }).collect())
    }

    /// A free slot, the lowest of its kind, and a serial that was never used before.
    pub(super) fn reserve(
        &self,
        by_id: &BTreeMap<String, Local>,
        lost: &[Local],
        spec: &EndpointSpec,
        private: Private,
        guest: bool,
    ) -> Result<Local, Error> {
        let used: BTreeSet<u32> = by_id.values().chain(lost).map(|local| local.slot).collect();
        let mut free = private.slots(guest).filter(|slot| !used.contains(slot));
        let slot = free.next().ok_or(Error::Full {
            what: "private subnet",
        })?;
        let mut counter = self.endpoints.get(&COUNTER)?.unwrap_or_default();
        let highest = by_id.values().chain(lost).map(|local| local.row.serial);
        counter.serial = highest.fold(counter.serial, u32::max) + 1;
        self.endpoints.put(&COUNTER, &counter)?;
        let mut local = Local {
            slot,
            row: Endpoint {
                serial: counter.serial,
                ..Endpoint::default()
            },
        };
        local.row = row(spec, &local, private);
        Ok(local)
    }

    pub(super) fn write(&self, local: &Local) -> Result<(), Error> {
        self.endpoints.put(&local.slot, &local.row)
    }

    pub(super) fn write_closed(&self, local: &Local) -> Result<(), Error> {
        let mut closed = *local;
        closed.row.state = Endpoint::CLOSED;
        self.write(&closed)
    }

    /// Lets others find the endpoint: by address and by interface.
    pub(super) fn publish(&self, local: &Local) -> Result<(), Error> {
        let row = &local.row;
        let target = Target {
            slot: local.slot,
            serial: row.serial,
            network: row.network,
            group: row.group,
            mac: row.mac,
            unused: [0; 2],
        };
        for key in keys(row) {
            self.addresses.put(&key, &target)?;
        }
        self.interfaces.put(&row.interface, &local.slot)
    }

    /// Closes the endpoint, and lets nobody find it.
    pub(super) fn withdraw(&self, local: &Local) -> Result<(), Error> {
        self.write_closed(local)?;
        for key in keys(&local.row) {
            // Another one may have come to the address.
            if let Some(target) = self.addresses.get(&key)?
                && target.serial == local.row.serial
            {
                self.addresses.remove(&key)?;
            }
        }
        if self.interfaces.get(&local.row.interface)? == Some(local.slot) {
            self.interfaces.remove(&local.row.interface)?;
        }
        Ok(())
    }

    /// Frees the slot and forgets what was counted.
    pub(super) fn clear(&self, local: &Local) -> Result<(), Error> {
        let mut failures = Failures::default();
        for reason in Reason::ALL {
            let key = DropKey {
                serial: local.row.serial,
                reason: *reason as u32,
            };
            failures.note(self.drops.remove(&key));
        }
        failures.note(self.limits.put(&local.slot, &Limits::default()));
        failures.note(self.endpoints.put(&local.slot, &Endpoint::default()));
        failures.result()
    }

    /// Who of a network gets what is sent to all: those that are open.
    pub(super) fn set_members(
        &self,
        network: u32,
        by_id: &BTreeMap<String, Local>,
    ) -> Result<(), Error> {
        let of_network = by_id
            .values()
            .filter(|local| local.row.network == network && local.row.state != Endpoint::CLOSED);
        let slots: BTreeSet<u32> = of_network.map(|local| local.slot).collect();
        if slots.is_empty() {
            return self.members.remove(&network);
        }
        let mut members = Members {
            count: slots.len() as u32,
            slots: [0; Members::ROOM],
        };
        for (place, slot) in members.slots.iter_mut().zip(&slots) {
            *place = *slot;
        }
        self.members.put(&network, &members)
    }

    /// Dropped packets, by the endpoint's serial and by reason. What was counted for an endpoint
    /// that has gone, by a packet that came late, is removed.
    pub(super) fn drops(
        &self,
        serials: &BTreeSet<u32>,
    ) -> Result<BTreeMap<u32, BTreeMap<String, u64>>, Error> {
        let mut drops: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();
        for key in self.drops.keys()? {
            if key.serial != 0 && !serials.contains(&key.serial) {
                self.drops.remove(&key)?;
                continue;
            }
            let name = Reason::from_number(key.reason).map_or("unknown", Reason::name);
            let count = self.drops.sum(&key)?;
            let of_endpoint = drops.entry(key.serial).or_default();
            *of_endpoint.entry(name.to_owned()).or_default() += count;
        }
        Ok(drops)
    }
}

/// The row of an endpoint, closed.
pub(super) fn row(spec: &EndpointSpec, local: &Local, private: Private) -> Endpoint {
    Endpoint {
        serial: local.row.serial,
        state: Endpoint::CLOSED,
        interface: local.row.interface,
        tenant: spec.tenant,
        network: spec.network,
        group: spec.group,
        ipv4: spec.ipv4.octets(),
        private: private.address(local.slot).octets(),
        ipv6: spec.ipv6.map(|ip| ip.octets()).unwrap_or_default(),
        mac: spec.mac,
        unused: [0; 2],
    }
}

/// Whether a row is that of such an endpoint.
pub(super) fn says(row: &Endpoint, spec: &EndpointSpec) -> bool {
    let said = EndpointSpec {
        tenant: row.tenant,
        network: row.network,
        group: row.group,
        ipv4: row.ipv4.into(),
        ipv6: address::ipv6(row.ipv6),
        mac: row.mac,
    };
    said == *spec
}

fn keys(row: &Endpoint) -> impl Iterator<Item = AddressKey> {
    let key = |address: Address| AddressKey {
        tenant: row.tenant,
        address,
    };
    let v4 = key(address::of_v4(row.ipv4.into()));
    let v6 = address::ipv6(row.ipv6).map(|ip| key(ip.octets()));
    std::iter::once(v4).chain(v6)
}
