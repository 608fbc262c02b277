//! Endpoints of this host: links, and rows of the kernel's tables.
//!
//! One comes into being in this order: row, closed; link; program; addresses and
//! interface; link up; open. It goes in the opposite one, so that at no time a link
//! is up without a program, or a program finds half an endpoint:
//! closed; addresses and interface; link; row.
//!
//! A link carries its endpoint's whole id as its alias, and a row the link's index.
//! From these two a new agent knows what the one before has made.

mod links;
mod recover;
mod rows;
mod serials;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use contiv_datapath_abi::endpoint::{AddressKey, Endpoint};

use links::{delete, find, make_pair, up};
pub(crate) use rows::Rows;
pub(crate) use serials::Serials;
use settle::Unsettled;

use crate::attach::{Attacher, Program};
use crate::error::Failures;
use crate::names::link_names;
use crate::netlink::{Link, Netlink, VethSpec};
use crate::pins::Pins;
use crate::private::Private;
use crate::spec::EndpointSpec;
use crate::{Error, address};

/// What an endpoint's link and rows are made by.
pub(crate) struct Hands<'a> {
    pub(crate) netlink: &'a mut Netlink,
    pub(crate) attacher: &'a Attacher,
    pub(crate) private: Private,
}

/// How an endpoint is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Not of the default tenant.
    pub(crate) guest: bool,
    pub(crate) mtu: u32,
    /// Its tenant and network are in the kernel.
    pub(crate) open: bool,
    /// What the other end is called, if it is the host's own.
    pub(crate) foothold: Option<String>,
}

impl Terms {
    /// How the row says that packets pass.
    fn opened(&self) -> u32 {
        match self.foothold {
            Some(_) => Endpoint::OPEN_TO_HOST,
            None => Endpoint::OPEN,
        }
    }
}

/// An endpoint that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) slot: u32,
    pub(crate) row: Endpoint,
}

impl Local {
    /// What the row holds the endpoint to be.
    pub(crate) fn spec(&self) -> EndpointSpec {
        let row = &self.row;
        let ipv6 = Ipv6Addr::from(row.ipv6);
        EndpointSpec {
            tenant: row.tenant,
            network: row.network,
            group: row.group,
            ipv4: Ipv4Addr::from(row.ipv4),
            ipv6: (!ipv6.is_unspecified()).then_some(ipv6),
            mac: row.mac,
        }
    }

    pub(crate) fn private_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.row.private)
    }
}

/// All endpoints of this host, by id.
#[derive(Debug)]
pub(crate) struct Endpoints {
    rows: Rows,
    by_id: BTreeMap<String, Local>,
    /// Rows whose link has gone or bears no id.
    lost: Vec<Local>,
    /// Links without a row.
    stray: Vec<Link>,
    unsettled: Unsettled,
}

impl Endpoints {
    /// Knows what is there, and changes nothing.
    pub(crate) fn open(pins: &Pins, netlink: &mut Netlink) -> Result<Endpoints, Error> {
        let rows = Rows::open(pins)?;
        let links = netlink.links().map_err(Error::netlink("list links"))?;
        let found = recover::recover(rows.used()?, &links);
        Ok(Endpoints {
            rows,
            by_id: found.by_id,
            lost: found.lost,
            stray: found.stray,
            unsettled: Unsettled::default(),
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Local)> {
        self.by_id.iter().map(|(id, local)| (id.as_str(), local))
    }

    /// The id of the one with this serial.
    pub(crate) fn id_of(&self, serial: u32) -> Option<&str> {
        let mut all = self.by_id.iter();
        let found = all.find(|(_, local)| local.row.serial == serial)?;
        Some(found.0.as_str())
    }

    /// The serials of those that exist.
    pub(crate) fn serials(&self) -> BTreeSet<u32> {
        self.by_id.values().map(|local| local.row.serial).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.lost.is_empty()
    }

    /// Dropped packets by the endpoint's serial, then by reason.
    pub(crate) fn drops(&self) -> Result<BTreeMap<u32, BTreeMap<String, u64>>, Error> {
        self.rows.drops(&self.serials())
    }

    /// Dropped packets of nobody, by reason.
    pub(crate) fn stray_drops(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut drops = self.rows.drops(&self.serials())?;
        Ok(drops.remove(&0).unwrap_or_default())
    }

    /// Makes an endpoint, or finishes one that is half made. Says which tenants' flows must
    /// be judged again.
    pub(crate) fn ensure(
        &mut self,
        hands: &mut Hands<'_>,
        id: &str,
        spec: &EndpointSpec,
        terms: &Terms,
    ) -> Result<BTreeSet<u32>, Error> {
        if let Some(holder) = self.holder(id, spec) {
            return Err(Error::AddressTaken {
                endpoint: id.to_owned(),
                address: spec.ipv4,
                holder,
            });
        }
        let mut stale = BTreeSet::new();
        let (name, _) = link_names(id);
        let link = find(hands.netlink, &name)?;
        let known = self.by_id.get(id).copied();
        let network_before = known.map_or(spec.network, |local| local.row.network);
        let whole = |local: &Local| {
            link.as_ref()
                .is_some_and(|l| l.index == local.row.interface)
        };
        let mut local = match known {
            Some(local) if whole(&local) && rows::says(&local.row, spec) => {
                if link.is_some_and(|link| !link.up) {
                    up(hands.netlink, local.row.interface, id)?;
                }
                if terms.open && local.row.state == Endpoint::CLOSED {
                    self.finish(id, local, terms)?;
                }
                return Ok(stale);
            }
            Some(local) if whole(&local) && rows::says(&local.row, &grouped(spec, &local)) => {
                stale.insert(local.row.tenant);
                self.regroup(id, local, spec.group)?;
                return Ok(stale);
            }
            Some(local) => {
                // Its link has gone, or it has another address: closed while its rows change.
                stale.extend([local.row.tenant, spec.tenant]);
                self.rows.withdraw(&local)?;
                local
            }
            None => self
                .rows
                .reserve(&self.by_id, &self.lost, spec, hands.private, terms.guest)?,
        };
        local.row = rows::row(spec, &local, hands.private);
        self.rows.write_closed(&local)?;
        self.by_id.insert(id.to_owned(), local);
        self.rows.set_members(network_before, &self.by_id)?;
        let link = match link {
            Some(link) => link,
            None => self.make_link(hands, id, spec, terms)?,
        };
        self.stray.retain(|stray| stray.index != link.index);
        local.row.interface = link.index;
        self.rows.write_closed(&local)?;
        self.by_id.insert(id.to_owned(), local);
        let for_good = hands
            .attacher
            .begin(hands.netlink, &link, Program::Endpoint)?;
        if !for_good {
            self.unsettled.add(id);
        }
        self.rows.publish(&local)?;
        up(hands.netlink, link.index, id)?;
        if terms.open {
            self.finish(id, local, terms)?;
        }
        Ok(stale)
    }

    /// A pair for the endpoint, down, with the container's link address, or with that of the host's
    /// own interface, whose name may be somebody else's.
    fn make_link(
        &self,
        hands: &mut Hands<'_>,
        id: &str,
        spec: &EndpointSpec,
        terms: &Terms,
    ) -> Result<Link, Error> {
        let (name, peer) = link_names(id);
        let other = terms.foothold.as_deref().unwrap_or(&peer);
        let old = find(hands.netlink, other)?;
        match (old, &terms.foothold) {
            (Some(_), Some(name)) => return Err(Error::NameTaken { name: name.clone() }),
            // An end that is left without its pair, or of an older endpoint of that name.
            (Some(old), None) => delete(hands.netlink, &old)?,
            (None, _) => {}
        }
        let pair = VethSpec {
            name: &name,
            mac: None,
            peer: other,
            peer_mac: Some(spec.mac),
            mtu: terms.mtu,
        };
        make_pair(hands.netlink, &pair)
    }

    /// Whether the endpoint is as it should be, on one of these links.
    pub(crate) fn is_whole(
        &self,
        id: &str,
        spec: &EndpointSpec,
        terms: &Terms,
        links: &BTreeMap<&str, &Link>,
    ) -> bool {
        let (name, _) = link_names(id);
        self.by_id.get(id).is_some_and(|local| {
            let link = links.get(name.as_str());
            link.is_some_and(|link| link.index == local.row.interface && link.up)
                && rows::says(&local.row, spec)
                && (local.row.state == terms.opened() || !terms.open)
        })
    }

    /// Whether packets reach the endpoint and leave it.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        let local = self.by_id.get(id);
        local.is_some_and(|local| local.row.state != Endpoint::CLOSED)
    }

    /// Names of the host's ends of all links.
    pub(crate) fn interfaces(&self) -> BTreeSet<String> {
        self.by_id.keys().map(|id| link_names(id).0).collect()
    }

    /// Gives a running endpoint another group; its flows are judged again by that.
    fn regroup(&mut self, id: &str, mut local: Local, group: u32) -> Result<(), Error> {
        local.row.group = group;
        self.rows.write(&local)?;
        self.rows.publish(&local)?;
        self.by_id.insert(id.to_owned(), local);
        Ok(())
    }

    fn finish(&mut self, id: &str, mut local: Local, terms: &Terms) -> Result<(), Error> {
        self.rows.publish(&local)?;
        local.row.state = terms.opened();
        self.rows.write(&local)?;
        self.by_id.insert(id.to_owned(), local);
        self.rows.set_members(local.row.network, &self.by_id)
    }

    /// The endpoint of this host that has the address, other than `id`.
    fn holder(&self, id: &str, spec: &EndpointSpec) -> Option<String> {
        let same =
            |local: &Local| local.row.tenant == spec.tenant && local.row.ipv4 == spec.ipv4.octets();
        let others = self.by_id.iter().filter(|(other, _)| *other != id);
        let mut holders = others.filter(|(_, local)| same(local));
        holders.next().map(|(other, _)| other.clone())
    }

    /// Removes an endpoint and its link; fine when there is none.
    pub(crate) fn remove(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        id: &str,
    ) -> Result<(), Error> {
        let (name, _) = link_names(id);
        self.unsettled.forget(id);
        let known = self.by_id.get(id).copied();
        if let Some(local) = known {
            self.rows.withdraw(&local)?;
        }
        if let Some(link) = find(netlink, &name)?
            && (link.alias.is_empty() || link.alias == id)
        {
            delete(netlink, &link)?;
        }
        attacher.forget(&name)?;
        if let Some(local) = known {
            self.rows.clear(&local)?;
            self.by_id.remove(id);
            self.rows.set_members(local.row.network, &self.by_id)?;
        }
        Ok(())
    }

    /// Removes every endpoint that is not among these, and all that belongs to none.
    pub(crate) fn keep(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        wanted: &BTreeSet<&str>,
    ) -> Result<(), Error> {
        let mut failures = Failures::default();
        let gone = self.by_id.keys().filter(|id| !wanted.contains(id.as_str()));
        for id in gone.cloned().collect::<Vec<_>>() {
            failures.note(self.remove(netlink, attacher, &id));
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.retain(|local| {
            let cleared = self.rows.withdraw(local).and(self.rows.clear(local));
            failures.note(cleared).is_none()
        });
        self.lost = lost;
        let names: BTreeSet<String> = wanted.iter().map(|id| link_names(id).0).collect();
        for link in std::mem::take(&mut self.stray) {
            // One that is wanted is taken into use again when its endpoint is made.
            if !names.contains(&link.name) {
                failures.note(delete(netlink, &link));
                failures.note(attacher.forget(&link.name));
            }
        }
        failures.result()
    }

    /// Has the program of this build run at every endpoint, and writes who belongs to whom.
    pub(crate) fn take_over(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        links: &[Link],
    ) -> Result<(), Error> {
        let mut failures = Failures::default();
        for local in self.by_id.values() {
            let link = links.iter().find(|link| link.index == local.row.interface);
            if let Some(link) = link {
                failures.note(attacher.ensure(netlink, link, Program::Endpoint));
            }
        }
        let networks: BTreeSet<u32> = self.by_id.values().map(|l| l.row.network).collect();
        for network in networks {
            failures.note(self.rows.set_members(network, &self.by_id));
        }
        failures.result()
    }
}

/// The key of an endpoint's first address.
pub(crate) fn address_key(tenant: u32, ipv4: Ipv4Addr) -> AddressKey {
    AddressKey {
        tenant,
        address: address::of_v4(ipv4),
    }
}

/// The specification, but with the group that the endpoint has.
fn grouped(spec: &EndpointSpec, local: &Local) -> EndpointSpec {
    EndpointSpec {
        group: local.row.group,
        ..spec.clone()
    }
}
