//! Drops, counted by endpoint and reason.

use aya_ebpf::bindings::{BPF_NOEXIST, TC_ACT_SHOT};
use contiv_datapath_abi::counter::DropKey;

use crate::maps::DROPS;

/// Drops a packet that the endpoint of this serial sent, or would have got, for the reason whose
/// code this is.
#[inline(always)]
pub fn drop(serial: u32, code: i32) -> i32 {
    count(serial, -code as u32)
}

#[inline(never)]
fn count(serial: u32, reason: u32) -> i32 {
    let key = DropKey { serial, reason };
    if let Some(packets) = DROPS.get_ptr_mut(&key) {
        // SAFETY: the value is this processor's alone, and no program interrupts another one here.
        unsafe { *packets += 1 };
    } else {
        // No room, no count: the packet is dropped all the same.
        let _ = DROPS.insert(&key, &1, BPF_NOEXIST as u64);
    }
    TC_ACT_SHOT
}
