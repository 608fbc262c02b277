//! Delivery along a flow.

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use contiv_datapath_abi::config::GATEWAY_MAC;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::Endpoint;
use contiv_datapath_abi::flow::{Flow, TICK_SHIFT, Way};
use contiv_datapath_abi::packet::{ETHERNET, Frame, Packet};
use contiv_datapath_abi::policy::TCP;

use crate::flows::count;
use crate::skb::Skb;
use crate::translate;

/// The time in ticks.
#[inline(always)]
pub fn now() -> u32 {
    // SAFETY: a helper without arguments.
    (unsafe { bpf_ktime_get_coarse_ns() } >> TICK_SHIFT) as u32
}

/// Notes that a packet came; writes more than counters only if that is news.
///
/// # Safety
/// Both are a row's.
#[inline(always)]
pub unsafe fn touch(skb: &Skb, packet: &Packet, flow: *mut Flow, way: *mut Way) {
    let now = now();
    // SAFETY: the row may have become another connection's; then that one lives a little longer, or
    // is closed a little earlier. No other field is written.
    unsafe {
        count(flow, way, skb.len() - ETHERNET as u32);
        if (*way).seen != now {
            (*way).seen = now;
        }
        let ends = packet.ends();
        if ends & !(*way).tcp != 0 {
            (*way).tcp |= ends;
        }
    }
}

/// Bytes of the largest IP packet that this one becomes.
#[inline(always)]
pub fn size(skb: &Skb, packet: &Packet) -> u32 {
    let segment = skb.segment();
    if segment == 0 {
        return skb.len() - ETHERNET as u32;
    }
    packet.transport - ETHERNET as u32 + transport_header(skb, packet) + segment
}

/// Bytes between the transport header's begin and the payload.
#[inline(always)]
fn transport_header(skb: &Skb, packet: &Packet) -> u32 {
    if packet.key.protocol != TCP as u32 {
        return 8;
    }
    let length: Option<[u8; 1]> = skb.far(packet.transport as usize + 12);
    length.map_or(20, |[length]| length as u32 >> 4 << 2)
}

/// Takes a packet from one network into another: one hop less, from the gateway's link address.
#[inline(never)]
pub fn pass_router(skb: &Skb, packet: &Packet, target: &Endpoint) -> i32 {
    let outcome = hop(skb, packet).and_then(|()| address_link(skb, target.mac, GATEWAY_MAC));
    outcome.map_or_else(Reason::code, |()| 0)
}

#[inline(always)]
pub fn hop(skb: &Skb, packet: &Packet) -> Result<(), Reason> {
    let hops = packet.hop_limit.wrapping_sub(1);
    if packet.v6 {
        return skb.store(ETHERNET as u32 + 7, &[hops]);
    }
    let protocol = packet.protocol();
    translate::header_sum(skb, [packet.hop_limit, protocol], [hops, protocol])?;
    skb.store(ETHERNET as u32 + 8, &[hops])
}

/// Writes both link addresses.
#[inline(always)]
pub fn address_link(skb: &Skb, destination: [u8; 6], source: [u8; 6]) -> Result<(), Reason> {
    let [a, b, c, d, e, f] = destination;
    let [g, h, i, j, k, l] = source;
    skb.store(0, &[a, b, c, d, e, f, g, h, i, j, k, l])
}
