//! The way to other hosts.
//!
//! Outer checksums: none over IPv4, where a checksum of zero says so and the inner packet has its
//! own; over IPv6 there is one, which costs nothing where the inner one is left to the device.

use aya_ebpf::bindings::{
    __sk_buff, BPF_F_TUNINFO_IPV6, BPF_F_ZERO_CSUM_TX, TC_ACT_SHOT, bpf_tunnel_key,
};
use aya_ebpf::helpers::generated::{bpf_skb_get_tunnel_key, bpf_skb_set_tunnel_key};
use contiv_datapath_abi::Words;
use contiv_datapath_abi::config::{Config, GATEWAY_MAC};
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::SLOTS;
use contiv_datapath_abi::flow::{Flow, Way};
use contiv_datapath_abi::packet::Packet;
use contiv_datapath_abi::tunnel::{HostRow, Remote};

use crate::deliver::{address_link, hop};
use crate::maps::{CONFIG, FLOOD, HOSTS, REMOTES, VNIS};
use crate::skb::{Skb, done};

/// Hops that an outer packet may take.
const HOPS: u8 = 64;

/// The endpoint of another host that has the slot.
#[inline(always)]
pub fn remote(slot: u32) -> Option<&'static Remote> {
    REMOTES.get(slot.wrapping_sub(SLOTS))
}

/// Whether it is still the one that a flow or an address names.
#[inline(always)]
pub fn is_current(slot: u32, serial: u32) -> bool {
    remote(slot).is_some_and(|remote| remote.serial == serial)
}

/// Whether the endpoint is at the host whose end of the tunnel this is.
#[inline(always)]
pub fn is_held_at(remote: &Remote, address: &Words) -> bool {
    HOSTS
        .get(remote.host)
        .is_some_and(|host| host.address == *address)
}

/// Largest IP packet that gets to the endpoint of another host in one piece.
#[inline(always)]
pub fn mtu(slot: u32) -> u32 {
    let host = remote(slot).and_then(|remote| HOSTS.get(remote.host));
    // Where there is no way, nothing is too big for it.
    host.map_or(
        u32::MAX,
        |host| if host.mtu == 0 { u32::MAX } else { host.mtu },
    )
}

/// Sends a packet along a valid flow to an endpoint of another host.
#[inline(never)]
pub fn send(skb: &Skb, packet: &Packet, way: &Way, flags: u8) -> i32 {
    let Some(remote) = remote(way.slot).filter(|remote| remote.serial == way.target) else {
        return Reason::TargetClosed.code();
    };
    let Some(host) = HOSTS.get(remote.host).filter(|host| host.mtu != 0) else {
        return Reason::NoTunnel.code();
    };
    if flags & Flow::ROUTED != 0 {
        let routed = hop(skb, packet).and_then(|()| address_link(skb, remote.mac, GATEWAY_MAC));
        if let Err(reason) = routed {
            return reason.code();
        }
    }
    let Some(config) = CONFIG.get(0).filter(|config| config.tunnel_link != 0) else {
        return Reason::NoTunnel.code();
    };
    match address(skb, config, host, remote.vni) {
        Ok(()) => skb.leave(config.tunnel_link),
        Err(reason) => reason.code(),
    }
}

/// Says where the tunnel is to take the packet, and for which network.
#[inline(always)]
fn address(skb: &Skb, config: &Config, host: &HostRow, vni: u32) -> Result<(), Reason> {
    // SAFETY: it consists of numbers alone.
    let mut key: bpf_tunnel_key = unsafe { core::mem::zeroed() };
    key.tunnel_id = vni;
    key.tunnel_ttl = HOPS;
    let flags = if config.flags & Config::TUNNEL_V6 != 0 {
        key.__bindgen_anon_1.remote_ipv6 = host.address.0;
        key.__bindgen_anon_3.local_ipv6 = config.tunnel_address.0;
        BPF_F_TUNINFO_IPV6
    } else {
        key.__bindgen_anon_1.remote_ipv4 = host.address.tail();
        key.__bindgen_anon_3.local_ipv4 = config.tunnel_address.tail();
        BPF_F_ZERO_CSUM_TX
    };
    let size = size_of::<bpf_tunnel_key>() as u32;
    // SAFETY: a helper that reads the key alone.
    done(unsafe { bpf_skb_set_tunnel_key(skb.0, &raw mut key, size, flags as u64) })
}

/// Where a packet comes from.
pub struct Arrival {
    /// The other end of the tunnel.
    pub from: Words,
    /// The tenant and the network that it says it is for.
    pub tenant: u32,
    pub network: u32,
}

impl Arrival {
    pub const NONE: Arrival = Arrival {
        from: Words([0; 4]),
        tenant: 0,
        network: 0,
    };
}

/// Reads what the tunnel says of a packet. Answers with 0, or a reason's code.
#[inline(never)]
pub fn arrival(skb: &Skb, arrival: &mut Arrival) -> i32 {
    let Some(config) = CONFIG.get(0) else {
        return Reason::TunnelSource.code();
    };
    let v6 = config.flags & Config::TUNNEL_V6 != 0;
    let flags = if v6 { BPF_F_TUNINFO_IPV6 } else { 0 };
    // SAFETY: it consists of numbers alone.
    let mut key: bpf_tunnel_key = unsafe { core::mem::zeroed() };
    let size = size_of::<bpf_tunnel_key>() as u32;
    // SAFETY: a helper that writes the key alone; every bit pattern is an address.
    unsafe {
        // Fails, too, for a packet that came by the other family.
        if bpf_skb_get_tunnel_key(skb.0, &raw mut key, size, flags as u64) != 0 {
            return Reason::TunnelSource.code();
        }
        if v6 {
            arrival.from = Words(key.__bindgen_anon_1.remote_ipv6);
        } else {
            arrival.from = Words::mapped(key.__bindgen_anon_1.remote_ipv4.to_be());
        }
    }
    // SAFETY: rows are allocated one by one, and stay until the program has ended.
    let Some(vni) = (unsafe { VNIS.get(key.tunnel_id) }) else {
        return Reason::UnknownVni.code();
    };
    arrival.tenant = vni.tenant;
    arrival.network = vni.network;
    0
}

/// Sends a copy to each host that holds members of the network.
#[inline(never)]
pub fn flood(skb: &Skb, network: u32) -> i32 {
    // SAFETY: rows are allocated one by one, and stay until the program has ended.
    let Some(flood) = (unsafe { FLOOD.get(network) }) else {
        return TC_ACT_SHOT;
    };
    if flood.count as usize > flood.hosts.len() {
        return Reason::Broadcast.code();
    }
    for &index in &flood.hosts {
        // Places behind the last host are nobody's.
        if index != 0 {
            copy_to_host(skb.0, index, flood.vni);
        }
    }
    TC_ACT_SHOT
}

/// A global function, proved once and not once for each host.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn copy_to_host(skb: *mut __sk_buff, index: u32, vni: u32) -> u32 {
    let (Some(host), Some(config)) = (HOSTS.get(index), CONFIG.get(0)) else {
        return 0;
    };
    let skb = Skb(skb);
    if host.mtu != 0 && config.tunnel_link != 0 && address(&skb, config, host, vni).is_ok() {
        skb.copy_to(config.tunnel_link);
    }
    1
}
