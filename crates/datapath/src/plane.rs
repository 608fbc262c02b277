//! The data plane of one host: brings the kernel to what is desired.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use contiv_datapath_abi::config::{Config, DEFAULT_TENANT};
use contiv_datapath_abi::maps;

use crate::attach::{Attacher, Program};
use crate::bpf::Table;
use crate::door::Door;
use crate::endpoints::{Endpoints, Hands, Terms, address_key};
use crate::error::Failures;
use crate::firewall::Firewall;
use crate::flows::Flows;
use crate::guard::Guard;
use crate::handover::HandOver;
use crate::host_addresses::HostAddresses;
use crate::names::{DOOR, DOOR_INSIDE, link_names};
use crate::netlink::{Link, Netlink, Route};
use crate::overlay::{self, Overlay};
use crate::pins::Pins;
use crate::policies::Policies;
use crate::shortfall::{Shortfall, Shortfalls, Subject};
use crate::spec::{Desired, EndpointSpec, NetworkSpec};
use crate::taken::{Look, Taken};
use crate::tenants::Tenants;
use crate::totals::{FlowUse, RuleTotals};
use crate::{Error, sysctl};

/// Largest packet of an endpoint whose network is not known yet.
const MTU: u32 = 1500;

/// How programs are attached to links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// tcx where the kernel has it, by way of clsact, which is quicker to begin with; else clsact.
    #[default]
    Auto,
    /// tcx from the start.
    Tcx,
    Clsact,
}

/// Where and how a data plane works.
#[derive(Clone, Debug)]
pub struct Options {
    /// On a bpf file system; one is mounted at its parent if there is none.
    pub pin_dir: PathBuf,
    pub attach: Attach,
}

/// What the kernel knows of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    /// The host's end of the link.
    pub interface: String,
    /// The container's end is beside the host's end: no container holds it.
    pub detached: bool,
    /// The container's end is down.
    pub idle: bool,
    /// The address of the private subnet, unique on the host.
    pub private_address: Option<Ipv4Addr>,
    /// Dropped packets by reason.
    pub drops: BTreeMap<String, u64>,
    /// What the kernel holds it to be.
    pub spec: Option<EndpointSpec>,
}

/// What a link takes when there is none to ask.
const ETHERNET_MTU: u32 = 1500;

/// The data plane of the network namespace that it was opened in.
///
/// All calls must come from threads of that namespace. Dropping it changes nothing
/// in the kernel.
#[derive(Debug)]
pub struct Plane {
    pub(crate) netlink: Netlink,
    pub(crate) pins: Pins,
    pub(crate) attacher: Attacher,
    config: Table<u32, Config>,
    pub(crate) door: Option<Door>,
    host_addresses: HostAddresses,
    tenants: Tenants,
    policies: Policies,
    pub(crate) endpoints: Endpoints,
    flows: Flows,
    pub(crate) firewall: Firewall,
    pub(crate) overlay: Overlay,
    /// What add_endpoint must know of networks and tenants: those that are in the kernel.
    pub(crate) networks: BTreeMap<u32, NetworkSpec>,
    ready: BTreeSet<u32>,
    /// Interfaces of the host itself, by their endpoints' ids.
    footholds: BTreeMap<String, String>,
    pub(crate) guard: Guard,
}

impl Plane {
    /// Takes over what is in the kernel, or makes it; nothing is torn down.
    pub fn open(options: &Options) -> Result<Plane, Error> {
        let pins = Pins::at(&options.pin_dir);
        let older = HandOver::begin(&pins)?;
        pins.make()?;
        let programs = pins.programs()?;
        let taken_over = programs.taken_over;
        let attacher = Attacher::new(programs, pins.clone(), options.attach);
        let mut netlink = Netlink::open().map_err(Error::netlink("open a netlink socket"))?;
        let mut endpoints = Endpoints::open(&pins, &mut netlink)?;
        if let Some(older) = &older {
            older.fill()?;
        }
        let mut flows = Flows::open(&pins)?;
        flows.share(endpoints.iter().map(|(_, local)| local.row.tenant))?;
        let links = netlink.links().map_err(Error::netlink("list links"))?;
        endpoints.take_over(&mut netlink, &attacher, &links)?;
        if let Some(inside) = links.iter().find(|link| link.name == DOOR_INSIDE) {
            attacher.ensure(&mut netlink, inside, Program::Host)?;
        }
        let mut hands = overlay::Hands {
            netlink: &mut netlink,
            attacher: &attacher,
        };
        let overlay = Overlay::open(&pins, &mut hands)?;
        // Every link runs programs of this build by now.
        if let Some(older) = older {
            older.finish()?;
        }
        pins.remove_others()?;
        tracing::info!(
            taken_over,
            tcx = attacher.by_tcx(),
            endpoints = endpoints.iter().count(),
            "the data plane is open"
        );
        Ok(Plane {
            config: pins.table(maps::CONFIG)?,
            host_addresses: HostAddresses::open(&pins)?,
            tenants: Tenants::open(&pins)?,
            policies: Policies::open(&pins)?,
            flows,
            firewall: Firewall::default(),
            overlay,
            door: None,
            networks: BTreeMap::new(),
            ready: BTreeSet::new(),
            footholds: BTreeMap::new(),
            guard: Guard::default(),
            netlink,
            pins,
            attacher,
            endpoints,
        })
    }

    /// Makes the kernel hold this and nothing else; goes on after a failure, and names all.
    ///
    /// What one tenant, network or endpoint lacks is no failure of the others: it is answered
    /// with, and what was in force for the object stays. An endpoint that such a lack keeps
    /// closed is among the answers, too.
    ///
    /// 1. The host's link, its addresses and the private subnet.
    /// 2. Endpoints that should not be go first: their addresses may be others' now.
    /// 3. Policies and networks, not yet in force for flows that exist.
    /// 4. The tunnel, other hosts and their endpoints.
    /// 5. Endpoints that should be; those of tenants without policy stay closed.
    /// 6. New generations: from here on packets see all of it.
    /// 7. What nothing needs any more: old policies, pins of links.
    /// 8. The host's own interfaces, routes and firewall.
    pub fn apply(&mut self, desired: &Desired) -> Result<Vec<Shortfall>, Error> {
        let (mut failures, mut lacks) = (Failures::default(), Shortfalls::default());
        let before = Look::take(&mut self.netlink)?;
        self.footholds.clone_from(&desired.footholds);
        self.guard.miss(&before.links, &before.routes);
        let door = failures.note(self.ensure_door(&before, desired));
        failures.note(self.refresh_host_addresses());

        let wanted: BTreeSet<&str> = desired.local.keys().map(String::as_str).collect();
        let kept = self
            .endpoints
            .keep(&mut self.netlink, &self.attacher, &wanted);
        failures.note(kept);

        self.set_tenants(desired, &mut failures, &mut lacks);
        self.overlay
            .look(desired.underlay.as_ref(), &before, &mut lacks);
        self.set_networks(desired, &mut failures, &mut lacks);
        self.set_overlay(desired, &mut failures, &mut lacks);

        if door.is_some() {
            let links = before.by_name();
            for (id, spec) in &desired.local {
                let subject = || Subject::Endpoint(id.clone());
                let terms = self.terms(id, spec);
                if !self.endpoints.is_whole(id, spec, &terms, &links) {
                    lacks.note(subject(), self.ensure_endpoint(id, spec));
                }
                lacks.note(subject(), self.ensure_mtu(id, spec, &links));
                if !self.endpoints.is_open(id) {
                    let (tenant, network) = (spec.tenant, spec.network);
                    lacks.pass_on(id, &[Subject::Tenant(tenant), Subject::Network(network)]);
                }
            }
        }
        failures.note(self.share_flows());
        failures.note(self.tenants.renew());
        // Roots of earlier agents may be in force as long as a tenant has none of this one's.
        let settled = desired.tenants.keys().all(|n| self.policies.has(*n));
        failures.note(self.policies.retire(settled));
        failures.note(self.forget_pins());
        let after = failures.note(Look::take(&mut self.netlink));
        if let Some((door, look)) = door.zip(after) {
            let look = self.ensure_footholds(look, desired, &mut lacks)?;
            failures.note(self.ensure_routes(&door, &look, desired));
            failures.note(self.ensure_firewall(&door, &look, desired));
            if let Some(routes) = failures.note(self.routes()) {
                let footholds = desired.footholds.values().cloned();
                self.guard
                    .remember(footholds.collect(), &look.links, &routes);
            }
        }
        if desired.networks.values().any(|n| n.ipv6_subnet.is_some()) {
            failures.note(sysctl::forward_ipv6());
        }
        failures.result().map(|()| lacks.all())
    }

    /// Makes the links of an endpoint and lets it in; again for the same id is fine.
    ///
    /// It stays closed until [`apply`](Self::apply) has brought its tenant and network.
    pub fn add_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error> {
        if self.door.is_none() {
            let look = Look::take(&mut self.netlink)?;
            self.ensure_door(&look, &Desired::default())?;
        }
        self.ensure_endpoint(id, spec)?;
        self.share_flows()?;
        self.tenants.renew()
    }

    /// Tenants that have endpoints here share the table of connections.
    fn share_flows(&mut self) -> Result<(), Error> {
        let tenants = self.endpoints.iter().map(|(_, local)| local.row.tenant);
        self.flows.share(tenants)
    }

    pub(crate) fn ensure_endpoint(&mut self, id: &str, spec: &EndpointSpec) -> Result<(), Error> {
        let Some(door) = &self.door else {
            return Ok(());
        };
        let terms = self.terms(id, spec);
        let address = address_key(spec.tenant, spec.ipv4);
        self.overlay.remotes().yield_to(&address)?;
        let mut hands = Hands {
            netlink: &mut self.netlink,
            attacher: &self.attacher,
            private: door.private,
        };
        let stale = self.endpoints.ensure(&mut hands, id, spec, &terms)?;
        for tenant in stale {
            self.tenants.touch(tenant);
        }
        Ok(())
    }

    pub(crate) fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let routes = self.netlink.routes();
        routes.map_err(Error::netlink("list routes"))
    }

    fn terms(&self, id: &str, spec: &EndpointSpec) -> Terms {
        let network = self.networks.get(&spec.network);
        Terms {
            guest: spec.tenant != DEFAULT_TENANT,
            mtu: network.map_or(MTU, |network| network.mtu),
            open: network.is_some()
                && self.ready.contains(&spec.tenant)
                && self.policies.knows(spec.tenant, spec.group),
            foothold: self.footholds.get(id).cloned(),
        }
    }

    /// Closes the endpoint, deletes its links; unknown ids are fine. Its flows lead nowhere,
    /// since their serial is nobody's any more, and leave the table by and by.
    pub fn remove_endpoint(&mut self, id: &str) -> Result<(), Error> {
        self.endpoints.remove(&mut self.netlink, &self.attacher, id)
    }

    /// What the kernel knows of each endpoint, by id.
    pub fn endpoints(&mut self) -> Result<BTreeMap<String, EndpointFacts>, Error> {
        let links = self.netlink.links().map_err(Error::netlink("list links"))?;
        let names: BTreeMap<&str, &Link> = links
            .iter()
            .map(|link| (link.name.as_str(), link))
            .collect();
        let mut drops = self.endpoints.drops()?;
        let mut all = BTreeMap::new();
        for (id, local) in self.endpoints.iter() {
            let (interface, peer) = link_names(id);
            let Some(link) = names.get(interface.as_str()) else {
                continue; // Its container has ended, and taken the link along.
            };
            let facts = EndpointFacts {
                interface,
                detached: names.contains_key(peer.as_str()),
                idle: link.up && !link.carrier,
                private_address: Some(local.private_address()),
                drops: drops.remove(&local.row.serial).unwrap_or_default(),
                spec: Some(local.spec()),
            };
            all.insert(id.to_owned(), facts);
        }
        Ok(all)
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The id of the endpoint of this serial, if it still exists.
    pub(crate) fn endpoint_of_serial(&self, serial: u32) -> Option<&str> {
        self.endpoints.id_of(serial)
    }

    /// What each rule has decided, by number; numbers below 16 are the built-in defaults, of all
    /// tenants together. Grows only, and outlives the agent.
    pub fn rule_totals(&mut self) -> Result<BTreeMap<u32, RuleTotals>, Error> {
        self.flows.rule_totals()
    }

    /// How full the table of connections is.
    pub fn flow_use(&mut self) -> Result<FlowUse, Error> {
        self.flows.usage()
    }

    /// Prefixes that the host uses for itself, the private subnet among them.
    pub fn taken_prefixes(&mut self) -> Result<Vec<Taken>, Error> {
        let look = Look::take(&mut self.netlink)?;
        let mut all = look.taken();
        if let Some(private) = Door::current(&look) {
            all.push(Taken {
                prefix: private.into(),
                by: format!("private addresses of this host's endpoints, {DOOR}"),
            });
        }
        Ok(all)
    }

    /// Largest packet of the link by which the default route leaves; 1500 without one.
    pub fn link_mtu(&mut self) -> Result<u32, Error> {
        let Look { links, routes, .. } = Look::take(&mut self.netlink)?;
        let mut defaults = routes.iter().filter(|route| route.to.prefix_len() == 0);
        let link = defaults.find_map(|route| links.iter().find(|link| link.index == route.link));
        Ok(link.map_or(ETHERNET_MTU, |link| link.mtu))
    }

    /// Notes the largest packet that the underlay takes on the way to a host, by the host's name,
    /// until [`tick`](Self::tick) finds out otherwise. A
    /// larger one of an endpoint is answered with what still passes, from the next packet on.
    pub fn set_path_mtu(&mut self, host: &str, mtu: u32) -> Result<(), Error> {
        self.overlay.set_path(host, mtu)
    }

    /// Dropped packets of nobody on this host by reason, such as those that other hosts sent for
    /// no endpoint of this one.
    pub fn stray_drops(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.endpoints.stray_drops()
    }

    /// What is to be done from time to time, a few times a second: flows age, the host's
    /// addresses are read anew, rules that somebody flushed come back, and programs of new
    /// endpoints are attached for good. Paths to other hosts are looked at, too. True
    /// says that something was taken away which [`apply`](Self::apply) puts back.
    pub fn tick(&mut self) -> Result<bool, Error> {
        let mut failures = Failures::default();
        let serials = self.endpoints.serials();
        let lives = |serial| serials.contains(&serial) || self.overlay.lives(serial);
        failures.note(self.flows.age(lives));
        failures.note(self.refresh_host_addresses());
        failures.note(self.firewall.check());
        failures.note(self.overlay.probe());
        let settled = self.endpoints.settle(&mut self.netlink, &self.attacher);
        failures.note(settled);
        let missing = failures.note(self.watch()).unwrap_or_default();
        failures.result().map(|()| missing)
    }
}
