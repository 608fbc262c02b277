//! Connections that exist, as the table of flows has them.

use std::time::Duration;

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::{Flow, FlowKey, TICK_SHIFT};
use contiv_datapath_abi::policy::{TCP, UDP};
use contiv_datapath_abi::{Words, maps};
use contiv_policy::Beginning;

use crate::bpf::{Table, ticks};
use crate::pins::Pins;
use crate::{Error, address};

/// A connection in the table, in the direction in which it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub source_port: u16,
    pub destination_port: u16,
    /// Why its packets are dropped; none if they are passed on.
    pub denied: Option<Reason>,
    /// The rule of the opener's outgoing policy; 0 where it was not asked.
    pub opener_rule: u32,
    /// The rule of the accepter's incoming policy; 0 where it was not asked.
    pub accepter_rule: u32,
    /// The rule by which staged policies would decide otherwise for the opener; 0 for none.
    pub staged_opener_rule: u32,
    /// As above, for the accepter.
    pub staged_accepter_rule: u32,
    /// Packets of both directions, and their bytes from the IP header on; not counted here for
    /// connections that their tenant has no room for.
    pub packets: u64,
    pub bytes: u64,
    /// The tenant's generation under which it was judged last.
    pub generation: u32,
    /// Since a packet came last.
    pub idle: Duration,
}

impl Connection {
    /// How many of them are told.
    pub const MOST: usize = 16;
}

/// Rows per call.
const STEP: usize = 4096;

/// Those of the table that tenants have shares of, then those of the crowd.
pub(super) fn find(pins: &Pins, beginning: &Beginning) -> Result<Vec<Connection>, Error> {
    let words = |ip| Words::new(address::bytes(ip));
    let (source, destination) = (words(beginning.from), words(beginning.to));
    let has_ports = matches!(beginning.protocol, TCP | UDP);
    let is_it = |key: &FlowKey| {
        key.tenant == beginning.tenant
            && key.source == source
            && key.destination == destination
            && key.protocol == u32::from(beginning.protocol)
            && (!has_ports || key.destination_port == beginning.port)
    };
    let (mut found, now) = (Vec::new(), ticks());
    for name in [maps::FLOWS, maps::CROWD] {
        let table: Table<FlowKey, Flow> = pins.table(name)?;
        let mut at = None;
        loop {
            let (rows, next) = table.step(at, STEP)?;
            let opened = rows
                .into_iter()
                .map(|(row, flow)| (flow.opened(&row), flow));
            let some = opened.filter(|(key, _)| is_it(key));
            found.extend(some.map(|(key, flow)| connection(&key, &flow, now)));
            if found.len() >= Connection::MOST {
                found.truncate(Connection::MOST);
                return Ok(found);
            }
            match next {
                Some(_) => at = next,
                None => break,
            }
        }
    }
    Ok(found)
}

fn connection(key: &FlowKey, flow: &Flow, now: u32) -> Connection {
    let idle = u64::from(now.saturating_sub(flow.seen())) << TICK_SHIFT;
    let counted = flow.counted();
    let reason = || Reason::from_number(flow.reason.into()).unwrap_or(Reason::PolicyOut);
    Connection {
        source_port: key.source_port,
        destination_port: key.destination_port,
        denied: (flow.forward.delivery == Flow::DENIED).then(reason),
        opener_rule: flow.opener_rule,
        accepter_rule: flow.accepter_rule,
        staged_opener_rule: flow.staged_opener_rule,
        staged_accepter_rule: flow.staged_accepter_rule,
        packets: counted.packets,
        bytes: counted.bytes,
        generation: flow.generation,
        idle: Duration::from_nanos(idle),
    }
}
