//! Chance, all of it from one seed: ours, and that of the system as libraries ask for it.

use std::cell::Cell;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A stream of numbers; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Arc<Mutex<u64>>);

impl Chance {
    /// The numbers of a seed, in one of several streams that do not disturb each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Chance {
        let mut state = seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93);
        step(&mut state);
        Chance(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn next(&self) -> u64 {
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One of the numbers of the range, which is not empty.
    pub(crate) fn of(&self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(crate) fn happens(&self, percent: u64) -> bool {
        self.of(0..100) < percent
    }

    /// One of these, of which there is at least one.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        let count = u64::try_from(from.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(self.of(0..count)).unwrap_or_default();
        &from[index]
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
fn step(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

thread_local! {
    /// What libraries on this thread get for chance; none leaves them the system's.
    static SYSTEM: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on libraries on this thread, which must be a new one, get chance of this seed.
pub(crate) fn seed_system(seed: u64) {
    SYSTEM.set(Some(seed));
}

/// The system's call, by which hash maps, runtimes and uuids get their chance. On a thread
/// of a run it answers from the seed.
#[allow(
    unsafe_code,
    reason = "the name and the form of the call are the C library's"
)]
mod system {
    use super::{SYSTEM, step};

    // SAFETY: it has the form of the C library's function, and does what that does.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, flags: u32) -> isize {
        let seeded = SYSTEM.try_with(std::cell::Cell::get).ok().flatten();
        let Some(mut state) = seeded else {
            // SAFETY: the caller's buffer is as long as the caller says.
            let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
            return isize::try_from(got).unwrap_or(-1);
        };
        for index in 0..length {
            let byte = step(&mut state).to_le_bytes()[0];
            // SAFETY: index is below the length of the caller's buffer.
            unsafe { buffer.add(index).write(byte) };
        }
        let _ = SYSTEM.try_with(|system| system.set(Some(state)));
        isize::try_from(length).unwrap_or(isize::MAX)
    }
}
