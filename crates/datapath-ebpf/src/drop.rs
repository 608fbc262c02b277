//! Drops, counted by endpoint and reason, and told.

use aya_ebpf::bindings::{BPF_NOEXIST, TC_ACT_SHOT};
use contiv_datapath_abi::counter::DropKey;

use crate::event;
use crate::maps::DROPS;
use crate::skb::Skb;

/// Drops a packet that the endpoint of this serial sent, or would have got, for the reason whose
/// code this is.
#[inline(never)]
pub fn drop(skb: &Skb, whose: &Whose, code: i32) -> i32 {
    let reason = -code as u32;
    count(whose.serial, reason);
    event::dropped(skb, whose.slot, whose.by_host, reason);
    TC_ACT_SHOT
}

/// Whose drop it is.
pub struct Whose {
    /// The endpoint that sent the packet, or that would have got it; 0 for none.
    pub slot: u32,
    pub serial: u32,
    /// The host sent it.
    pub by_host: bool,
}

#[inline(always)]
fn count(serial: u32, reason: u32) {
    let key = DropKey { serial, reason };
    if let Some(packets) = DROPS.get_ptr_mut(&key) {
        // SAFETY: the value is this processor's alone, and no program interrupts another one here.
        unsafe { *packets += 1 };
    } else {
        // No room, no count: the packet is dropped all the same.
        let _ = DROPS.insert(&key, &1, BPF_NOEXIST as u64);
    }
}
