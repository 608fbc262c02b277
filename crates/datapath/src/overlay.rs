//! The way to other hosts: the tunnel's link, the hosts, and their endpoints.
//!
//! Things come in the order in which packets need them, the tunnel's link first, and go in the
//! opposite one. Without an underlay there is nothing of it all.

mod device;
mod flood;
mod hosts;
mod probe;
mod remotes;
mod vnis;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use contiv_datapath_abi::Words;
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::AddressKey;
use contiv_datapath_abi::tunnel::{OVERHEAD_V4, OVERHEAD_V6};

use crate::attach::{Attacher, Program};
use crate::bpf::Table;
use crate::error::Failures;
use crate::inspect::PathFacts;
use crate::netlink::Netlink;
use crate::pins::Pins;
use crate::shortfall::{Shortfalls, Subject};
use crate::spec::{Desired, UnderlaySpec};
use crate::taken::Look;
use crate::{Error, address};
use flood::Floods;
use hosts::{Here, Hosts, inner};
use probe::Probes;
pub(crate) use remotes::Remotes;
use remotes::Ways;
use vnis::Vnis;

/// All that concerns other hosts.
#[derive(Debug)]
pub(crate) struct Overlay {
    config: Table<u32, Config>,
    hosts: Hosts,
    vnis: Vnis,
    remotes: Remotes,
    floods: Floods,
    here: Option<Here>,
    probes: Probes,
}

/// What the data plane is asked with: its own hands.
pub(crate) struct Hands<'a> {
    pub(crate) netlink: &'a mut Netlink,
    pub(crate) attacher: &'a Attacher,
}

impl Overlay {
    /// Knows what is there, and has the program of this build take what arrives.
    pub(crate) fn open(pins: &Pins, hands: &mut Hands<'_>) -> Result<Overlay, Error> {
        if let Some(link) = device::find(hands.netlink)? {
            hands
                .attacher
                .ensure(hands.netlink, &link, Program::Overlay)?;
        }
        Ok(Overlay {
            config: pins.table(contiv_datapath_abi::maps::CONFIG)?,
            hosts: Hosts::open(pins)?,
            vnis: Vnis::open(pins)?,
            remotes: Remotes::open(pins)?,
            floods: Floods::open(pins)?,
            here: None,
            probes: Probes::default(),
        })
    }

    /// Learns what the underlay is like at this end, as it is now.
    pub(crate) fn look(
        &mut self,
        underlay: Option<&UnderlaySpec>,
        look: &Look,
        lacks: &mut Shortfalls,
    ) {
        self.here = None;
        let Some(underlay) = underlay else { return };
        let at = look
            .addresses
            .iter()
            .find(|(_, net)| net.addr() == underlay.address);
        let link = at.and_then(|(index, _)| look.links.iter().find(|link| link.index == *index));
        let Some(link) = link else {
            let nowhere = Err::<(), _>(Error::TunnelAddress {
                address: underlay.address,
            });
            lacks.note(Subject::Underlay, nowhere);
            return;
        };
        self.here = Some(Here {
            address: underlay.address,
            mtu: link.mtu,
            overhead: overhead(underlay.address),
        });
    }

    /// Largest packet of an endpoint of a network that is carried between hosts; none while
    /// nothing is carried.
    pub(crate) fn mtu(&self, underlay: Option<&UnderlaySpec>) -> Option<u32> {
        let here = self.here?;
        let lowest = underlay.and_then(|underlay| underlay.mtu);
        let mtu = lowest.map_or(here.mtu, |lowest| lowest.min(here.mtu));
        Some(inner(mtu, here.overhead))
    }

    /// Makes the kernel hold the hosts and their endpoints. Says which tenants' flows must be
    /// judged again.
    pub(crate) fn apply(
        &mut self,
        hands: &mut Hands<'_>,
        desired: &Desired,
        locals: &HashSet<AddressKey>,
        failures: &mut Failures,
        lacks: &mut Shortfalls,
    ) -> BTreeSet<u32> {
        let mut stale = BTreeSet::new();
        let (Some(underlay), Some(here)) = (desired.underlay, self.here) else {
            failures.note(self.clear(hands, desired.underlay.as_ref()));
            return stale;
        };
        let link = device::ensure(hands.netlink, hands.attacher, underlay.udp_port);
        let link = lacks.note(Subject::Underlay, link);
        let set = self.configure(&underlay, link.map_or(0, |link| link.index), desired.flood);
        if failures.note(set) == Some(true) {
            stale.extend(desired.tenants.keys());
        }
        self.hosts.set(&desired.hosts, &here, lacks);
        let vnis = self.vnis.set(&desired.networks, failures, lacks);
        let ways = Ways {
            hosts: self.hosts.names().clone(),
            vnis,
        };
        let outcome = failures.note(self.remotes.set(&desired.remote, &ways, locals));
        let changed = !matches!(outcome, Some(None));
        stale.extend(outcome.flatten().map(|o| o.stale).unwrap_or_default());
        for name in self.remotes.missing() {
            let nowhere = Err::<(), _>(Error::Host {
                host: name.clone(),
                message:
                    "its tunnel address is not known here, so that nothing reaches its endpoints"
                        .into(),
            });
            lacks.note(Subject::Host(name.clone()), nowhere);
        }
        let members = || self.remotes.by_network();
        failures.note(self.floods.set(desired.flood, changed, members, &ways.vnis));
        failures.note(self.hosts.sweep());
        stale
    }

    /// Takes everything away; programs keep endpoints from the tunnel's port if it is known.
    fn clear(
        &mut self,
        hands: &mut Hands<'_>,
        underlay: Option<&UnderlaySpec>,
    ) -> Result<(), Error> {
        let mut failures = Failures::default();
        let set = match underlay {
            Some(underlay) => self.configure(underlay, 0, false).map(drop),
            None => self.unset(),
        };
        failures.note(set);
        let none = Ways::default();
        let emptied = self.remotes.set(&Arc::default(), &none, &HashSet::new());
        failures.note(emptied);
        let flooded = self.floods.set(false, true, BTreeMap::new, &none.vnis);
        failures.note(flooded);
        failures.note(self.hosts.clear());
        let mut nobody = Shortfalls::default();
        self.vnis.set(&BTreeMap::new(), &mut failures, &mut nobody);
        failures.note(device::remove(hands.netlink));
        failures.result()
    }

    fn unset(&mut self) -> Result<(), Error> {
        let old = self.config.get(&0)?.unwrap_or_default();
        let new = Config {
            tunnel_port: 0,
            tunnel_link: 0,
            tunnel_address: Words::default(),
            flags: 0,
            ..old
        };
        if new != old {
            self.config.put(&0, &new)?;
        }
        Ok(())
    }

    /// Tells programs of the tunnel. Answers with whether another port is closed to endpoints now.
    fn configure(
        &mut self,
        underlay: &UnderlaySpec,
        link: u32,
        flood: bool,
    ) -> Result<bool, Error> {
        let old = self.config.get(&0)?.unwrap_or_default();
        let mut flags = 0;
        if underlay.address.is_ipv6() {
            flags |= Config::TUNNEL_V6;
        }
        if flood {
            flags |= Config::FLOOD;
        }
        let new = Config {
            tunnel_port: underlay.udp_port,
            tunnel_link: link,
            tunnel_address: Words::new(address::bytes(underlay.address)),
            flags,
            ..old
        };
        if new != old {
            self.config.put(&0, &new)?;
        }
        Ok(new.tunnel_port != old.tunnel_port)
    }

    /// Notes what the path to a host takes, in bytes of outer IP packets.
    pub(crate) fn set_path(&mut self, host: &str, mtu: u32) -> Result<(), Error> {
        match self.here {
            Some(here) => self.hosts.set_path(host, mtu, &here),
            None => Ok(()),
        }
    }

    /// Takes the next step of finding out what paths take.
    pub(crate) fn probe(&mut self) -> Result<(), Error> {
        let Some(here) = self.here else {
            return Ok(());
        };
        let mut failures = Failures::default();
        for (host, mtu) in self.probes.step(self.hosts.addresses(), &here) {
            failures.note(self.hosts.set_path(&host, mtu, &here));
        }
        failures.result()
    }

    /// This host's end and its port, while there is one.
    pub(crate) fn end(&self) -> Result<Option<(IpAddr, u16)>, Error> {
        let config = self.config.get(&0)?.unwrap_or_default();
        let port = config.tunnel_port;
        Ok(self.here.map(|here| (here.address, port)))
    }

    /// What is known of the ways to other hosts.
    pub(crate) fn paths(&self) -> BTreeMap<String, PathFacts> {
        self.hosts.paths()
    }

    pub(crate) fn remotes(&mut self) -> &mut Remotes {
        &mut self.remotes
    }

    /// Whether the endpoint of a serial is known on another host.
    pub(crate) fn lives(&self, serial: u32) -> bool {
        self.remotes.lives(serial)
    }
}

/// What the tunnel adds to a packet between ends of this family.
fn overhead(address: IpAddr) -> u32 {
    if address.is_ipv4() {
        OVERHEAD_V4
    } else {
        OVERHEAD_V6
    }
}
