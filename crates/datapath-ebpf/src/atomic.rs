//! Numbers that several processors change, each in one step.
//!
//! `core::sync::atomic` has no such operations for this target; every kernel since 5.12 has.

use core::arch::asm;

/// Adds to a number.
///
/// # Safety
/// It is a number of a map's row, at an address that eight divides.
#[inline(always)]
pub unsafe fn add(number: *mut u64, more: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) number, in(reg) more) };
}

/// Writes a number, and answers with what it was before.
///
/// # Safety
/// See [`add`].
#[inline(always)]
pub unsafe fn exchange(number: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: the caller's.
    unsafe { asm!("{1} = xchg_64({0} + 0, {1})", in(reg) number, inout(reg) value) };
    value
}
