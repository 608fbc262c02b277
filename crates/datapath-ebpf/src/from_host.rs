//! What the host sends to endpoints, for itself or for the world.

use core::mem::MaybeUninit;

use contiv_datapath_abi::config::DEFAULT_TENANT;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint};
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::opening::{Fabric, Opening};
use contiv_datapath_abi::packet::{
    self, ETHERNET, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Kind, Packet,
};
use contiv_datapath_abi::{Address, Words, config};

use crate::admit::{Sender, admit, is_forgotten};
use crate::deliver::{address_link, touch};
use crate::drop::{Whose, drop};
use crate::from_endpoint::{own, parse};
use crate::maps::{ENDPOINTS, FLOWS, TENANTS};
use crate::skb::Skb;
use crate::tables::Host;
use crate::{answer, errors, flows, fragment, translate};

#[inline(always)]
pub fn run(skb: &Skb) -> i32 {
    let mut whose = Whose {
        slot: 0,
        serial: 0,
        by_host: true,
    };
    let Some(link) = packet::link(skb) else {
        return drop(skb, &whose, Reason::Malformed.code());
    };
    match link.ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {}
        ETHERTYPE_ARP => return counted(skb, &whose, answer::arp_of_host(skb)),
        _ => return drop(skb, &whose, Reason::UnknownProtocol.code()),
    }
    let mut place = MaybeUninit::uninit();
    let packet = match parse(skb, 0, link.ethertype, &mut place) {
        Ok(packet) => packet,
        Err(reason) => return drop(skb, &whose, reason.code()),
    };
    if packet.kind == Kind::Neighbour || packet.to_many() {
        return counted(skb, &whose, of_link(skb, packet));
    }
    let (slot, by) = match addressee(&packet.key.destination.address()) {
        Some(found) => found,
        None => return drop(skb, &whose, Reason::UnknownAddress.code()),
    };
    let Some(endpoint) = ENDPOINTS.get(slot) else {
        return counted(skb, &whose, as_endpoint(skb, packet));
    };
    whose.slot = slot;
    whose.serial = endpoint.serial;
    counted(skb, &whose, sends(skb, packet, endpoint, slot, by))
}

#[inline(always)]
fn counted(skb: &Skb, whose: &Whose, outcome: i32) -> i32 {
    if outcome < 0 {
        drop(skb, whose, outcome)
    } else {
        outcome
    }
}

/// Neighbours' questions are answered; the host has nothing else to say to all.
#[inline(always)]
fn of_link(skb: &Skb, packet: &Packet) -> i32 {
    if packet.kind == Kind::Neighbour {
        return answer::solicitation_of_host(skb);
    }
    Reason::Broadcast.code()
}

/// Whose address this is: anybody's private one, or an own one of the host's tenant.
#[inline(always)]
fn addressee(address: &Address) -> Option<(u32, u32)> {
    if let Some(slot) = Host.config()?.slot_of(address) {
        return (slot != 0).then_some((slot, Opening::BY_HOST | Opening::TRANSLATED));
    }
    let key = AddressKey {
        tenant: DEFAULT_TENANT,
        address: *address,
    };
    Some((Host.target(&key)?.slot, Opening::BY_HOST))
}

#[inline(always)]
fn sends(skb: &Skb, packet: &mut Packet, endpoint: &Endpoint, slot: u32, by: u32) -> i32 {
    if endpoint.state != Endpoint::OPEN {
        return Reason::TargetClosed.code();
    }
    let destination = packet.key.destination;
    packet.key.tenant = endpoint.tenant;
    if by & Opening::TRANSLATED != 0 {
        if packet.v6 && Words::new(endpoint.ipv6) == Words::default() {
            return Reason::UnknownAddress.code();
        }
        packet.key.destination = own(endpoint, packet.v6);
    }
    if packet.kind != Kind::Whole {
        let outcome = match packet.kind {
            Kind::Error => errors::relate(skb, packet, &destination),
            _ => fragment::follow(packet),
        };
        if outcome < 0 {
            return outcome;
        }
    }
    let Some(tenant) = TENANTS.get(endpoint.tenant) else {
        return Reason::UnknownInterface.code();
    };
    packet.settle();
    let mut flow = core::ptr::null_mut();
    if !packet.opens()
        && let Some(found) = FLOWS.get_ptr_mut(&packet.key)
    {
        // SAFETY: if the row is taken by another connection while it is read, the comparisons hold
        // for that one or fail.
        let (known, way) = unsafe { (&*found, &*flows::way(found, packet.turned)) };
        if known.generation == tenant.generation
            && way.sender == 0
            && way.target == endpoint.serial
            && is_translated(known) == (by & Opening::TRANSLATED != 0)
            && (way.delivery != Flow::DENIED || !is_forgotten(known, packet))
        {
            flow = found;
        }
    }
    if flow.is_null() {
        if by & Opening::TRANSLATED == 0 {
            let outcome = as_endpoint(skb, packet);
            if outcome >= 0 {
                return outcome;
            }
        }
        let outcome = admit(
            packet,
            &Sender {
                slot,
                serial: 0,
                by,
                length: skb.len(),
            },
        );
        if outcome < 0 {
            return outcome;
        }
        match flows::find(&packet.key) {
            Some(found) => flow = found,
            None => return Reason::Kernel.code(),
        }
    }
    deliver(skb, packet, endpoint, by, flow)
}

/// What the host sends by `contiv0` with the address of an endpoint that is its own, as it answers:
/// the endpoint has sent it.
#[inline(never)]
fn as_endpoint(skb: &Skb, packet: &Packet) -> i32 {
    let source = match packet.turned {
        true => packet.key.destination,
        false => packet.key.source,
    };
    let key = AddressKey {
        tenant: DEFAULT_TENANT,
        address: source.address(),
    };
    let own = Host.target(&key).and_then(|own| ENDPOINTS.get(own.slot));
    match own.filter(|own| own.state == Endpoint::OPEN_TO_HOST) {
        Some(own) => match address_link(skb, config::GATEWAY_MAC, own.mac) {
            Ok(()) => skb.arrive(own.interface),
            Err(reason) => reason.code(),
        },
        None => Reason::UnknownAddress.code(),
    }
}

#[inline(always)]
fn is_translated(flow: &Flow) -> bool {
    flow.flags & Flow::TRANSLATED != 0
}

#[inline(always)]
fn deliver(skb: &Skb, packet: &Packet, endpoint: &Endpoint, by: u32, flow: *mut Flow) -> i32 {
    // SAFETY: see `sends`.
    let (way, delivery, reason) = unsafe {
        let way = flows::way(flow, packet.turned);
        (way, (*way).delivery, (*flow).reason)
    };
    if delivery == Flow::DENIED {
        // SAFETY: both are a row's.
        unsafe { flows::count(flow, way, skb.len() - ETHERNET as u32) };
        return -(reason as i32);
    }
    // SAFETY: both are a row's.
    unsafe { touch(skb, packet, flow, way) };
    let outcome = if by & Opening::TRANSLATED != 0 {
        translate::destination(skb, packet, endpoint)
    } else {
        match address_link(skb, endpoint.mac, config::GATEWAY_MAC) {
            Ok(()) => 0,
            Err(reason) => reason.code(),
        }
    };
    if outcome < 0 {
        return outcome;
    }
    skb.enter(endpoint.interface)
}
