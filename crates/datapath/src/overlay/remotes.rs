//! Endpoints of other hosts in the kernel's tables.
//!
//! One comes into being in this order: its own row, then its addresses; and goes in the opposite
//! sense: its row first, so that flows that name it lead nowhere, then its addresses. An address
//! that an endpoint of this host has is that one's, whatever others say: who moves here is here.

mod recover;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use contiv_datapath_abi::endpoint::{AddressKey, SLOTS, Target};
use contiv_datapath_abi::tunnel::{REMOTES, Remote};

use crate::bpf::Table;
use crate::endpoints::Serials;
use crate::error::Failures;
use crate::pins::hash;
use crate::spec::RemoteSpec;
use crate::{Error, address};

/// What endpoints are compared with the last time they were looked through.
#[derive(Clone, Debug)]
struct Applied {
    remote: Arc<BTreeMap<String, RemoteSpec>>,
    ways: Ways,
}

/// What else decides whether and how an endpoint is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// Indexes of hosts.
    pub(super) hosts: BTreeMap<String, u32>,
    /// Numbers on the wire, by network.
    pub(super) vnis: BTreeMap<u32, u32>,
}

/// An endpoint in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// Less [`SLOTS`].
    place: u32,
    row: Remote,
    group: u32,
    ipv6: Option<AddressKey>,
}

/// What a look through the endpoints has brought.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Tenants whose flows must be judged again.
    pub(super) stale: BTreeSet<u32>,
    /// Hosts that hold endpoints and are not known.
    pub(super) missing: BTreeSet<String>,
}

/// The tables of other hosts' endpoints, with a copy of what they hold.
#[derive(Debug)]
pub(crate) struct Remotes {
    table: Table<u32, Remote>,
    addresses: Table<AddressKey, Target>,
    serials: Serials,
    /// By tenant and IPv4 address.
    held: HashMap<AddressKey, Held>,
    /// Serials of those that are held.
    living: HashSet<u32>,
    /// Places that were freed, and the first that never was in use.
    free: Vec<u32>,
    next: u32,
    applied: Option<Applied>,
    missing: BTreeSet<String>,
    /// Those whose address is an endpoint's of this host.
    yielded: bool,
}

impl Remotes {
    /// Whether the endpoint of a serial is still there.
    pub(crate) fn lives(&self, serial: u32) -> bool {
        self.living.contains(&serial)
    }

    /// Makes the tables hold these endpoints, but for addresses of this host's own.
    ///
    /// Nothing is looked through when nothing has changed since the last time.
    pub(super) fn set(
        &mut self,
        remote: &Arc<BTreeMap<String, RemoteSpec>>,
        ways: &Ways,
        locals: &HashSet<AddressKey>,
    ) -> Result<Option<Outcome>, Error> {
        let same = self.applied.as_ref().is_some_and(|applied| {
            Arc::ptr_eq(&applied.remote, remote) && applied.ways == *ways && !self.yielded
        });
        if same {
            return Ok(None);
        }
        self.applied = None;
        self.yielded = false;
        let mut outcome = Outcome::default();
        let wanted = self.wanted(remote, ways, locals, &mut outcome);
        let mut failures = Failures::default();
        let gone = self.held.keys().filter(|key| !wanted.contains_key(key));
        for key in gone.copied().collect::<Vec<_>>() {
            failures.note(self.withdraw(&key));
        }
        let mut fresh = Vec::new();
        for (key, new) in wanted {
            match self.held.get(&key) {
                Some(old) if is_same(old, &new) => {
                    if old.group != new.group {
                        let held = Held {
                            group: new.group,
                            ..*old
                        };
                        outcome.stale.insert(key.tenant);
                        failures.note(self.publish(key, held));
                    }
                }
                _ => fresh.push((key, new)),
            }
        }
        failures.note(self.renew(fresh));
        self.missing.clone_from(&outcome.missing);
        failures.result()?;
        self.applied = Some(Applied {
            remote: Arc::clone(remote),
            ways: ways.clone(),
        });
        Ok(Some(outcome))
    }

    /// Hosts that endpoints are at and that are not known, as of the last look.
    pub(super) fn missing(&self) -> &BTreeSet<String> {
        &self.missing
    }

    /// What should be in the tables, without places and serials.
    fn wanted(
        &mut self,
        remote: &BTreeMap<String, RemoteSpec>,
        ways: &Ways,
        locals: &HashSet<AddressKey>,
        outcome: &mut Outcome,
    ) -> HashMap<AddressKey, Held> {
        let mut wanted = HashMap::with_capacity(remote.len());
        for (id, spec) in remote {
            let Some(host) = ways.hosts.get(&spec.host) else {
                outcome.missing.insert(spec.host.clone());
                continue;
            };
            let Some(vni) = ways.vnis.get(&spec.network) else {
                continue; // A network that is not known here, or not carried between hosts.
            };
            let key = |address| AddressKey {
                tenant: spec.tenant,
                address,
            };
            let v4 = key(address::of_v4(spec.ipv4));
            if locals.contains(&v4) {
                self.yielded = true;
                continue;
            }
            let name = hash(id.as_bytes());
            let row = Remote {
                serial: 0,
                host: *host,
                vni: *vni,
                network: spec.network,
                name: [name as u32, (name >> 32) as u32],
                mac: spec.mac,
                unused: [0; 2],
            };
            let held = Held {
                place: 0,
                row,
                group: spec.group,
                ipv6: spec.ipv6.map(|ip| key(ip.octets())),
            };
            wanted.insert(v4, held);
        }
        wanted
    }

    /// Gives endpoints that are new, or not what they were, a serial, and writes them.
    fn renew(&mut self, fresh: Vec<(AddressKey, Held)>) -> Result<(), Error> {
        if fresh.is_empty() {
            return Ok(());
        }
        let first = self.serials.take(fresh.len() as u32)?;
        let mut failures = Failures::default();
        for (serial, (key, mut new)) in (first..).zip(fresh) {
            new.row.serial = serial;
            // Another IPv6 address is left behind with the endpoint that had it.
            let old = self.held.get(&key).copied();
            let place = match old {
                Some(old) if old.ipv6 == new.ipv6 => Ok(old.place),
                Some(_) => self.withdraw(&key).and_then(|()| self.place()),
                None => self.place(),
            };
            let Some(place) = failures.note(place) else {
                continue;
            };
            new.place = place;
            if let Some(old) = self.held.get(&key) {
                self.living.remove(&old.row.serial);
            }
            let written = self.table.put(&place, &new.row);
            if failures.note(written).is_none() {
                continue;
            }
            self.living.insert(new.row.serial);
            failures.note(self.publish(key, new));
        }
        failures.result()
    }

    /// Lets others find the endpoint by its addresses.
    fn publish(&mut self, key: AddressKey, held: Held) -> Result<(), Error> {
        self.held.insert(key, held);
        let target = Target {
            slot: SLOTS + held.place,
            serial: held.row.serial,
            network: held.row.network,
            group: held.group,
            mac: held.row.mac,
            unused: [0; 2],
        };
        self.addresses.put(&key, &target)?;
        match held.ipv6 {
            Some(ipv6) => self.addresses.put(&ipv6, &target),
            None => Ok(()),
        }
    }

    /// Makes way for an endpoint of this host with the address.
    pub(crate) fn yield_to(&mut self, key: &AddressKey) -> Result<(), Error> {
        if !self.held.contains_key(key) {
            return Ok(());
        }
        self.applied = None;
        self.yielded = true;
        self.withdraw(key)
    }

    /// Lets nobody find the endpoint; its flows lead nowhere.
    fn withdraw(&mut self, key: &AddressKey) -> Result<(), Error> {
        let Some(held) = self.held.get(key).copied() else {
            return Ok(());
        };
        self.table.put(&held.place, &Remote::default())?;
        for key in std::iter::once(*key).chain(held.ipv6) {
            // Another one may have come to the address.
            if let Some(target) = self.addresses.get(&key)?
                && target.serial == held.row.serial
            {
                self.addresses.remove(&key)?;
            }
        }
        self.held.remove(key);
        self.living.remove(&held.row.serial);
        self.free.push(held.place);
        Ok(())
    }

    fn place(&mut self) -> Result<u32, Error> {
        if let Some(place) = self.free.pop() {
            return Ok(place);
        }
        if self.next >= REMOTES {
            return Err(Error::Full {
                what: "endpoints of other hosts",
            });
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Members of each network by host's index.
    pub(super) fn by_network(&self) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut networks: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for held in self.held.values() {
            let hosts = networks.entry(held.row.network).or_default();
            hosts.insert(held.row.host);
        }
        networks
    }
}

/// Whether an endpoint is still the same at the same place, whatever group it has.
fn is_same(old: &Held, new: &Held) -> bool {
    let row = Remote {
        serial: old.row.serial,
        ..new.row
    };
    old.row == row && old.ipv6 == new.ipv6
}
