//! What a caller is ready to wait for.

use std::time::Duration;

/// How long a caller is ready to wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection to one master.
    pub connect: Duration,
    /// For a whole call, whatever number of masters it tries.
    pub call: Duration,
    /// For the next line of a stream; masters send one at least every ten seconds.
    pub stream_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(2),
            call: Duration::from_secs(10),
            stream_idle: Duration::from_secs(30),
        }
    }
}
