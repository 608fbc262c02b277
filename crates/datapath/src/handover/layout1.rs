//! Rows of layout 1 that later layouts have in another form.

use std::collections::BTreeMap;

use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::flow::{Flow, FlowKey, Taken, Way};
use contiv_datapath_abi::{Plain, maps};

use super::shape;
use crate::Error;
use crate::bpf::Table;
use crate::pins::Pins;

/// The host's settings, as far as layout 1 had them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct OldConfig {
    private_base: [u8; 4],
    private_mask: [u8; 4],
    host_link: u32,
    host_mac: [u8; 6],
    unused: [u8; 6],
}

impl Plain for OldConfig {}

/// One direction of a connection: layout 1 had a row for each, by the direction's own key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct OldFlow {
    generation: u32,
    sender: u32,
    target: u32,
    slot: u32,
    opener_rule: u32,
    accepter_rule: u32,
    seen: u32,
    mtu: u32,
    delivery: u8,
    flags: u8,
    tcp: u8,
    reason: u8,
    unused: u32,
}

impl Plain for OldFlow {}

/// The flag of the direction opposite to a connection's first packet.
const REPLY: u8 = 1;

/// Maps of layout 1 with rows in an older form, and what they become. A build of layout 1 from
/// shortly before its end has none: its maps are alike.
#[derive(Debug)]
pub(super) struct Layout1 {
    config: Option<Table<u32, OldConfig>>,
    flows: Option<Table<FlowKey, OldFlow>>,
    new_config: Table<u32, Config>,
    new_flows: Table<FlowKey, Flow>,
    taken: Table<u32, Taken>,
}

impl Layout1 {
    pub(super) fn open(old: &Pins, new: &Pins) -> Result<Layout1, Error> {
        Ok(Layout1 {
            config: table(old, maps::CONFIG)?,
            flows: table(old, maps::FLOWS)?,
            new_config: new.table(maps::CONFIG)?,
            new_flows: new.table(maps::FLOWS)?,
            taken: new.table(maps::FLOWS_TAKEN)?,
        })
    }

    /// Settings that were written already stay.
    pub(super) fn convert_config(&self) -> Result<(), Error> {
        let Some(old) = &self.config else {
            return Ok(());
        };
        let new = self.new_config.get(&0)?.unwrap_or_default();
        let old = old.get(&0)?.unwrap_or_default();
        if new.private_mask != [0; 4] {
            return Ok(());
        }
        let config = Config {
            private_base: old.private_base,
            private_mask: old.private_mask,
            host_link: old.host_link,
            host_mac: old.host_mac,
            ..new
        };
        self.new_config.put(&0, &config)
    }

    /// Gives connections a row that have none, or one that denies them: what answers them may have
    /// come before. Says how many rows each tenant got.
    pub(super) fn convert_flows(&self) -> Result<BTreeMap<u32, u64>, Error> {
        let mut made = BTreeMap::new();
        let Some(old) = &self.flows else {
            return Ok(made);
        };
        let rows: BTreeMap<FlowKey, OldFlow> = old.rows()?.into_iter().collect();
        for (key, forward) in &rows {
            let reply = rows.get(&key.reversed());
            let Some(flow) = reply.and_then(|reply| connection(key, forward, reply)) else {
                continue;
            };
            let row = key.row();
            let known = self.new_flows.get(&row)?;
            let denied = |flow: &Flow| flow.forward.delivery == Flow::DENIED;
            if known.as_ref().is_none_or(denied) {
                self.new_flows.put(&row, &flow)?;
            }
            if known.is_none() {
                *made.entry(key.tenant).or_default() += 1;
            }
        }
        Ok(made)
    }

    /// Counts rows for their tenants, before programs do.
    pub(super) fn count(&self, rows: &BTreeMap<u32, u64>) -> Result<(), Error> {
        for (tenant, rows) in rows {
            let mut taken = self.taken.get(tenant)?.unwrap_or_default();
            taken.rows += rows;
            self.taken.put(tenant, &taken)?;
        }
        Ok(())
    }
}

/// A map, if its rows have this form.
fn table<K: Plain, V: Plain>(
    pins: &Pins,
    name: &'static str,
) -> Result<Option<Table<K, V>>, Error> {
    let found = shape(pins, name)?;
    let same =
        |(key, value): (u32, u32)| (key, value) == (size_of::<K>() as u32, size_of::<V>() as u32);
    if found.is_some_and(|shape| same((shape.key, shape.value))) {
        return pins.table(name).map(Some);
    }
    Ok(None)
}

/// The row of a connection that lives, from those of its directions.
///
/// It is of a generation that has passed, so that its next packet, in whichever direction, has it
/// judged anew, in the direction in which it began.
fn connection(key: &FlowKey, forward: &OldFlow, reply: &OldFlow) -> Option<Flow> {
    let ended = forward.tcp & reply.tcp & Flow::TCP_FIN != 0
        || (forward.tcp | reply.tcp) & Flow::TCP_RST != 0;
    let denied = [forward, reply]
        .iter()
        .any(|flow| flow.delivery == Flow::DENIED);
    if forward.flags & REPLY != 0 || reply.flags & REPLY == 0 || ended || denied {
        return None;
    }
    let turned = if key.is_turned() { Flow::TURNED } else { 0 };
    Some(Flow {
        forward: way(forward),
        reply: way(reply),
        generation: forward.generation.wrapping_sub(1),
        opener_rule: forward.opener_rule,
        accepter_rule: forward.accepter_rule,
        flags: forward.flags & (Flow::ROUTED | Flow::TRANSLATED) | turned,
        ..Flow::NONE
    })
}

fn way(flow: &OldFlow) -> Way {
    Way {
        sender: flow.sender,
        target: flow.target,
        slot: flow.slot,
        seen: flow.seen,
        mtu: flow.mtu,
        delivery: flow.delivery,
        tcp: flow.tcp,
        ..Way::NONE
    }
}

const _: () = {
    assert!(size_of::<OldConfig>() == 24);
    assert!(size_of::<OldFlow>() == 40);
};

#[cfg(test)]
mod tests;
