//! One address for another, with the checksums that cover it.
//!
//! Checksums are changed by their difference, by the helpers that know whether a checksum is
//! complete or still to be completed by a device. An error's quote is translated as well: in IPv4
//! the quoted header's own checksum takes up the difference, in IPv6 the error's does.

use aya_ebpf::bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR};
use aya_ebpf::helpers::generated::{bpf_csum_diff, bpf_l3_csum_replace, bpf_l4_csum_replace};
use contiv_datapath_abi::config::{GATEWAY_MAC, private_v6};
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::Endpoint;
use contiv_datapath_abi::packet::{ETHERNET, Kind, Packet};
use contiv_datapath_abi::policy::{ICMPV6, TCP, UDP};

use crate::deliver::address_link;
use crate::skb::{Skb, done};

/// Offsets of both addresses in a header.
const V4_SOURCE: u32 = 12;
const V4_DESTINATION: u32 = 16;
const V6_SOURCE: u32 = 8;
const V6_DESTINATION: u32 = 24;
/// Offset of IPv4's checksum.
const V4_SUM: u32 = 10;

/// Gives a packet of the endpoint its private source.
#[inline(never)]
pub fn source(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> i32 {
    let outcome = if packet.v6 {
        let to = private_v6(endpoint.private);
        v6(
            skb,
            packet,
            &endpoint.ipv6,
            &to,
            (V6_SOURCE, V6_DESTINATION),
        )
    } else {
        let to = endpoint.private;
        v4(skb, packet, endpoint.ipv4, to, (V4_SOURCE, V4_DESTINATION))
    };
    outcome.map_or_else(Reason::code, |()| 0)
}

/// Gives a packet for the private address the endpoint's own as destination.
#[inline(never)]
pub fn destination(skb: &Skb, packet: &Packet, endpoint: &Endpoint) -> i32 {
    let outcome = if packet.v6 {
        let from = private_v6(endpoint.private);
        v6(
            skb,
            packet,
            &from,
            &endpoint.ipv6,
            (V6_DESTINATION, V6_SOURCE),
        )
    } else {
        let from = endpoint.private;
        v4(
            skb,
            packet,
            from,
            endpoint.ipv4,
            (V4_DESTINATION, V4_SOURCE),
        )
    };
    outcome
        .and_then(|()| address_link(skb, endpoint.mac, GATEWAY_MAC))
        .map_or_else(Reason::code, |()| 0)
}

/// `fields` are where the address stands in the header, and in a quoted one.
#[inline(always)]
fn v4(
    skb: &Skb,
    packet: &Packet,
    from: [u8; 4],
    to: [u8; 4],
    fields: (u32, u32),
) -> Result<(), Reason> {
    let header = ETHERNET as u32;
    let (old, new) = (
        u32::from_ne_bytes(from) as u64,
        u32::from_ne_bytes(to) as u64,
    );
    // SAFETY: helpers that check their arguments.
    unsafe {
        done(bpf_l3_csum_replace(skb.0, header + V4_SUM, old, new, 4))?;
        if let Some((sum, flags)) = transport_sum(packet) {
            let flags = flags | BPF_F_PSEUDO_HDR as u64 | 4;
            done(bpf_l4_csum_replace(skb.0, sum, old, new, flags))?;
        }
    }
    skb.store(header + fields.0, &to)?;
    if packet.quote != 0 {
        // SAFETY: see above.
        done(unsafe { bpf_l3_csum_replace(skb.0, packet.quote + V4_SUM, old, new, 4) })?;
        skb.store(packet.quote + fields.1, &to)?;
    }
    Ok(())
}

#[inline(always)]
fn v6(
    skb: &Skb,
    packet: &Packet,
    from: &[u8; 16],
    to: &[u8; 16],
    fields: (u32, u32),
) -> Result<(), Reason> {
    let header = ETHERNET as u32;
    // SAFETY: both are 16 bytes long, and the helper only reads them.
    let difference = unsafe {
        let (from, to) = (
            from.as_ptr().cast_mut().cast(),
            to.as_ptr().cast_mut().cast(),
        );
        bpf_csum_diff(from, 16, to, 16, 0)
    };
    if difference < 0 {
        return Err(Reason::Kernel);
    }
    if let Some((sum, flags)) = transport_sum(packet) {
        let flags = flags | BPF_F_PSEUDO_HDR as u64;
        // SAFETY: helpers that check their arguments.
        done(unsafe { bpf_l4_csum_replace(skb.0, sum, 0, difference as u64, flags) })?;
        if packet.quote != 0 {
            // SAFETY: see above.
            done(unsafe { bpf_l4_csum_replace(skb.0, sum, 0, difference as u64, 0) })?;
        }
    }
    skb.store(header + fields.0, to)?;
    if packet.quote != 0 {
        skb.store(packet.quote + fields.1, to)?;
    }
    Ok(())
}

/// Where a checksum stands that covers the addresses, and with what flags it is changed.
#[inline(always)]
fn transport_sum(packet: &Packet) -> Option<(u32, u64)> {
    if packet.kind == Kind::LaterFragment {
        return None;
    }
    match packet.protocol() {
        TCP => Some((packet.transport + 16, 0)),
        // No checksum stays none.
        UDP => Some((packet.transport + 6, BPF_F_MARK_MANGLED_0 as u64)),
        ICMPV6 if packet.v6 => Some((packet.transport + 2, 0)),
        _ => None,
    }
}

/// Makes good for two bytes that change in an IPv4 header.
#[inline(always)]
pub fn header_sum(skb: &Skb, from: [u8; 2], to: [u8; 2]) -> Result<(), Reason> {
    let (old, new) = (
        u16::from_ne_bytes(from) as u64,
        u16::from_ne_bytes(to) as u64,
    );
    // SAFETY: a helper that checks its arguments.
    done(unsafe { bpf_l3_csum_replace(skb.0, ETHERNET as u32 + V4_SUM, old, new, 2) })
}

/// Makes good for two bytes that change in the header at `packet.transport`, of ICMP.
#[inline(always)]
pub fn icmp_sum(skb: &Skb, packet: &Packet, from: [u8; 2], to: [u8; 2]) -> Result<(), Reason> {
    let (old, new) = (
        u16::from_ne_bytes(from) as u64,
        u16::from_ne_bytes(to) as u64,
    );
    // SAFETY: a helper that checks its arguments.
    done(unsafe { bpf_l4_csum_replace(skb.0, packet.transport + 2, old, new, 2) })
}
