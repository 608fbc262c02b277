//! Fragments: the later ones follow the first.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::{Fragment, FragmentKey};
use contiv_datapath_abi::packet::{Kind, Packet};

use crate::deliver::now;
use crate::maps::FRAGMENTS;

/// Remembers what the first fragment says, or tells it to a later one.
#[inline(never)]
pub fn follow(packet: &mut Packet) -> i32 {
    let key = FragmentKey {
        tenant: packet.key.tenant,
        source: packet.key.source,
        destination: packet.key.destination,
        id: packet.fragment,
        protocol: if packet.v6 { 0 } else { packet.key.protocol },
    };
    if packet.kind == Kind::FirstFragment {
        let fragment = Fragment {
            source_port: packet.key.source_port,
            destination_port: packet.key.destination_port,
            protocol: packet.key.protocol,
            seen: now(),
        };
        let failed = FRAGMENTS.insert(&key, &fragment, 0).is_err();
        return if failed { Reason::Kernel.code() } else { 0 };
    }
    let Some(first) = FRAGMENTS.get_ptr(&key) else {
        return Reason::OrphanFragment.code();
    };
    // SAFETY: if the row is taken by other addresses now, theirs is as good a guess; a packet's
    // flow is looked up with its own addresses.
    let first = unsafe { *first };
    if now().wrapping_sub(first.seen) > Fragment::LIFETIME {
        return Reason::OrphanFragment.code();
    }
    packet.key.source_port = first.source_port;
    packet.key.destination_port = first.destination_port;
    packet.key.protocol = first.protocol;
    0
}
