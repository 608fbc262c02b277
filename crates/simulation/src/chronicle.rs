//! What was committed, one commit after the other, and what no commit may do.
//!
//! 1. Two endpoints of a network never have one address.
//! 2. What must run once is committed by who has its lease, and by nobody who had it before.
//! 3. A host that somebody could hear all the time is not collected.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use contiv_fabric::{Image, Key};
use contiv_ipam::AddressState;
use contiv_store::{Contents, Entry, Transaction, Write};
use tokio::time::Instant;

use crate::tally::Tally;

/// A host that was heard in all of this time cannot be missed: within it the host finds a
/// master, and the master takes note of it.
const HEARD: Duration = Duration::from_secs(10);

/// What happened to the store.
#[derive(Debug)]
pub(crate) enum Done {
    /// A commit, by this life of a master.
    Commit {
        life: u64,
        number: u64,
        transaction: Transaction,
        at: Instant,
    },
    /// These contents have taken the place of all there was.
    Restored(Contents),
}

/// All that was committed, as one who misses nothing knows it.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    pub(crate) image: Image,
    /// Hosts that were collected, or that a restored store has never heard of, and that have not
    /// come anew: their addresses may be given to others.
    pub(crate) gone: BTreeSet<String>,
    /// Hosts and addresses of lost endpoints whose end is committed, or which wait no longer for the
    /// host to hear of an end: a collection has portions, and the host's own record goes with the last.
    pub(crate) ended: BTreeSet<(String, IpAddr)>,
    /// How often the store was restored.
    pub(crate) restores: u64,
    /// Which life of a master wrote a lease last.
    holders: BTreeMap<String, u64>,
    tally: Tally,
}

impl Chronicle {
    pub(crate) fn new(tally: Tally) -> Chronicle {
        Chronicle {
            tally,
            ..Chronicle::default()
        }
    }

    /// Takes what has happened; says what should not have. `calm` tells since when nothing
    /// keeps a host from being heard, if nothing does.
    pub(crate) fn take(
        &mut self,
        done: Done,
        calm: impl Fn(&str) -> Option<Instant>,
    ) -> Result<(), String> {
        let (life, number, transaction, at) = match done {
            Done::Restored(contents) => {
                let entry = |(key, value)| Entry {
                    key,
                    value,
                    number: 1,
                };
                let entries = contents.entries.into_iter().map(entry);
                let before = std::mem::take(&mut self.image);
                self.image = Image::load(1, entries).map_err(|e| e.to_string())?;
                let known = before.hosts().map(|h| h.name.clone());
                self.gone.extend(known);
                self.gone.retain(|host| self.image.host(host).is_none());
                self.ended.clear();
                self.holders.clear();
                self.restores += 1;
                return Ok(());
            }
            Done::Commit {
                life,
                number,
                transaction,
                at,
            } => (life, number, transaction, at),
        };
        self.once(life, &transaction)?;
        for host in transaction.writes.iter().filter_map(collected) {
            self.tally.add("hosts collected");
            if let Some(since) = calm(&host).filter(|since| at - *since >= HEARD) {
                let calm = (at - since).as_secs();
                return Err(format!(
                    "{host} was collected by mistake: nothing had been in its way for {calm} s"
                ));
            }
        }
        let away = |host: &str| calm(host).is_none_or(|since| at - since < HEARD);
        let ended = self.ended_of_lost(&transaction, away);
        self.ended.extend(ended);
        let applied = self.image.apply(number, &transaction.writes);
        applied.map_err(|e| e.to_string())?;
        self.gone
            .extend(transaction.writes.iter().filter_map(collected));
        self.gone.retain(|host| self.image.host(host).is_none());
        self.addresses(&transaction)
    }

    /// Endpoints that a transaction ends which relies on what is known of their host, if that is `away`,
    /// and addresses for which it no longer waits until such a host has heard.
    fn ended_of_lost(
        &self,
        transaction: &Transaction,
        away: impl Fn(&str) -> bool,
    ) -> Vec<(String, IpAddr)> {
        let relied = transaction.compares.iter().map(|c| Key::parse(&c.key));
        let relied: BTreeSet<String> = relied
            .filter_map(|key| match key {
                Some(Key::Host(host)) => Some(host),
                _ => None,
            })
            .collect();
        let deleted = transaction.writes.iter().filter_map(|write| match write {
            Write::Delete { key } => Key::parse(key),
            Write::Put { .. } => None,
        });
        let endpoints = deleted.filter_map(|key| match key {
            Key::Endpoint(id) => self.image.endpoint(&id),
            _ => None,
        });
        let is_lost = |host: &String| relied.contains(host) && away(host);
        let lost = endpoints.filter(|e| is_lost(&e.host));
        let ended = lost.map(|e| (e.host.clone(), e.ipv4.into()));
        let drained = transaction.writes.iter().flat_map(|write| {
            let Some(Key::Address(network, address)) = Key::parse(write.key()) else {
                return Vec::new();
            };
            match self.image.address(network, address) {
                Some(AddressState::Draining { awaited, .. }) => {
                    let lost = awaited.iter().filter(|host| is_lost(host));
                    lost.map(|host| (host.clone(), address)).collect()
                }
                _ => Vec::new(),
            }
        });
        ended.chain(drained).collect()
    }

    /// What must run once comes from who has its lease.
    fn once(&mut self, life: u64, transaction: &Transaction) -> Result<(), String> {
        let value = |key: &str| self.image.value_of(key).map(|value| value.to_vec());
        if let Some(work) = work(transaction, value) {
            self.tally.add(match work {
                "sweep" => "addresses freed by the sweeper",
                _ => "portions of hosts collected",
            });
            if self.holders.get(work) != Some(&life) {
                return Err(format!(
                    "{work} was done by a master whose lease is not its own"
                ));
            }
        }
        for write in &transaction.writes {
            let Some(Key::Lease(name)) = Key::parse(write.key()) else {
                continue;
            };
            match write {
                Write::Put { .. } => {
                    let before = self.holders.insert(name, life);
                    if before.is_some_and(|before| before != life) {
                        self.tally.add("leases taken over");
                    }
                }
                Write::Delete { .. } => drop(self.holders.remove(&name)),
            }
        }
        Ok(())
    }

    /// No two endpoints have one address.
    fn addresses(&self, transaction: &Transaction) -> Result<(), String> {
        for write in &transaction.writes {
            let (Write::Put { .. }, Some(Key::Endpoint(id))) = (write, Key::parse(write.key()))
            else {
                continue;
            };
            let Some(new) = self.image.endpoint(&id) else {
                continue;
            };
            let place = (&new.tenant, &new.network, new.ipv4);
            let twin = self
                .image
                .endpoints()
                .find(|e| e.id != id && (&e.tenant, &e.network, e.ipv4) == place);
            if let Some(twin) = twin {
                let (tenant, network, address) = place;
                let other = &twin.id;
                return Err(format!(
                    "{address} of {tenant}:{network} was given to {other} and to {id}, by record"
                ));
            }
        }
        Ok(())
    }
}

/// The work of which a transaction is a part, if it is to run once; `value` tells what a key
/// had before.
///
/// Who ends an endpoint, or takes an address back, touches more than draining addresses.
pub(crate) fn work(
    transaction: &Transaction,
    value: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<&'static str> {
    let writes = &transaction.writes;
    if writes.iter().any(|write| collected(write).is_some()) {
        return Some("collect");
    }
    let drains = |write: &Write| {
        let Write::Delete { key } = write else {
            return false;
        };
        let address = matches!(Key::parse(key), Some(Key::Address(..)));
        let before = address.then(|| value(key)).flatten();
        before.is_some_and(|before| String::from_utf8_lossy(&before).contains("\"draining\""))
    };
    let of_host = |key: &str| matches!(Key::parse(key), Some(Key::Host(_)));
    let swept = !writes.is_empty() && writes.iter().all(drains);
    match transaction.compares.iter().any(|c| of_host(&c.key)) {
        true if swept => Some("collect"),
        false if swept => Some("sweep"),
        _ => None,
    }
}

/// The host whose record is deleted.
fn collected(write: &Write) -> Option<String> {
    match (write, Key::parse(write.key())) {
        (Write::Delete { .. }, Some(Key::Host(host))) => Some(host),
        _ => None,
    }
}
