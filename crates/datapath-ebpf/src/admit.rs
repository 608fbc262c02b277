//! Connections that begin, or are judged again.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::opening::{self, Connection, Opening, Remarks};
use contiv_datapath_abi::packet::{Kind, Packet};
use contiv_datapath_abi::policy::TCP;

use crate::deliver::now;
use crate::event;
use crate::maps::{ENDPOINTS, FLOWS, Scratch, scratch};
use crate::tables::Host;
use crate::tunnel;

/// Who sends a packet, and how.
#[repr(C)]
pub struct Sender {
    /// The endpoint that sends, or the one that the host sends to.
    pub slot: u32,
    /// Serial of the endpoint that sends; 0 for the host.
    pub serial: u32,
    /// As in [`Opening::by`].
    pub by: u32,
    /// Bytes of the packet.
    pub length: u32,
}

/// Finds what to do with a packet whose flow is unknown or not valid any more; then the table has
/// a flow for its key. Answers with 0, or a reason's code.
///
/// A flow of the reply's direction is judged in the direction in which the connection began, as
/// long as who began it is still there. A packet that says that a connection begins is believed.
#[inline(always)]
pub fn admit(packet: &Packet, sender: &Sender) -> i32 {
    admit_packet(packet, sender)
}

/// A global function, so that the verifier proves it once and not for each way to it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn admit_packet(packet: *const Packet, sender: *const Sender) -> i32 {
    // SAFETY: the verifier lets in what is readable, or null.
    let (Some(packet), Some(sender)) = (unsafe { (packet.as_ref(), sender.as_ref()) }) else {
        return Reason::Kernel.code();
    };
    let Some(Scratch {
        opening, judgement, ..
    }) = scratch()
    else {
        return Reason::Kernel.code();
    };
    opening.key = packet.key;
    opening.slot = sender.slot;
    opening.by = sender.by;
    let mut known = false;
    // Older kernels take keys from their own memory only, not from an argument's.
    if let Some(flow) = FLOWS.get_ptr(&opening.key)
        && !packet.opens()
    {
        // SAFETY: a row that is taken by another flow meanwhile leads to a judgement, never past one.
        let flow = unsafe { &*flow };
        known = flow.sender == sender.serial;
        if known && flow.flags & Flow::REPLY != 0 {
            known = resume(flow, packet, opening);
        }
    }
    if !known && packet.kind == Kind::Error {
        return Reason::UnrelatedError.code();
    }
    if !known && packet.accepts() {
        return Reason::NoConnection.code();
    }
    if let Err(reason) = opening::judge(&Host, opening, judgement) {
        return reason.code();
    }
    if judgement.remarks != Remarks::NONE {
        event::judged(judgement, opening, sender.length, known);
    }
    write_down(opening, &mut judgement.connection, known)
}

/// Turns the opening around to that of the connection which this flow is the reply of, if whoever
/// began it is still there.
#[inline(always)]
fn resume(flow: &Flow, packet: &Packet, opening: &mut Opening) -> bool {
    let is_there = match ENDPOINTS.get(flow.slot) {
        Some(opener) => opener.serial == flow.target,
        None => tunnel::is_current(flow.slot, flow.target),
    };
    if !is_there || is_forgotten(flow, packet) {
        return false;
    }
    opening.key = packet.key.reversed();
    if flow.slot != 0 {
        opening.slot = flow.slot;
        opening.by = 0;
    } else if flow.flags & Flow::TRANSLATED != 0 {
        opening.by = Opening::BY_HOST | Opening::TRANSLATED;
    } else {
        opening.by = Opening::BY_HOST;
    }
    true
}

/// Whether the denied reply of a connection without states may begin one of its own.
#[inline(always)]
pub fn is_forgotten(flow: &Flow, packet: &Packet) -> bool {
    /// Ticks for which nothing new begins between the same ports.
    const QUARANTINE: u32 = 30;
    flow.delivery == Flow::DENIED
        && flow.flags & Flow::REPLY != 0
        && packet.key.protocol != TCP as u32
        && now().wrapping_sub(flow.seen) > QUARANTINE
}

/// Writes down both directions. The reply's direction of a connection that was denied from the
/// start is left alone: it may be another connection's.
#[inline(always)]
fn write_down(opening: &mut Opening, connection: &mut Connection, known: bool) -> i32 {
    let now = now();
    connection.forward.seen = now;
    if known {
        connection.reply.seen = now;
    }
    if FLOWS.insert(&opening.key, &connection.forward, 0).is_err() {
        return Reason::Kernel.code();
    }
    if known || connection.forward.delivery != Flow::DENIED {
        opening.key = opening.key.reversed();
        if FLOWS.insert(&opening.key, &connection.reply, 0).is_err() {
            return Reason::Kernel.code();
        }
    }
    0
}
