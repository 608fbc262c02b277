//! What goes to all of a network: a copy to each member whose policy lets it in.
//!
//! Members of other networks get nothing, whatever the tenant's mode. Nothing is remembered: each
//! packet is judged for each member, which is why their number is bounded.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::{Endpoint, Members};
use contiv_datapath_abi::mapped;
use contiv_datapath_abi::opening::Fabric;
use contiv_datapath_abi::packet::Packet;
use contiv_datapath_abi::policy::{Action, Direction, Query};

use crate::from_endpoint::own;
use crate::maps::{CONFIG, ENDPOINTS, MEMBERS, Scratch, scratch};
use crate::skb::Skb;
use crate::tables::Host;
use crate::tunnel;

/// Who has something to say to all.
pub struct Announcer {
    pub serial: u32,
    pub tenant: u32,
    pub network: u32,
    pub group: u32,
}

/// To the members of this host, and to those of others if the fabric floods.
#[inline(always)]
pub fn from_here(skb: &Skb, packet: &Packet, sender: &Endpoint) -> i32 {
    let announcer = Announcer {
        serial: sender.serial,
        tenant: sender.tenant,
        network: sender.network,
        group: sender.group,
    };
    let outcome = deliver(skb, packet, &announcer);
    let floods = CONFIG
        .get(0)
        .is_some_and(|config| config.flags & Config::FLOOD != 0);
    // The address of a link says nothing to another host, which could not tell whose it is.
    if outcome < 0 || !floods || packet.key.source != own(sender, packet.v6) {
        return outcome;
    }
    tunnel::flood(skb, sender.network)
}

/// A copy to each member of this host.
#[inline(never)]
pub fn deliver(skb: &Skb, packet: &Packet, sender: &Announcer) -> i32 {
    let Some(tenant) = Host.tenant(sender.tenant) else {
        return Reason::UnknownInterface.code();
    };
    let Some(Scratch { notice, .. }) = scratch() else {
        return Reason::Kernel.code();
    };
    let query = &mut notice.query;
    query.root = tenant.root;
    query.subject_group = sender.group;
    query.own_address = packet.key.source.address();
    query.direction = Direction::Out;
    query.peer_group = 0;
    query.peer_address = packet.key.destination.address();
    query.protocol = packet.key.protocol as u8;
    query.port = packet.key.destination_port;
    notice.serial = sender.serial;
    notice.network = sender.network;
    notice.v6 = packet.v6 as u32;
    if Host.verdict(&notice.query).action == Action::Deny {
        return Reason::PolicyOut.code();
    }
    // SAFETY: rows are allocated one by one, and stay until the program has ended.
    let Some(members) = (unsafe { MEMBERS.get(sender.network) }) else {
        return Reason::Broadcast.code();
    };
    if members.count as usize > Members::ROOM {
        return Reason::Broadcast.code();
    }
    notice.query.direction = Direction::In;
    notice.query.peer_group = sender.group;
    notice.query.peer_address = packet.key.source.address();
    for &slot in &members.slots {
        // Slots behind the last member are nobody's.
        if slot != 0 {
            copy_to_member(skb.0, slot, notice);
        }
    }
    // All that should have the packet have their copy.
    TC_ACT_SHOT
}

/// What is sent, and what each member is asked.
#[repr(C)]
pub struct Notice {
    query: Query,
    serial: u32,
    network: u32,
    v6: u32,
}

/// Gives a member its copy. A global function, proved once and not once for each member.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn copy_to_member(skb: *mut __sk_buff, slot: u32, notice: *mut Notice) -> u32 {
    // SAFETY: the verifier lets in a writable notice or null.
    let (Some(notice), Some(member)) = (unsafe { notice.as_mut() }, ENDPOINTS.get(slot)) else {
        return 0;
    };
    let gets = member.serial != notice.serial
        && member.state != Endpoint::CLOSED
        && member.network == notice.network;
    if !gets {
        return 0;
    }
    notice.query.subject_group = member.group;
    notice.query.own_address = if notice.v6 != 0 {
        member.ipv6
    } else {
        mapped(member.ipv4)
    };
    if Host.verdict(&notice.query).action == Action::Allow {
        Skb(skb).copy_to(member.interface);
    }
    1
}
