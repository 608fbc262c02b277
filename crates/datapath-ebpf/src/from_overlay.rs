//! What endpoints of other hosts send to endpoints of this one.
//!
//! A packet is believed to come from an endpoint if it comes from the host that holds it, in the
//! number of the network that its receiver is in. The sender's host has judged it, and it is judged
//! again. It never leaves the host: neither to the world, nor to another host, nor to the host itself.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::TC_ACT_OK;
use contiv_datapath_abi::Words;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::packet::{
    self, ETHERNET, ETHERTYPE_HAIL, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Kind, Packet,
};
use contiv_datapath_abi::tunnel::is_remote;

use crate::admit::{Sender, admit, is_forgotten};
use crate::broadcast::{self, Announcer};
use crate::deliver::touch;
use crate::drop::{Whose, drop};
use crate::from_endpoint::{enter, parse};
use crate::maps::{ENDPOINTS, FLOWS, TENANTS};
use crate::skb::Skb;
use crate::tunnel::{self, Arrival, is_held_at, remote};
use crate::{errors, flows, fragment};

#[inline(always)]
pub fn run(skb: &Skb) -> i32 {
    let mut receiver = Whose {
        slot: 0,
        serial: 0,
        by_host: true,
    };
    let outcome = match arrives(skb, &mut receiver) {
        Ok(outcome) => outcome,
        Err(reason) => reason.code(),
    };
    if outcome < 0 {
        drop(skb, &receiver, outcome)
    } else {
        outcome
    }
}

/// `receiver` becomes who would have got the packet, when that is known.
#[inline(always)]
fn arrives(skb: &Skb, receiver: &mut Whose) -> Result<i32, Reason> {
    let link = packet::link(skb).ok_or(Reason::Malformed)?;
    if link.ethertype == ETHERTYPE_HAIL {
        // For the agent, who listens at this link; the host itself has no use for it.
        return Ok(TC_ACT_OK);
    }
    let mut arrival = Arrival::NONE;
    let outcome = tunnel::arrival(skb, &mut arrival);
    if outcome < 0 {
        return Ok(outcome);
    }
    let arrival = &arrival;
    if link.ethertype != ETHERTYPE_IPV4 && link.ethertype != ETHERTYPE_IPV6 {
        return Err(Reason::UnknownProtocol);
    }
    let mut place = MaybeUninit::uninit();
    let packet = parse(skb, arrival.tenant, link.ethertype, &mut place)?;
    if packet.to_many() {
        return Ok(to_all(skb, packet, arrival));
    }
    if packet.kind != Kind::Whole {
        let outcome = special(skb, packet);
        if outcome < 0 {
            return Ok(outcome);
        }
    }
    let tenant = TENANTS.get(arrival.tenant).ok_or(Reason::UnknownVni)?;
    packet.settle();
    if !packet.opens()
        && let Some(flow) = FLOWS.get_ptr_mut(&packet.key)
    {
        // SAFETY: if the row is taken by another connection while it is read, the comparisons below
        // hold for that one or fail.
        let (known, way) = unsafe { (&*flow, &*flows::way(flow, packet.turned)) };
        if known.generation == tenant.generation
            && let Some(sender) = remote(known.origin(packet.turned))
            && sender.serial == way.sender
            && is_held_at(sender, &arrival.from)
            && let Some(target) = ENDPOINTS.get(way.slot)
            && target.serial == way.target
            && (way.delivery != Flow::DENIED || !is_forgotten(known, packet))
        {
            (receiver.slot, receiver.serial) = (way.slot, target.serial);
            return deliver(skb, packet, arrival, flow, target);
        }
    }
    first(skb, packet, arrival, receiver)
}

/// Fragments, errors and neighbours, of which the last have nothing to say between hosts.
#[inline(never)]
fn special(skb: &Skb, packet: &mut Packet) -> i32 {
    match packet.kind {
        Kind::Whole => 0,
        Kind::FirstFragment | Kind::LaterFragment => fragment::follow(packet),
        Kind::Neighbour => Reason::NeighbourNoise.code(),
        Kind::Error => {
            let (source, destination) = (packet.key.source, packet.key.destination);
            let outcome = errors::relate(skb, packet, &destination);
            // Endpoints complain of what was sent to them, and routers are at the sender's host.
            if outcome >= 0 && packet.key.source != source {
                return Reason::UnrelatedError.code();
            }
            outcome
        }
    }
}

/// Who sends, if that is an endpoint of the host at the other end.
#[inline(always)]
fn sender(packet: &Packet, from: &Words) -> Result<&'static Target, Reason> {
    let source = if packet.turned {
        packet.key.destination
    } else {
        packet.key.source
    };
    let key = AddressKey {
        tenant: packet.key.tenant,
        address: source.address(),
    };
    // SAFETY: rows are allocated one by one, and stay until the program has ended.
    let target = unsafe { crate::maps::ADDRESSES.get(key) }.ok_or(Reason::TunnelSource)?;
    let held = is_remote(target.slot)
        && remote(target.slot)
            .is_some_and(|remote| remote.serial == target.serial && is_held_at(remote, from));
    if held {
        Ok(target)
    } else {
        Err(Reason::TunnelSource)
    }
}

/// A packet whose flow is not known, or not valid any more.
#[inline(always)]
fn first(
    skb: &Skb,
    packet: &mut Packet,
    arrival: &Arrival,
    receiver: &mut Whose,
) -> Result<i32, Reason> {
    let source = sender(packet, &arrival.from)?;
    let who = Sender {
        slot: source.slot,
        serial: source.serial,
        by: 0,
        length: skb.len(),
    };
    let outcome = admit(packet, &who);
    if outcome == Reason::Broadcast.code() {
        packet.unsettle();
        return Ok(to_all(skb, packet, arrival));
    }
    if outcome < 0 {
        return Ok(outcome);
    }
    let flow = flows::find(&packet.key).ok_or(Reason::Kernel)?;
    // SAFETY: see `arrives`.
    let way = unsafe { &*flows::way(flow, packet.turned) };
    let target = ENDPOINTS.get(way.slot).ok_or(Reason::TargetClosed)?;
    if target.serial != way.target {
        return Err(Reason::TargetClosed);
    }
    (receiver.slot, receiver.serial) = (way.slot, target.serial);
    deliver(skb, packet, arrival, flow, target)
}

/// Delivers a packet along a valid flow. Hops and sizes were the sender's host's concern.
#[inline(always)]
fn deliver(
    skb: &Skb,
    packet: &Packet,
    arrival: &Arrival,
    flow: *mut Flow,
    target: &Endpoint,
) -> Result<i32, Reason> {
    // SAFETY: see `arrives`.
    let (way, delivery, reason) = unsafe {
        let way = flows::way(flow, packet.turned);
        (way, (*way).delivery, (*flow).reason)
    };
    if delivery == Flow::DENIED {
        // SAFETY: both are a row's.
        unsafe { flows::count(flow, way, skb.len() - ETHERNET as u32) };
        return Ok(-(reason as i32));
    }
    if delivery != Flow::LOCAL {
        return Err(Reason::UnknownAddress);
    }
    if target.network != arrival.network {
        return Err(Reason::OtherNetwork);
    }
    // SAFETY: both are a row's.
    unsafe { touch(skb, packet, flow, way) };
    enter(skb, target)
}

/// What is for all of a network, to those of this host.
#[inline(never)]
fn to_all(skb: &Skb, packet: &Packet, arrival: &Arrival) -> i32 {
    let sender = match sender(packet, &arrival.from) {
        Ok(sender) => sender,
        Err(reason) => return reason.code(),
    };
    if sender.network != arrival.network {
        return Reason::OtherNetwork.code();
    }
    let announcer = Announcer {
        serial: sender.serial,
        tenant: arrival.tenant,
        network: sender.network,
        group: sender.group,
    };
    broadcast::deliver(skb, packet, &announcer)
}
