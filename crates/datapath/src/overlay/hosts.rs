//! The other hosts, by index in the kernel's table.
//!
//! A host keeps its index as long as it is known. A row does not say whose it is, but a tunnel's
//! end is one host's alone: by it a later agent knows its rows again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contiv_datapath_abi::tunnel::{HOSTS, HostRow};
use contiv_datapath_abi::{Words, maps};

use crate::bpf::Table;
use crate::error::Failures;
use crate::inspect::PathFacts;
use crate::pins::Pins;
use crate::shortfall::{Shortfalls, Subject};
use crate::spec::HostSpec;
use crate::{Error, address};

/// The smallest path of which endpoints are told: every IPv6 link takes as much, and the kernel
/// cuts the outer packet where the underlay takes less.
const LEAST: u32 = 1280;

/// What the underlay is like at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Here {
    pub(super) address: IpAddr,
    /// Largest packet of the link that leads to other hosts.
    pub(super) mtu: u32,
    /// What the tunnel adds to a packet.
    pub(super) overhead: u32,
}

/// The table of hosts, with a copy of what it holds.
#[derive(Debug)]
pub(super) struct Hosts {
    table: Table<u32, HostRow>,
    rows: BTreeMap<u32, HostRow>,
    names: BTreeMap<String, u32>,
    addresses: BTreeMap<String, IpAddr>,
    /// Paths that take less than the link, by host.
    paths: BTreeMap<String, u32>,
}

impl Hosts {
    pub(super) fn open(pins: &Pins) -> Result<Hosts, Error> {
        let table = pins.table::<u32, HostRow>(maps::HOSTS)?;
        let rows = table.rows()?.into_iter();
        let rows = rows.filter(|(_, row)| *row != HostRow::default());
        Ok(Hosts {
            rows: rows.collect(),
            table,
            names: BTreeMap::new(),
            addresses: BTreeMap::new(),
            paths: BTreeMap::new(),
        })
    }

    /// Indexes by name.
    pub(super) fn names(&self) -> &BTreeMap<String, u32> {
        &self.names
    }

    /// Ends of the tunnel by name.
    pub(super) fn addresses(&self) -> &BTreeMap<String, IpAddr> {
        &self.addresses
    }

    /// Writes the rows of these hosts; those of others stay until [`sweep`](Self::sweep), since
    /// endpoints may still be at them.
    pub(super) fn set(
        &mut self,
        hosts: &BTreeMap<String, HostSpec>,
        here: &Here,
        lacks: &mut Shortfalls,
    ) {
        self.names.retain(|name, _| hosts.contains_key(name));
        self.paths.retain(|name, _| hosts.contains_key(name));
        self.addresses.clear();
        let mut addresses = BTreeSet::from([here.address]);
        for (name, spec) in hosts {
            let set = self.set_one(name, spec, here, &mut addresses);
            if lacks.note(Subject::Host(name.clone()), set).is_none() {
                self.names.remove(name);
                continue;
            }
            self.addresses.insert(name.clone(), spec.address);
        }
    }

    fn set_one(
        &mut self,
        name: &str,
        spec: &HostSpec,
        here: &Here,
        addresses: &mut BTreeSet<IpAddr>,
    ) -> Result<(), Error> {
        let wrong = |message: String| Error::Host {
            host: name.to_owned(),
            message,
        };
        if spec.address.is_ipv4() != here.address.is_ipv4() {
            return Err(wrong(format!(
                "its tunnel address {} is of another family than {}, this host's; give all hosts addresses of one family",
                spec.address, here.address
            )));
        }
        if !addresses.insert(spec.address) {
            return Err(wrong(format!(
                "its tunnel address {} is another host's, too; give each host its own",
                spec.address
            )));
        }
        let end = Words::new(address::bytes(spec.address));
        let index = match self.names.get(name) {
            Some(index) => *index,
            None => {
                let (index, known) = self.claim(end)?;
                let path = known.map_or(here.mtu, |row| row.mtu + here.overhead);
                if path < here.mtu {
                    self.paths.insert(name.to_owned(), path);
                }
                self.names.insert(name.to_owned(), index);
                index
            }
        };
        self.write(name, index, end, here)
    }

    /// The row that has the address and is nobody's yet, or a free one.
    fn claim(&self, end: Words) -> Result<(u32, Option<HostRow>), Error> {
        let claimed: BTreeSet<u32> = self.names.values().copied().collect();
        let mut free = self.rows.iter().filter(|(i, _)| !claimed.contains(i));
        if let Some((index, row)) = free.find(|(_, row)| row.address == end) {
            return Ok((*index, Some(*row)));
        }
        let mut free = (1..HOSTS).filter(|i| !claimed.contains(i) && !self.rows.contains_key(i));
        let index = free.next().ok_or(Error::Full { what: "hosts" })?;
        Ok((index, None))
    }

    fn write(&mut self, name: &str, index: u32, end: Words, here: &Here) -> Result<(), Error> {
        let path = self.paths.get(name).copied().unwrap_or(here.mtu);
        let row = HostRow {
            address: end,
            mtu: inner(path.min(here.mtu), here.overhead),
            unused: 0,
        };
        if self.rows.get(&index) != Some(&row) {
            self.table.put(&index, &row)?;
            self.rows.insert(index, row);
        }
        Ok(())
    }

    /// Notes what the path to a host takes; nothing if the host is not known.
    pub(super) fn set_path(&mut self, name: &str, mtu: u32, here: &Here) -> Result<(), Error> {
        let Some(index) = self.names.get(name).copied() else {
            return Ok(());
        };
        let Some(end) = self.rows.get(&index).map(|row| row.address) else {
            return Ok(());
        };
        self.paths.insert(name.to_owned(), mtu);
        self.write(name, index, end, here)
    }

    /// What was found out of the way to each host.
    pub(super) fn paths(&self) -> BTreeMap<String, PathFacts> {
        let facts = |(name, address): (&String, &IpAddr)| {
            let mtu = self.paths.get(name).copied();
            (
                name.clone(),
                PathFacts {
                    address: *address,
                    mtu,
                },
            )
        };
        self.addresses.iter().map(facts).collect()
    }

    /// Empties the rows of hosts that are not known any more.
    pub(super) fn sweep(&mut self) -> Result<(), Error> {
        let known: BTreeSet<u32> = self.names.values().copied().collect();
        let gone = self.rows.keys().filter(|index| !known.contains(index));
        let mut failures = Failures::default();
        for index in gone.copied().collect::<Vec<_>>() {
            let emptied = self.table.put(&index, &HostRow::default());
            if failures.note(emptied).is_some() {
                self.rows.remove(&index);
            }
        }
        failures.result()
    }

    /// Forgets all hosts.
    pub(super) fn clear(&mut self) -> Result<(), Error> {
        self.names.clear();
        self.addresses.clear();
        self.paths.clear();
        self.sweep()
    }
}

/// What is left for an endpoint's packet.
pub(super) fn inner(mtu: u32, overhead: u32) -> u32 {
    mtu.saturating_sub(overhead).max(LEAST)
}
