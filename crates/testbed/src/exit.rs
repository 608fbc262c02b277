//! The end of a test process that ends in good order.

/// Runs `act` when the process exits, after the last test: the place to drop what tests share,
/// since statics are never dropped. A killed process ends its hosts all the same.
pub fn at_exit(act: extern "C" fn()) {
    // SAFETY: takes a function that lives as long as the program.
    unsafe { libc::atexit(act) };
}
