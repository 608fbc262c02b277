//! What must never be, at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use contiv_fabric::record::EndpointRecord;
use contiv_model::agent::Revision;
use netmaster::Ledger;
use tokio::time::Instant;

use crate::chronicle::Chronicle;
use crate::engine::Container;
use crate::host::HostNode;
use crate::master::MasterNode;
use crate::world::World;

/// What was seen so far.
pub(crate) struct Seen {
    /// By master: its present life, and how far it was.
    masters: BTreeMap<String, (Arc<Ledger>, Revision)>,
    pub(crate) chronicle: Chronicle,
    /// By host: since when nothing keeps any master from hearing it.
    calm: BTreeMap<String, Instant>,
    /// How often followers had lost the thread, and which lives masters had.
    breaks: Option<u64>,
    lives: Vec<Option<Arc<Ledger>>>,
    /// Containers that masters do not know.
    strangers: BTreeSet<String>,
}

impl Seen {
    pub(crate) fn new(world: &World) -> Seen {
        Seen {
            masters: BTreeMap::new(),
            chronicle: Chronicle::new(world.tally.clone()),
            calm: BTreeMap::new(),
            breaks: None,
            lives: Vec::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// Looks at everything; says what is wrong.
    pub(crate) fn look(&mut self, world: &mut World) -> Result<(), String> {
        for done in world.etcd.done() {
            let calm = |host: &str| self.calm.get(host).copied();
            self.chronicle.take(done, calm)?;
        }
        self.calm(world);
        self.masters(world)?;
        hosts(world)?;
        self.lost(world);
        self.strangers(world);
        addresses(world)?;
        unmoved(world)
    }

    /// Takes note of hosts that nothing keeps from being heard.
    fn calm(&mut self, world: &World) {
        let breaks = world.etcd.calm();
        let lives: Vec<_> = world.masters.iter().map(MasterNode::ledger).collect();
        let same = |(one, other): (&Option<Arc<Ledger>>, &Option<Arc<Ledger>>)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let lasting = lives.len() == self.lives.len() && lives.iter().zip(&self.lives).all(same);
        let masters = lasting
            && breaks.is_some()
            && breaks == self.breaks
            && world.masters.iter().all(MasterNode::is_calm);
        (self.breaks, self.lives) = (breaks, lives);
        for host in &world.hosts {
            if masters && host.agent.is_some() && world.network.is_calm(&host.name) {
                self.calm
                    .entry(host.name.clone())
                    .or_insert_with(Instant::now);
            } else {
                self.calm.remove(&host.name);
            }
        }
    }

    /// Of hosts that are lost the addresses may be given to others, until masters know their
    /// endpoints again; a copy of the store that is older than the loss knows nothing of it.
    fn lost(&mut self, world: &mut World) {
        let image = &self.chronicle.image;
        for host in &world.hosts {
            let lost = self.chronicle.gone.contains(&host.name);
            if lost {
                world.lost.insert(host.name.clone());
            }
            for (id, container) in host.engine.containers() {
                let had = container
                    .address
                    .map(|address| (host.name.clone(), address));
                let lost = lost || had.is_some_and(|had| self.chronicle.ended.contains(&had));
                let same = |e: &EndpointRecord| {
                    e.host == host.name && Some(e.ipv4.into()) == container.address
                };
                let known = image.endpoint(&id).is_some_and(same);
                if lost && !known && container.disowned.is_none() {
                    let restores = Some(self.chronicle.restores);
                    host.engine.set_disowned(&id, restores);
                } else if known && container.disowned == Some(self.chronicle.restores) {
                    world
                        .tally
                        .add("containers of lost hosts that kept their address");
                    host.engine.set_disowned(&id, None);
                }
            }
        }
    }

    /// Counts containers that run without masters' knowledge, and what becomes of them.
    fn strangers(&mut self, world: &World) {
        let image = &self.chronicle.image;
        for host in &world.hosts {
            for (id, container) in host.engine.containers() {
                if !container.runs || container.ending {
                    continue;
                }
                let known = image.endpoint(&id).is_some();
                if !known && self.strangers.insert(id.clone()) {
                    world.tally.add("containers unknown to masters");
                } else if known && self.strangers.remove(&id) {
                    world
                        .tally
                        .add("containers unknown to masters, then adopted");
                }
                if is_fenced(host, &id) && !container.fenced {
                    host.engine.set_fenced(&id);
                    world.tally.add("containers fenced");
                }
            }
        }
    }

    /// What a master knows never goes back.
    fn masters(&mut self, world: &World) -> Result<(), String> {
        for master in &world.masters {
            let Some(ledger) = master.ledger() else {
                self.masters.remove(&master.name);
                continue;
            };
            let now = ledger.read().revision();
            let before = self.masters.get(&master.name);
            if let Some((life, before)) = before
                && Arc::ptr_eq(life, &ledger)
                && now < *before
            {
                return Err(format!("{} went back from {before} to {now}", master.name));
            }
            self.masters.insert(master.name.clone(), (ledger, now));
        }
        Ok(())
    }
}

/// What a host has heard never goes back, whichever master it hears.
fn hosts(world: &mut World) -> Result<(), String> {
    for host in &mut world.hosts {
        let Some(agent) = &host.agent else { continue };
        let now = agent.heard();
        if now < host.seen {
            return Err(format!(
                "{} went back from {} to {now}",
                host.name, host.seen
            ));
        }
        host.seen = now;
    }
    Ok(())
}

fn is_fenced(host: &HostNode, id: &str) -> bool {
    let agent = host.agent.as_ref();
    agent.is_some_and(|agent| agent.has_fenced(id))
}

/// Containers whose users were told that they run, with their hosts, but for those that were
/// fenced or lost.
fn running(world: &World) -> impl Iterator<Item = (&HostNode, String, Container)> {
    let of_host = |host: &HostNode| host.engine.containers();
    let all = world
        .hosts
        .iter()
        .flat_map(move |host| of_host(host).into_iter().map(move |(id, c)| (host, id, c)));
    // What was fenced stays so when the agent ends, as long as its links are not made again.
    let is_closed = |host: &HostNode, id: &str, c: &Container| {
        is_fenced(host, id) || c.fenced && !host.kernel.state().endpoints.contains_key(id)
    };
    all.filter(move |(host, id, c)| c.runs && !c.ending && !is_closed(host, id, c))
}

/// No two containers that run have one address.
fn addresses(world: &World) -> Result<(), String> {
    let mut owners: BTreeMap<(String, IpAddr), String> = BTreeMap::new();
    for (_, id, container) in running(world).filter(|(.., c)| c.disowned.is_none()) {
        let Some(address) = container.address else {
            continue;
        };
        let network = format!("{}:{}", container.to.tenant, container.to.network);
        if let Some(other) = owners.insert((network.clone(), address), id.clone()) {
            return Err(format!(
                "{address} of {network} was given to {other} and to {id}"
            ));
        }
    }
    Ok(())
}

/// No container that runs has another address than its user was told.
fn unmoved(world: &World) -> Result<(), String> {
    for (host, id, container) in running(world) {
        let kernel = host.kernel.state();
        let Some(spec) = kernel.endpoints.get(&id) else {
            continue;
        };
        let now = IpAddr::from(spec.ipv4);
        if container.address.is_some_and(|told| told != now) {
            return Err(format!(
                "{id} was moved from {:?} to {now}, and nobody was told",
                container.address
            ));
        }
    }
    Ok(())
}
