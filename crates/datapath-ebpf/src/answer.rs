//! What the fabric answers itself: neighbours' link addresses, pings to gateways, and what a
//! router has to say.

use contiv_datapath_abi::config::GATEWAY_MAC;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint};
use contiv_datapath_abi::opening::{Fabric, network_of};
use contiv_datapath_abi::packet::reply::{self, Complaint};
use contiv_datapath_abi::packet::{self, ETHERNET, Frame, Packet};
use contiv_datapath_abi::tenant::{Network, Tenant};
use contiv_datapath_abi::{Address, Words, mapped};

use crate::deliver::{address_link, now};
use crate::maps::{COMPLAINTS, Complaints, INTERFACES, Scratch, scratch};
use crate::skb::Skb;
use crate::tables::Host;
use crate::translate;

/// In the place of an MTU, which never is that small.
const REFUSED: u32 = 1;

/// Hops that an answer may take.
const HOPS: u8 = 64;

/// Tells an endpoint the link address of an address of its network.
#[inline(never)]
pub fn arp(skb: &Skb, endpoint: &Endpoint) -> i32 {
    let Some(arp) = packet::arp(skb) else {
        return Reason::Malformed.code();
    };
    if arp.sender_mac != endpoint.mac {
        return Reason::SpoofedMac.code();
    }
    // A probe asks whether its own address is free, and an announcement asks nothing.
    if !arp.is_request || arp.target == endpoint.ipv4 {
        return Reason::NeighbourNoise.code();
    }
    if arp.sender != endpoint.ipv4 {
        return Reason::SpoofedAddress.code();
    }
    let [a, b, c, d] = arp.target;
    // Who gets an address later has this one, so that nobody has to ask again.
    let later = |network: &Network| {
        let refuses = network.flags & Network::REFUSES != 0;
        refuses.then_some([2, 2, a, b, c, d])
    };
    let Some(mac) = neighbour(endpoint, &mapped(arp.target), later) else {
        return Reason::UnknownNeighbour.code();
    };
    respond(skb, |frame| {
        reply::arp(frame, endpoint.mac, arp.sender, arp.target, mac);
        Some(())
    })
}

/// Tells an endpoint the link address of an IPv6 address of its network.
#[inline(never)]
pub fn solicitation(skb: &Skb, endpoint: &Endpoint) -> i32 {
    let Some(asked) = packet::solicitation(skb) else {
        return Reason::NeighbourNoise.code();
    };
    if asked.sender == Words::default() || asked.target == Words::new(endpoint.ipv6) {
        return Reason::NeighbourNoise.code();
    }
    let Some(mac) = neighbour(endpoint, &asked.target.address(), |_| None) else {
        return Reason::UnknownNeighbour.code();
    };
    respond(skb, |frame| {
        reply::advertisement(frame, endpoint.mac, asked.sender, asked.target, mac);
        Some(())
    })
}

/// The link address of the gateway, or of whoever has the address in the endpoint's network; what
/// `later` says where nobody has it.
#[inline(always)]
fn neighbour(
    endpoint: &Endpoint,
    address: &Address,
    later: impl FnOnce(&Network) -> Option<[u8; 6]>,
) -> Option<[u8; 6]> {
    let network = network_of(&Host, endpoint.tenant, address)?;
    if network.number != endpoint.network {
        return None;
    }
    if network.gateway == *address {
        return Some(GATEWAY_MAC);
    }
    let key = AddressKey {
        tenant: endpoint.tenant,
        address: *address,
    };
    match Host.target(&key) {
        Some(target) => Some(target.mac),
        None => later(network),
    }
}

/// Tells the host that all addresses behind its link are at the gateway's link address.
#[inline(never)]
pub fn arp_of_host(skb: &Skb) -> i32 {
    let Some(arp) = packet::arp(skb) else {
        return Reason::Malformed.code();
    };
    if !arp.is_request || arp.sender == arp.target || arp.sender == [0; 4] {
        return Reason::NeighbourNoise.code();
    }
    respond(skb, |frame| {
        reply::arp(frame, arp.sender_mac, arp.sender, arp.target, GATEWAY_MAC);
        Some(())
    })
}

/// As [`arp_of_host`], for IPv6.
#[inline(never)]
pub fn solicitation_of_host(skb: &Skb) -> i32 {
    let Some(asked) = packet::solicitation(skb) else {
        return Reason::NeighbourNoise.code();
    };
    let Some(mac) = skb.far(6) else {
        return Reason::Malformed.code();
    };
    if asked.sender == Words::default() {
        return Reason::NeighbourNoise.code();
    }
    respond(skb, |frame| {
        reply::advertisement(frame, mac, asked.sender, asked.target, GATEWAY_MAC);
        Some(())
    })
}

/// Answers a ping to a gateway that the endpoint may see: that of its own network, and of the
/// tenant's others where these are routed.
#[inline(never)]
pub fn ping(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> i32 {
    let network = network_of(&Host, endpoint.tenant, &packet.key.destination.address());
    let seen = network.is_some_and(|network| {
        let routed = || {
            Host.tenant(endpoint.tenant)
                .is_some_and(|t| t.flags & Tenant::ROUTING != 0)
        };
        network.gateway == packet.key.destination.address()
            && (network.number == endpoint.network || routed())
    });
    if !seen {
        return Reason::Gateway.code();
    }
    match echo(skb, packet, endpoint) {
        Ok(()) => skb.leave(skb.interface()),
        Err(reason) => reason.code(),
    }
}

#[inline(always)]
fn echo(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> Result<(), Reason> {
    let header = ETHERNET as u32;
    let (request, answer) = if packet.v6 { (128, 129) } else { (8, 0) };
    // The addresses change places, which no checksum notices.
    if packet.v6 {
        skb.store(header + 8, &packet.key.destination.address())?;
        skb.store(header + 24, &packet.key.source.address())?;
        skb.store(header + 7, &[HOPS])?;
    } else {
        let protocol = packet.key.protocol as u8;
        skb.store(header + 12, &packet.key.destination.0[3].to_ne_bytes())?;
        skb.store(header + 16, &packet.key.source.0[3].to_ne_bytes())?;
        translate::header_sum(skb, [packet.hop_limit, protocol], [HOPS, protocol])?;
        skb.store(header + 8, &[HOPS])?;
    }
    translate::icmp_sum(skb, packet, [request, 0], [answer, 0])?;
    skb.store(packet.transport, &[answer])?;
    address_link(skb, endpoint.mac, GATEWAY_MAC)
}

/// Tells an endpoint as its gateway why a packet is not passed on; `mtu` is 0 if hops ran out.
/// Errors are not complained about.
#[inline(never)]
pub fn complain(skb: &Skb, packet: &Packet, endpoint: &Endpoint, mtu: u32) -> i32 {
    let reason = if mtu == 0 {
        Reason::HopLimit
    } else {
        Reason::TooBig
    };
    if packet.quote != 0 {
        return reason.code();
    }
    let Some(network) = network_of(&Host, endpoint.tenant, &packet.key.source.address()) else {
        return reason.code();
    };
    if !may_complain(skb) {
        return reason.code();
    }
    // Where there is no router, as if the receiver had said it.
    let gateway = if network.gateway == [0; 16] {
        packet.key.destination.address()
    } else {
        network.gateway
    };
    let mac = &endpoint.mac;
    if packet.v6 {
        complain_v6(skb, packet, mac, &gateway, mtu)
    } else {
        complain_v4(skb, packet, mac, &gateway, mtu)
    }
}

/// Tells an endpoint that nobody has the address it sends to, if the address's network does so.
#[inline(never)]
pub fn refuse(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> i32 {
    let reason = Reason::UnknownAddress;
    let destination = packet.key.destination.address();
    let Some(network) = network_of(&Host, endpoint.tenant, &destination) else {
        return reason.code();
    };
    let refuses = network.flags & Network::REFUSES != 0;
    if !refuses || packet.quote != 0 || !may_complain(skb) {
        return reason.code();
    }
    complain_v4(skb, packet, &endpoint.mac, &destination, REFUSED)
}

/// Whether the sender is told once more: who sends a flood hears of part of it, as by any router.
#[inline(always)]
fn may_complain(skb: &Skb) -> bool {
    /// Complaints to one endpoint in a tick.
    const MOST: u32 = 64;
    // SAFETY: a number is read; whatever it is, it is within the table or finds nothing.
    let slot = unsafe { INTERFACES.get(skb.interface()) }
        .copied()
        .unwrap_or(0);
    let Some(sent) = COMPLAINTS.get_ptr_mut(slot) else {
        return false;
    };
    // SAFETY: entries of arrays stay, and any bits are a value.
    let sent = unsafe { &mut *sent };
    let tick = now();
    if sent.tick != tick {
        *sent = Complaints { tick, count: 0 };
    }
    sent.count += 1;
    sent.count <= MOST
}

#[inline(always)]
fn complaint(mtu: u32) -> Complaint {
    match mtu {
        0 => Complaint::HopLimit,
        REFUSED => Complaint::Refused,
        mtu => Complaint::TooBig(mtu),
    }
}

#[inline(never)]
fn complain_v4(skb: &Skb, packet: &Packet, mac: &[u8; 6], gateway: &Address, mtu: u32) -> i32 {
    respond(skb, |error| {
        reply::error_v4(error, skb, packet, *mac, gateway, complaint(mtu))
    })
}

#[inline(never)]
fn complain_v6(skb: &Skb, packet: &Packet, mac: &[u8; 6], gateway: &Address, mtu: u32) -> i32 {
    respond(skb, |error| {
        reply::error_v6(error, skb, packet, *mac, gateway, complaint(mtu))
    })
}

/// Sends a frame back to where the packet came from.
#[inline(always)]
fn respond<const N: usize>(skb: &Skb, write: impl FnOnce(&mut [u8; N]) -> Option<()>) -> i32 {
    const { assert!(N <= Scratch::FRAME) };
    let Some(frame) = scratch().and_then(|scratch| scratch.frame.first_chunk_mut()) else {
        return Reason::Kernel.code();
    };
    if write(frame).is_none() {
        return Reason::Malformed.code();
    }
    match skb.replace(frame) {
        Ok(()) => skb.leave(skb.interface()),
        Err(reason) => reason.code(),
    }
}
