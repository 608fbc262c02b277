//! Connections that nobody uses any more leave the table, a few at a time; what was counted of them
//! stays.
//!
//! | connection | idle for | under pressure | after |
//! | --- | --- | --- | --- |
//! | denied | 60 s | 10 s | |
//! | TCP, answered, not ended | 2 h 4 min | the same | RFC 5382, REQ-5 |
//! | TCP, opening | 4 min | 20 s | RFC 5382, REQ-5 |
//! | TCP, ended by both, or reset | 15 s | 2 s | retransmissions of the last packets |
//! | UDP, answered | 5 min | 60 s | RFC 4787, REQ-5 |
//! | UDP, not answered | 2 min | 20 s | RFC 4787, REQ-5 |
//! | ICMP | 60 s | 20 s | RFC 5508, REQ-2 |
//! | other protocols | 5 min | 60 s | |
//!
//! A tenant is under pressure when half of its share of the table is in use. The RFCs speak of
//! translators of ports, whose connections are lost with their rows; here the next packet of one is
//! judged as the first of a connection.

mod room;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contiv_datapath_abi::counter::{RuleCount, RuleKey};
use contiv_datapath_abi::flow::{Flow, FlowKey, Fragment, FragmentKey, TICK_SHIFT};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::policy::{ICMP, ICMPV6, TCP, UDP};

use crate::Error;
use crate::bpf::{Batch, Table, ticks};
use crate::pins::Pins;
use crate::totals::{FlowUse, RuleTotals, Tally};
use room::Rooms;

/// Rows that one step looks at; some four steps a second keep pace with 10,000 connections a second.
const STEP: usize = 16_384;
/// From the begin of one walk to that of the next, as long as no tenant is under pressure.
const ROUND: Duration = Duration::from_secs(15);

/// The tables of flows and of fragments, and how far the walk has come.
#[derive(Debug)]
pub(crate) struct Flows {
    table: Table<FlowKey, Flow>,
    fragments: Table<FragmentKey, Fragment>,
    /// Counted by programs.
    counts: Table<RuleKey, RuleCount>,
    /// Counted of rows that are gone.
    totals: Table<RuleKey, RuleCount>,
    rooms: Rooms,
    at: Batch,
    begun: Option<Instant>,
}

impl Flows {
    pub(crate) fn open(pins: &Pins) -> Result<Flows, Error> {
        let table = pins.table(maps::FLOWS)?;
        let rooms = Rooms::open(pins, &table)?;
        Ok(Flows {
            table,
            fragments: pins.table(maps::FRAGMENTS)?,
            counts: pins.table(maps::RULE_COUNTS)?,
            totals: pins.table(maps::RULE_TOTALS)?,
            rooms,
            at: None,
            begun: None,
        })
    }

    /// Gives each of these tenants a fair share of the table.
    pub(crate) fn share(&mut self, tenants: impl Iterator<Item = u32>) -> Result<(), Error> {
        self.rooms.share(tenants)
    }

    /// Takes the next step; `lives` says whether the endpoint of a serial exists.
    pub(crate) fn age(&mut self, lives: impl Fn(u32) -> bool) -> Result<usize, Error> {
        let pressed = self.rooms.pressed()?;
        if self.at.is_none() {
            let rests = self.begun.is_some_and(|at| at.elapsed() < ROUND);
            if rests && pressed.is_empty() {
                return Ok(0);
            }
            self.begun = Some(Instant::now());
            self.age_fragments()?;
        }
        let (rows, next) = match self.table.step(self.at, STEP) {
            Ok(step) => step,
            Err(error) => {
                self.at = None;
                return Err(error);
            }
        };
        self.at = next;
        let now = ticks();
        let may_go = |key: &FlowKey, flow: &Flow| {
            let ends = [flow.forward.sender, flow.forward.target];
            ends.iter().any(|serial| *serial != 0 && !lives(*serial))
                || is_over(key.protocol, flow, now, pressed.contains(&key.tenant))
        };
        let (mut freed, mut counted) = (BTreeMap::<u32, u64>::new(), BTreeMap::new());
        for (key, flow) in rows {
            // The walk is some milliseconds old, and ports are used again.
            if may_go(&key, &flow)
                && let Some(flow) = self.table.get(&key)?
                && may_go(&key, &flow)
                && let Some(flow) = self.table.take(&key)?
            {
                add(&mut counted, &flow);
                *freed.entry(key.tenant).or_default() += 1;
            }
        }
        for (key, more) in counted {
            let before = self.totals.get(&key)?.unwrap_or_default();
            self.totals.put(&key, &before.plus(&more))?;
        }
        let removed = freed.values().sum::<u64>() as usize;
        self.rooms.free(&freed)?;
        Ok(removed)
    }

    fn age_fragments(&self) -> Result<(), Error> {
        let now = ticks();
        let (rows, _) = self.fragments.step(None, STEP)?;
        for (key, fragment) in rows {
            if now.saturating_sub(fragment.seen) > Fragment::LIFETIME {
                self.fragments.remove(&key)?;
            }
        }
        Ok(())
    }

    /// What rules have decided: about connections that are gone, and about those that are there. A
    /// packet that is counted while this reads may be missing, and none is there twice.
    pub(crate) fn rule_totals(&self) -> Result<BTreeMap<u32, RuleTotals>, Error> {
        let mut all: BTreeMap<RuleKey, RuleCount> = self.totals.rows()?.into_iter().collect();
        for (key, count) in self.counts.sums()? {
            let sum = all.entry(key).or_default();
            *sum = sum.plus(&count);
        }
        for (_, flow) in self.table.rows()? {
            add(&mut all, &flow);
        }
        let mut totals: BTreeMap<u32, RuleTotals> = BTreeMap::new();
        for (key, count) in all {
            let rule = totals.entry(key.rule).or_default();
            let tally = Tally {
                packets: count.packets,
                bytes: count.bytes,
                connections: count.connections,
            };
            match key.staged {
                RuleKey::STAGED => rule.staged = tally,
                _ => rule.enforced = tally,
            }
        }
        Ok(totals)
    }

    pub(crate) fn usage(&self) -> Result<FlowUse, Error> {
        self.rooms.usage()
    }
}

/// Adds what was counted of a connection to the counts of its rules.
fn add(counts: &mut BTreeMap<RuleKey, RuleCount>, flow: &Flow) {
    let counted = flow.counted();
    if counted == RuleCount::default() {
        return;
    }
    for key in flow.rule_keys().into_iter().filter(|key| key.rule != 0) {
        let count = counts.entry(key).or_default();
        *count = count.plus(&counted);
    }
}

/// Whether a connection has been idle for too long.
fn is_over(protocol: u32, flow: &Flow, now: u32, pressed: bool) -> bool {
    now.saturating_sub(flow.seen()) > limit(protocol, flow, pressed)
}

/// How many ticks a connection may be idle; see the table above.
fn limit(protocol: u32, flow: &Flow, pressed: bool) -> u32 {
    let answered = flow.is_answered();
    let (seconds, under_pressure) = match u8::try_from(protocol) {
        _ if flow.forward.delivery == Flow::DENIED => (60, 10),
        Ok(TCP) if flow.has_ended() => (15, 2),
        Ok(TCP) if answered => (7440, 7440),
        Ok(TCP) => (240, 20),
        Ok(UDP) if answered => (300, 60),
        Ok(UDP) => (120, 20),
        Ok(ICMP | ICMPV6) => (60, 20),
        _ => (300, 60),
    };
    let seconds: u64 = if pressed { under_pressure } else { seconds };
    // A tick is a little longer than a second.
    (seconds * 1_000_000_000).div_ceil(1 << TICK_SHIFT) as u32
}

#[cfg(test)]
mod tests;
