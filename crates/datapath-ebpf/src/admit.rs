//! Connections that begin, or are judged again.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::{Flow, FlowKey, Way};
use contiv_datapath_abi::opening::{self, Kept, Opening, Remarks};
use contiv_datapath_abi::packet::{ETHERNET, Kind, Packet};
use contiv_datapath_abi::policy::TCP;

use crate::deliver::now;
use crate::maps::{CROWD, ENDPOINTS, FLOWS, Scratch, TENANTS, scratch};
use crate::tables::Host;
use crate::{event, flows, tunnel};

/// Who sends a packet, and how.
#[repr(C)]
pub struct Sender {
    /// The endpoint that sends, or the one that the host sends to.
    pub slot: u32,
    /// Serial of the endpoint that sends; 0 for the host.
    pub serial: u32,
    /// As in [`Opening::by`]; with [`Sender::UNKNOWN`], if that is so, and how the packet
    /// [ends](Sender::ENDS) its connection.
    pub by: u32,
    /// Bytes of the packet.
    pub length: u32,
}

impl Sender {
    /// The table was looked at, and has no row; who says so has a new row counted right away, and
    /// delivers along the copy of it, see [`BEGUN`].
    pub const UNKNOWN: u32 = 1 << 31;
    /// Where [`Packet::ends`] is added.
    pub const ENDS: u32 = 8;
}

/// What [`admit`] answers when it has made a new row, and counted the packet in it: there is a copy
/// of it in the scratch room, so that it need not be looked for.
pub const BEGUN: i32 = 1;

/// Finds what to do with a packet whose flow is unknown or not valid any more; then the table has
/// a flow for its key. Answers with 0 or [`BEGUN`], or a reason's code.
///
/// What answers a connection is judged in the direction in which the connection began, as long as
/// who began it is still there. A packet that says that a connection begins is believed.
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
        opening,
        row,
        judgement,
        ..
    }) = scratch()
    else {
        return Reason::Kernel.code();
    };
    // Older kernels take keys from their own memory only, not from an argument's.
    *row = packet.key;
    opening.key = *row;
    if packet.turned {
        opening.key.turn();
    }
    opening.slot = sender.slot;
    opening.by = sender.by & (Opening::BY_HOST | Opening::TRANSLATED);
    opening.kept = Kept::NONE;
    let mut found = core::ptr::null_mut();
    if sender.by & Sender::UNKNOWN == 0
        && let Some(flow) = FLOWS.get_ptr_mut(&*row)
    {
        found = flow;
    }
    if found.is_null() {
        found = flows::find_crowded(row);
    }
    let mut known = false;
    // SAFETY: a row that is taken by another connection meanwhile leads to a judgement, never past
    // one.
    if let Some(old) = unsafe { found.as_ref() }
        && !packet.opens()
    {
        let way = old.way(packet.turned);
        known = way.sender == sender.serial;
        if known && old.is_reply(packet.turned) {
            known = resume(old, packet, opening);
        }
        if known {
            if old.flags & Flow::CROWDED != 0 && holds(old, way, sender, row.tenant) {
                if old.is_answered() && !old.has_ended() && packet.kind != Kind::Error {
                    // SAFETY: it is a row of the crowd's, and nothing is judged yet.
                    unsafe { flows::promote(row, old, &mut judgement.flow) };
                }
                return 0;
            }
            opening.kept = Kept::of(old);
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
    let how = if known { sender.by | KNOWN } else { sender.by };
    write_down(row, &mut judgement.flow, found, how, sender.length)
}

/// Whether a row of the crowd's, which is not looked for before a packet comes here, is still valid.
#[inline(always)]
fn holds(flow: &Flow, way: &Way, sender: &Sender, tenant: u32) -> bool {
    let by_host = sender.serial == 0;
    let translated = flow.flags & Flow::TRANSLATED != 0;
    let same_host_address = translated == (sender.by & Opening::TRANSLATED != 0);
    TENANTS
        .get(tenant)
        .is_some_and(|tenant| tenant.generation == flow.generation)
        && is_there(way)
        && (!by_host || same_host_address)
}

/// Whether who receives is still the one that the row names.
#[inline(always)]
fn is_there(way: &Way) -> bool {
    match ENDPOINTS.get(way.slot) {
        Some(target) => target.serial == way.target,
        None => tunnel::is_current(way.slot, way.target),
    }
}

/// Turns the opening around to that of the connection which this packet answers, if whoever began
/// it is still there.
#[inline(always)]
fn resume(flow: &Flow, packet: &Packet, opening: &mut Opening) -> bool {
    let to = &flow.reply;
    if !is_there(to) || is_forgotten(flow, packet) {
        return false;
    }
    opening.key.turn();
    if to.slot != 0 {
        opening.slot = to.slot;
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
    flow.reply.delivery == Flow::DENIED
        && flow.is_reply(packet.turned)
        && packet.key.protocol != TCP as u32
        && now().wrapping_sub(flow.reply.seen) > QUARANTINE
}

/// Added to [`Sender::by`] for [`write_down`].
const KNOWN: u32 = 1 << 30;

/// Writes down what was judged, in place of what was known before (null for nothing), and counts
/// the connection.
///
/// `how` is [`Sender::by`] and whether the connection was [`KNOWN`]: five arguments are all that
/// there may be.
#[inline(never)]
fn write_down(row: &FlowKey, flow: &mut Flow, old: *mut Flow, how: u32, length: u32) -> i32 {
    let now = now();
    let known = how & KNOWN != 0;
    let denied = flow.forward.delivery == Flow::DENIED;
    flow.forward.seen = now;
    // SAFETY: see above.
    let Some(before) = (unsafe { old.as_ref() }) else {
        if denied {
            flow.reply.sender = Way::NOBODY;
        }
        flows::count_connection(flow, None);
        if how & Sender::UNKNOWN == 0 {
            return placed(flows::place(row, flow, false));
        }
        flow.forward.packets = 1;
        flow.forward.bytes = (length - ETHERNET as u32) as u64;
        if !denied {
            flow.forward.tcp = (how >> Sender::ENDS) as u8;
        }
        if flows::place(row, flow, false) {
            return BEGUN;
        }
        return Reason::Kernel.code();
    };
    let same_ends = flow.flags & Flow::TURNED == before.flags & Flow::TURNED
        && flow.forward.sender == before.forward.sender;
    if denied && (!same_ends || before.reply.sender == Way::NOBODY) {
        // What comes the other way may be another connection.
        flow.reply.sender = Way::NOBODY;
    }
    if denied
        && !known
        && !same_ends
        && before.reply.sender == flow.forward.sender
        && before.forward.delivery != Flow::DENIED
    {
        // Nobody ends another's connection by wishing for one of his own between the same ports.
        flows::count_for_rules(flow, 1, (length - ETHERNET as u32) as u64, 1);
        return -(flow.reason as i32);
    }
    // An opening that was not answered is repeated.
    let again = known
        || same_ends
            && flow.forward.target == before.forward.target
            && before.forward.tcp == 0
            && !before.is_answered();
    if denied && flow.reply.sender != Way::NOBODY {
        flow.reply.seen = now;
    } else if again {
        flow.reply.seen = before.reply.seen;
    }
    if again {
        flow.forward.tcp = before.forward.tcp;
        flow.reply.tcp = before.reply.tcp;
        if flow.is_judged_like(before) {
            // SAFETY: see above. It is as it was, but for these.
            unsafe {
                (*old).forward.seen = now;
                (*old).reply.seen = flow.reply.seen;
                (*old).generation = flow.generation;
            }
            return 0;
        }
        flows::count_connection(flow, Some(before));
    } else {
        flows::count_connection(flow, None);
    }
    if before.flags & Flow::CROWDED != 0 {
        let _ = CROWD.remove(row);
        return placed(flows::place(row, flow, known && before.is_answered()));
    }
    if FLOWS.insert(row, &*flow, 0).is_err() {
        return Reason::Kernel.code();
    }
    // SAFETY: it was the row; nothing takes its place before this program ends.
    unsafe { flows::settle_counts(old) };
    0
}

fn placed(done: bool) -> i32 {
    if done { 0 } else { Reason::Kernel.code() }
}
