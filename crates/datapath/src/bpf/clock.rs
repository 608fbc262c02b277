//! The clock that programs read.

use contiv_datapath_abi::flow::TICK_SHIFT;

/// `CLOCK_MONOTONIC` in ticks, as programs write it into flows.
pub(crate) fn ticks() -> u32 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` outlives the call, which fills it in.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let nanoseconds = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
    (nanoseconds >> TICK_SHIFT) as u32
}
