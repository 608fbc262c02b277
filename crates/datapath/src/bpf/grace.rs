//! Waiting until no packet is looked at by what it could see before.

use std::io;

/// `MEMBARRIER_CMD_GLOBAL` (`linux/membarrier.h`).
const GLOBAL: i32 = 1;

/// Returns when every program run that had begun has ended.
///
/// A program runs within an RCU read section. `membarrier(MEMBARRIER_CMD_GLOBAL)`
/// returns after a grace period of RCU (`synchronize_rcu`), hence after all sections
/// that were open at the call. With a single processor it returns at once, which
/// is as good: a section of a packet is not interrupted by us.
pub(crate) fn grace_period() -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
