//! What must never be, at any moment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use contiv_model::agent::Revision;
use netmaster::Ledger;

use crate::world::World;

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Seen {
    /// By master: its present life, and how far it was.
    masters: BTreeMap<String, (Arc<Ledger>, Revision)>,
}

impl Seen {
    /// Looks at everything; says what is wrong.
    pub(crate) fn look(&mut self, world: &mut World) -> Result<(), String> {
        self.masters(world)?;
        hosts(world)?;
        note_lost(world);
        addresses(world)
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

/// Of hosts that masters took for lost, the addresses may be given to others.
fn note_lost(world: &mut World) {
    for master in &world.masters {
        let Some(ledger) = master.ledger() else {
            continue;
        };
        let committed = ledger.read();
        for host in &world.hosts {
            if host.seen.epoch == committed.revision().epoch
                && committed.image().host(&host.name).is_none()
            {
                world.lost.insert(host.name.clone());
                for id in host.engine.containers().keys() {
                    host.engine.disown(id);
                }
            }
        }
    }
}

/// No two containers that run have one address.
fn addresses(world: &World) -> Result<(), String> {
    let mut owners: BTreeMap<(String, IpAddr), String> = BTreeMap::new();
    for host in &world.hosts {
        for (id, container) in host.engine.containers() {
            let (true, false, Some(address)) =
                (container.runs, container.disowned, container.address)
            else {
                continue;
            };
            let fenced = host
                .agent
                .as_ref()
                .is_some_and(|agent| agent.has_fenced(&id));
            if container.ending || fenced {
                continue;
            }
            let network = format!("{}:{}", container.to.tenant, container.to.network);
            if let Some(other) = owners.insert((network.clone(), address), id.clone()) {
                return Err(format!(
                    "{address} of {network} was given to {other} and to {id}"
                ));
            }
        }
    }
    Ok(())
}
