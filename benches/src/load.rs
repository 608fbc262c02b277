//! Loads on a path between two ends, each bounded in time and worth one figure.
//!
//! A socket stays in the namespace that it was opened in: both ends are threads of this process,
//! each on a processor of its own, so that a figure does not depend on where the scheduler put them.

mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use contiv_testbed::Netns;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::Pid;

/// How long a connection may take, and a read or write within a load.
const LIMIT: Duration = Duration::from_secs(5);

/// How often a waiting server looks whether the load is over.
const LOOK_MS: i64 = 5;

/// One way of loading a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Load {
    Stream,
    RoundTrip,
    Connect,
    Datagram,
}

/// Two ends, and where the client finds the server.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) client: Netns,
    pub(crate) server: Netns,
    pub(crate) target: IpAddr,
}

impl Load {
    /// Every load.
    pub(crate) const ALL: [Load; 4] =
        [Load::Stream, Load::RoundTrip, Load::Connect, Load::Datagram];

    /// The server's port; policies name it.
    pub(crate) fn port(self) -> u16 {
        match self {
            Load::Stream => 7001,
            Load::RoundTrip => 7002,
            Load::Connect => 7003,
            Load::Datagram => 7004,
        }
    }

    /// The heading in the report.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Load::Stream => "TCP stream",
            Load::RoundTrip => "TCP round trip",
            Load::Connect => "TCP connections",
            Load::Datagram => "UDP, 64 bytes",
        }
    }

    /// What its figure says.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Load::Stream => "Gbit/s that arrive on one connection",
            Load::RoundTrip => {
                "Microseconds of one byte there and one back on an open connection, median of a run"
            }
            Load::Connect => {
                "Connections a second, one after the other, each with one byte there and one back"
            }
            Load::Datagram => {
                "Thousands of datagrams a second, 64 bytes of payload each, that arrive from one \
                 sender"
            }
        }
    }

    /// The unit of its figure.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Load::Stream => "Gbit/s",
            Load::RoundTrip => "µs",
            Load::Connect => "/s",
            Load::Datagram => "k/s",
        }
    }

    /// Loads a path for `time` and returns the figure.
    pub(crate) fn run(self, ends: &Ends, time: Duration) -> Result<f64> {
        let target = SocketAddr::new(ends.target, self.port());
        let figure = match self {
            Load::Stream => tcp::stream(ends, target, time),
            Load::RoundTrip => tcp::round_trip(ends, target, time),
            Load::Connect => tcp::connect(ends, target, time),
            Load::Datagram => udp::datagram(ends, target, time),
        };
        figure.with_context(|| format!("{self:?} to {target}"))
    }
}

/// Runs a server beside a client, which lives in its namespace; the flag tells the server to end.
fn side_by_side<S: Send, C: Send>(
    client_ns: &Netns,
    serve: impl FnOnce(&AtomicBool) -> Result<S> + Send,
    load: impl FnOnce() -> Result<C> + Send,
) -> Result<(S, C)> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            pin(Side::Server)?;
            serve(&over)
        });
        let loaded = client_ns.enter(|| {
            pin(Side::Client)?;
            load()
        });
        over.store(true, Ordering::Relaxed);
        let served = server.join().map_err(|_| anyhow!("the server panicked"))?;
        // A client that failed says why; the server then only says that nobody came.
        let loaded = loaded??;
        Ok((served?, loaded))
    })
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// Puts the calling thread on the first or the last processor that this process may use.
fn pin(side: Side) -> Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).context("which processors may be used")?;
    let mut usable = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu) == Ok(true));
    let cpu = match side {
        Side::Client => usable.next(),
        Side::Server => usable.next_back(),
    };
    let mut one = CpuSet::new();
    one.set(cpu.context("no processor may be used")?)?;
    sched_setaffinity(this, &one).context("stay on one processor")
}

/// Lets reads and accepts of a socket return now and then, so that a server sees its end.
fn look_now_and_then(socket: &impl std::os::fd::AsFd) -> Result<()> {
    setsockopt(socket, ReceiveTimeout, &TimeVal::milliseconds(LOOK_MS)).context("receive time-out")
}

/// Whether an error only says that nothing came for a while.
fn is_silence(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests;
