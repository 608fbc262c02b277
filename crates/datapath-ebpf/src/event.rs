//! Events: told to whoever reads the ring, within each endpoint's budget.
//!
//! A packet pays for this when it is dropped: one row of an array is read, and while its endpoint
//! has a budget left, the packet is read once more, by a function of its own. A connection pays
//! when policy remarks on it. What travels along a flow pays nothing.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint};
use contiv_datapath_abi::event::{End, Event, EventKind, Limit};
use contiv_datapath_abi::flow::{Flow, FlowKey, Way};
use contiv_datapath_abi::opening::{Fabric, Judgement, Opening, Remarks};
use contiv_datapath_abi::packet::{
    self, ETHERNET, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Kind, Packet,
};
use contiv_datapath_abi::tunnel::is_remote;
use contiv_datapath_abi::{Words, mapped};

use crate::atomic;
use crate::flows::find;
use crate::from_endpoint::own;
use crate::maps::{ENDPOINTS, EVENT_LIMITS, EVENTS, EventRoom, event_room};
use crate::skb::Skb;
use crate::tables::Host;

/// Tells of a packet that is dropped: one that the endpoint in this slot sent, or if the host sent
/// it, one that the endpoint would have got.
#[inline(always)]
pub fn dropped(skb: &Skb, slot: u32, by_host: bool, reason: u32) {
    if may_tell(slot, EventKind::Drop) {
        tell_drop(skb.0, slot, by_host as u32, reason);
    }
}

/// A global function, so that the verifier proves it once and not for each way to it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tell_drop(skb: *mut __sk_buff, slot: u32, by_host: u32, reason: u32) -> u32 {
    let (skb, Some(EventRoom { event, row })) = (Skb(skb), event_room()) else {
        return 0;
    };
    *event = Event::NONE;
    event.kind = EventKind::Drop as u8;
    event.flags = Event::DENIED;
    event.reason = reason as u8;
    event.length = skb.len();
    if let Some(endpoint) = ENDPOINTS.get(slot) {
        let end = End {
            slot,
            serial: endpoint.serial,
        };
        event.key.tenant = endpoint.tenant;
        if by_host == 0 {
            event.sender = end;
        } else {
            event.target = end;
        }
        read_packet(&skb, event, endpoint, by_host != 0);
        know_flow(event, row);
    }
    tell(event, slot);
    1
}

/// Reads what there is to read; whatever fails, what was read before stays.
#[inline(always)]
fn read_packet(skb: &Skb, event: &mut Event, endpoint: &Endpoint, by_host: bool) {
    /// What is read at most: headers of IPv6 and TCP.
    const HEADERS: u32 = ETHERNET as u32 + 40 + 14;
    skb.gather(HEADERS);
    let ethertype = packet::link(skb).map_or(0, |link| link.ethertype);
    if ethertype == ETHERTYPE_ARP {
        if let Some(arp) = packet::arp(skb) {
            event.key.source = Words::new(mapped(arp.sender));
            event.key.destination = Words::new(mapped(arp.target));
        }
        return;
    }
    if ethertype != ETHERTYPE_IPV4 && ethertype != ETHERTYPE_IPV6 {
        return;
    }
    let mut packet = Packet::NONE;
    // Why it cannot be read any further is the event's reason already.
    let _ = packet::parse(skb, endpoint.tenant, ethertype, &mut packet);
    event.key = packet.key;
    if by_host
        && let Some(config) = Host.config()
        && config
            .slot_of(&event.key.destination.address())
            .is_some_and(|slot| slot != 0)
    {
        event.key.destination = own(endpoint, packet.v6);
    }
    if packet.kind == Kind::LaterFragment {
        // Its bytes are not ports.
        event.key.source_port = 0;
        event.key.destination_port = 0;
    }
}

/// Adds what the connection's row says: rules and target; or at least who has the address.
#[inline(always)]
fn know_flow(event: &mut Event, row: &mut FlowKey) {
    let turned = event.key.is_turned();
    *row = event.key;
    if turned {
        *row = event.key.reversed();
    }
    if let Some(flow) = find(row) {
        // SAFETY: if the row is taken by another flow meanwhile, the event tells of that one's rules.
        let flow = unsafe { &*flow };
        let way = flow.way(turned);
        // The host's program knows only who would have got it: the row says who of another host
        // has sent it.
        let known = if event.sender == End::NONE {
            way.sender != Way::NOBODY && way.target == event.target.serial
        } else {
            way.sender == event.sender.serial
        };
        if known {
            event.sender = End {
                slot: flow.origin(turned),
                serial: way.sender,
            };
            event.opener_rule = flow.opener_rule;
            event.accepter_rule = flow.accepter_rule;
            if flow.is_reply(turned) {
                event.flags |= Event::REPLY;
            }
            event.target = End {
                slot: way.slot,
                serial: way.target,
            };
            return;
        }
    }
    if event.target == End::NONE {
        let key = AddressKey {
            tenant: event.key.tenant,
            address: event.key.destination.address(),
        };
        if let Some(target) = Host.target(&key) {
            event.target = End {
                slot: target.slot,
                serial: target.serial,
            };
        }
    }
}

/// Tells of a connection that policy remarks on: it was logged, or staged policies would decide
/// otherwise.
#[inline(never)]
pub fn judged(judgement: &Judgement, opening: &Opening, length: u32, known: bool) {
    let Remarks { flags, .. } = judgement.remarks;
    // Endpoints of other hosts have no budget here; it is that of whom they reach.
    let slot = if is_remote(opening.slot) {
        judgement.flow.forward.slot
    } else {
        opening.slot
    };
    if flags & Remarks::LOG != 0 && may_tell(slot, EventKind::Log) {
        write_connection(judgement, opening, length, known, EventKind::Log);
        tell_written(slot);
    }
    if judgement.remarks.is_staged() && may_tell(slot, EventKind::Staged) {
        write_connection(judgement, opening, length, known, EventKind::Staged);
        tell_written(slot);
    }
}

/// Writes an event; the slot whose budget it takes from is one argument too many.
#[inline(never)]
fn write_connection(
    judgement: &Judgement,
    opening: &Opening,
    length: u32,
    known: bool,
    kind: EventKind,
) {
    let Some(EventRoom { event, .. }) = event_room() else {
        return;
    };
    let (flow, remarks) = (&judgement.flow, &judgement.remarks);
    *event = Event::NONE;
    event.kind = kind as u8;
    event.length = length;
    event.key = opening.key;
    event.flags =
        remarks.flags as u8 & (Event::STAGED_OPENER_DENIES | Event::STAGED_ACCEPTER_DENIES);
    if known {
        event.flags |= Event::AGAIN;
    }
    if flow.forward.delivery == Flow::DENIED {
        event.flags |= Event::DENIED;
        event.reason = flow.reason;
    }
    if opening.by & Opening::BY_HOST == 0 {
        event.sender = End {
            slot: opening.slot,
            serial: flow.forward.sender,
        };
    }
    event.target = End {
        slot: flow.forward.slot,
        serial: flow.forward.target,
    };
    event.opener_rule = flow.opener_rule;
    event.accepter_rule = flow.accepter_rule;
    event.staged_opener_rule = remarks.staged_opener_rule;
    event.staged_accepter_rule = remarks.staged_accepter_rule;
}

/// Tells the event that was written.
#[inline(never)]
fn tell_written(slot: u32) {
    if let Some(EventRoom { event, .. }) = event_room() {
        tell(event, slot);
    }
}

fn limit(slot: u32, kind: u32) -> Option<*mut Limit> {
    let limits = EVENT_LIMITS.get_ptr_mut(slot)?;
    // SAFETY: entries of arrays stay; each kind has its place.
    let limits = unsafe { &raw mut (*limits).0 };
    match kind {
        // Constants, since the verifier wants to see where in the row it is.
        0 => Some(unsafe { &raw mut (*limits)[0] }),
        1 => Some(unsafe { &raw mut (*limits)[1] }),
        2 => Some(unsafe { &raw mut (*limits)[2] }),
        _ => None,
    }
}

/// Takes one event from the endpoint's budget of the kind, or counts it as suppressed.
#[inline(always)]
fn may_tell(slot: u32, kind: EventKind) -> bool {
    let Some(limit) = limit(slot, kind as u32) else {
        return false;
    };
    // SAFETY: entries of arrays stay, and any bits are a value; a helper without arguments.
    // Processors do not wait for each other, so that a few events more may be told. But none that
    // is suppressed is lost.
    unsafe {
        let now = bpf_ktime_get_coarse_ns();
        if let Some(later) = Limit::spend((*limit).whole, now) {
            (*limit).whole = later;
            return true;
        }
        atomic::add(&raw mut (*limit).suppressed, 1);
    }
    false
}

/// Puts an event into the ring, with those that were suppressed before it.
#[inline(always)]
fn tell(event: &mut Event, slot: u32) {
    let Some(limit) = limit(slot, event.kind as u32) else {
        return;
    };
    // SAFETY: entries of arrays stay; a helper without arguments.
    let before = unsafe {
        event.time = bpf_ktime_get_ns();
        atomic::exchange(&raw mut (*limit).suppressed, 0)
    };
    event.suppressed = before as u32;
    if EVENTS.output::<Event>(&*event, 0).is_err() {
        // The reader is away, and the ring is full.
        // SAFETY: see above.
        unsafe { atomic::add(&raw mut (*limit).suppressed, before + 1) };
    }
}
