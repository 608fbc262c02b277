//! What an endpoint sends.

use contiv_datapath_abi::Words;
use core::mem::MaybeUninit;

use contiv_datapath_abi::config::GATEWAY_MAC;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::Endpoint;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::packet::{
    self, ETHERNET, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Kind, Packet, mac_halves,
};

use crate::admit::{BEGUN, Sender, admit, is_forgotten};
use crate::deliver::{address_link, pass_router, size, touch};
use crate::drop::{Whose, drop};
use crate::maps::{CONFIG, ENDPOINTS, FLOWS, INTERFACES, TENANTS, scratch};
use crate::skb::Skb;
use crate::{answer, broadcast, errors, flows, fragment, translate, tunnel};

#[inline(always)]
pub fn run(skb: &Skb) -> i32 {
    // SAFETY: if the row changes while it is read, the slot is another's, and its link address too.
    let slot = unsafe { INTERFACES.get(skb.interface()) }
        .copied()
        .unwrap_or(0);
    let endpoint = ENDPOINTS.get(slot).filter(|_| slot != 0);
    let mut whose = Whose {
        slot,
        serial: 0,
        by_host: false,
    };
    let Some(endpoint) = endpoint else {
        whose.slot = 0;
        return drop(skb, &whose, Reason::UnknownInterface.code());
    };
    whose.serial = endpoint.serial;
    let outcome = sends(skb, slot, endpoint);
    if outcome < 0 {
        drop(skb, &whose, outcome)
    } else {
        outcome
    }
}

/// Answers with a number, as all functions do that others are inlined into: the compiler would keep
/// the empty half of a `Result` in a register, and the verifier refuses what was never written.
#[inline(always)]
fn sends(skb: &Skb, slot: u32, endpoint: &Endpoint) -> i32 {
    if endpoint.state == Endpoint::CLOSED {
        return Reason::SenderClosed.code();
    }
    let Some(link) = packet::link(skb) else {
        return Reason::Malformed.code();
    };
    if link.source != mac_halves(&endpoint.mac) {
        return Reason::SpoofedMac.code();
    }
    match link.ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {}
        ETHERTYPE_ARP => return answer::arp(skb, endpoint),
        _ => return Reason::UnknownProtocol.code(),
    }
    let mut place = MaybeUninit::uninit();
    let packet = match parse(skb, endpoint.tenant, link.ethertype, &mut place) {
        Ok(packet) => packet,
        Err(reason) => return reason.code(),
    };
    if !is_own(endpoint, packet) {
        return without_address(skb, packet, endpoint);
    }
    if packet.kind != Kind::Whole {
        let outcome = special(skb, packet, endpoint);
        if outcome != GOES_ON {
            return outcome;
        }
    }
    if packet.to_many() {
        return broadcast::from_here(skb, packet, endpoint);
    }
    let Some(tenant) = TENANTS.get(endpoint.tenant) else {
        return Reason::UnknownInterface.code();
    };
    packet.settle();
    let mut by = 0;
    let flow = FLOWS.get_ptr_mut(&packet.key);
    if flow.is_none() {
        by = Sender::UNKNOWN | (packet.ends() as u32) << Sender::ENDS;
    }
    if let Some(flow) = flow
        && !packet.opens()
    {
        // SAFETY: if the row is taken by another connection while it is read, the comparisons below
        // hold for that one or fail.
        let (known, way) = unsafe { (&*flow, flows::way(flow, packet.turned)) };
        // SAFETY: as above.
        let to = unsafe { &*way };
        if known.generation == tenant.generation && to.sender == endpoint.serial {
            let is_there = if let Some(target) = ENDPOINTS.get(to.slot) {
                if to.delivery == Flow::LOCAL
                    && known.flags & Flow::ROUTED == 0
                    && target.serial == to.target
                {
                    // SAFETY: both are a row's.
                    unsafe { touch(skb, packet, flow, way) };
                    return enter(skb, target).unwrap_or_else(Reason::code);
                }
                target.serial == to.target
            } else {
                tunnel::is_current(to.slot, to.target)
            };
            if is_there && (to.delivery != Flow::DENIED || !is_forgotten(known, packet)) {
                return along(skb, packet, endpoint, flow);
            }
        }
    }
    first(skb, packet, endpoint, slot, by)
}

/// Reads the headers into a place that is not cleared before, since every packet would pay for that.
#[inline(always)]
pub fn parse<'a>(
    skb: &Skb,
    tenant: u32,
    ethertype: u16,
    place: &'a mut MaybeUninit<Packet>,
) -> Result<&'a mut Packet, Reason> {
    /// What is read of TCP, the longest.
    const TRANSPORT: u32 = 14;
    let internet = if ethertype == ETHERTYPE_IPV4 { 20 } else { 40 };
    skb.gather(ETHERNET as u32 + internet + TRANSPORT);
    // SAFETY: the parser reads no field that it has not written, and has written all when it does
    // not fail; the verifier would refuse anything else.
    let packet = unsafe { &mut *place.as_mut_ptr() };
    packet::parse(skb, tenant, ethertype, packet)?;
    Ok(packet)
}

/// The endpoint's own address of a family; no packet has the one that an endpoint lacks.
#[inline(always)]
pub fn own(endpoint: &Endpoint, v6: bool) -> Words {
    if v6 {
        Words::new(endpoint.ipv6)
    } else {
        Words::mapped(u32::from_ne_bytes(endpoint.ipv4))
    }
}

/// Whether the packet's source is the endpoint's own address.
#[inline(always)]
fn is_own(endpoint: &Endpoint, packet: &Packet) -> bool {
    packet.key.source == own(endpoint, packet.v6) && packet.key.source != Words::default()
}

/// The few packets that come from no address, or from that of the link. Inlined, as [`first`] is.
#[inline(always)]
fn without_address(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> i32 {
    let source = packet.key.source;
    let of_link = source.head() >> 22 == 0xfe80 >> 6;
    if !packet.v6 || !of_link && source != Words::default() {
        return by_door(skb, endpoint).unwrap_or_else(Reason::code);
    }
    match packet.kind {
        Kind::Neighbour => answer::solicitation(skb, endpoint),
        _ if of_link && packet.to_many() => broadcast::from_here(skb, packet, endpoint),
        _ => Reason::SpoofedAddress.code(),
    }
}

/// What a host sends by its own end of an endpoint's link in another name: its table knows one way
/// to an address, whatever the source is. It goes the way of all that the host sends.
#[inline(always)]
fn by_door(skb: &Skb, endpoint: &Endpoint) -> Result<i32, Reason> {
    if endpoint.state != Endpoint::OPEN_TO_HOST {
        return Err(Reason::SpoofedAddress);
    }
    let config = CONFIG.get(0).ok_or(Reason::Kernel)?;
    Ok(skb.arrive(config.host_link))
}

/// No outcome of a packet: it goes on as any other.
const GOES_ON: i32 = i32::MAX;

/// Fragments, errors and neighbours. Inlined, as [`first`] is.
#[inline(always)]
fn special(skb: &Skb, packet: &mut Packet, endpoint: &Endpoint) -> i32 {
    let outcome = match packet.kind {
        Kind::Whole => 0,
        Kind::FirstFragment | Kind::LaterFragment => fragment::follow(packet),
        Kind::Neighbour => return answer::solicitation(skb, endpoint),
        Kind::Error => {
            let destination = packet.key.destination;
            let outcome = errors::relate(skb, packet, &destination);
            if outcome >= 0 && !is_own(endpoint, packet) {
                return Reason::UnrelatedError.code();
            }
            outcome
        }
    };
    if outcome < 0 { outcome } else { GOES_ON }
}

/// A packet whose flow is not known, or not valid any more. Inlined, since the stack has no room for
/// one more frame above a judgement.
#[inline(always)]
fn first(skb: &Skb, packet: &mut Packet, endpoint: &Endpoint, slot: u32, by: u32) -> i32 {
    let sender = Sender {
        slot,
        serial: endpoint.serial,
        by,
        length: skb.len(),
    };
    let outcome = admit(packet, &sender);
    if outcome == Reason::Gateway.code() && packet.is_ping() {
        packet.unsettle();
        return answer::ping(skb, packet, endpoint);
    }
    if outcome == Reason::Broadcast.code() {
        packet.unsettle();
        return broadcast::from_here(skb, packet, endpoint);
    }
    if outcome == Reason::UnknownAddress.code() {
        packet.unsettle();
        return answer::refuse(skb, packet, endpoint);
    }
    if outcome < 0 {
        return outcome;
    }
    let flow = if outcome == BEGUN {
        scratch().map(|scratch| &raw mut scratch.judgement.flow)
    } else {
        flows::find(&packet.key)
    };
    match flow {
        Some(flow) => along(skb, packet, endpoint, flow),
        None => Reason::Kernel.code(),
    }
}

/// Delivers a packet along a valid flow.
#[inline(never)]
fn along(skb: &Skb, packet: &mut Packet, endpoint: &Endpoint, flow: *mut Flow) -> i32 {
    // SAFETY: see `sends`.
    let (way, flags, reason) = unsafe {
        let way = flows::way(flow, packet.turned);
        (way, (*flow).flags, (*flow).reason)
    };
    // SAFETY: as above.
    let known = unsafe { &*way };
    if known.delivery == Flow::DENIED {
        // SAFETY: both are a row's.
        unsafe { flows::count(flow, way, skb.len() - ETHERNET as u32) };
        return -(reason as i32);
    }
    let mut mtu = u32::MAX;
    if flags & Flow::ROUTED != 0 {
        if packet.hop_limit <= 1 {
            packet.unsettle();
            return answer::complain(skb, packet, endpoint, 0);
        }
        mtu = known.mtu;
    }
    if known.delivery == Flow::OVERLAY {
        mtu = mtu.min(tunnel::mtu(known.slot));
    }
    if packet.indivisible && mtu != u32::MAX && size(skb, packet) > mtu {
        packet.unsettle();
        return answer::complain(skb, packet, endpoint, mtu);
    }
    // SAFETY: both are a row's.
    unsafe { touch(skb, packet, flow, way) };
    if known.delivery == Flow::HOST {
        return into_host(skb, packet, endpoint, flags).unwrap_or_else(Reason::code);
    }
    if known.delivery == Flow::OVERLAY {
        return tunnel::send(skb, packet, known, flags);
    }
    let Some(target) = ENDPOINTS.get(known.slot) else {
        return Reason::TargetClosed.code();
    };
    if target.serial != known.target {
        return Reason::TargetClosed.code();
    }
    if flags & Flow::ROUTED != 0 {
        let outcome = pass_router(skb, packet, target);
        if outcome < 0 {
            return outcome;
        }
    }
    enter(skb, target).unwrap_or_else(Reason::code)
}

#[inline(always)]
pub fn enter(skb: &Skb, target: &Endpoint) -> Result<i32, Reason> {
    if target.state != Endpoint::OPEN {
        return to_host(skb, target);
    }
    Ok(skb.enter(target.interface))
}

/// Into the host's own namespace, if that is where the endpoint's link ends: through the link.
#[inline(always)]
fn to_host(skb: &Skb, target: &Endpoint) -> Result<i32, Reason> {
    if target.state != Endpoint::OPEN_TO_HOST {
        return Err(Reason::TargetClosed);
    }
    Ok(skb.leave(target.interface))
}

#[inline(always)]
fn into_host(skb: &Skb, packet: &Packet, endpoint: &Endpoint, flags: u8) -> Result<i32, Reason> {
    let config = CONFIG.get(0).ok_or(Reason::Kernel)?;
    if flags & Flow::TRANSLATED != 0 {
        let outcome = translate::source(skb, packet, endpoint);
        if outcome < 0 {
            return Ok(outcome);
        }
    }
    address_link(skb, config.host_mac, GATEWAY_MAC)?;
    Ok(skb.leave(config.host_link))
}
