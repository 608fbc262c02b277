//! Small datagrams, as fast as one thread can send them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Ends, is_silence, look_now_and_then, side_by_side};

/// Bytes of payload.
const PAYLOAD: usize = 64;

/// How many are sent between two looks at the clock.
const BATCH: usize = 64;

pub(super) fn datagram(ends: &Ends, target: SocketAddr, time: Duration) -> Result<f64> {
    let receiver = ends.server.udp_bind(target)?;
    look_now_and_then(&receiver)?;
    let (arrived, seconds) = side_by_side(
        &ends.client,
        |over| count(&receiver, over),
        || send(target, time),
    )?;
    ensure!(arrived > 0, "no datagram arrived");
    Ok(arrived as f64 / seconds / 1e3)
}

/// Counts until the sender has ended and nothing more comes.
fn count(receiver: &UdpSocket, over: &AtomicBool) -> Result<u64> {
    let mut buffer = [0; 2 * PAYLOAD];
    let mut arrived = 0;
    loop {
        match receiver.recv(&mut buffer) {
            Ok(_) => arrived += 1,
            Err(error) if is_silence(&error) && over.load(Ordering::Relaxed) => return Ok(arrived),
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error).context("receive"),
        }
    }
}

/// Sends for `time` from the calling thread's namespace; returns the seconds that it took.
fn send(target: SocketAddr, time: Duration) -> Result<f64> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let sender = UdpSocket::bind(any)?;
    sender.connect(target).context("a route to the receiver")?;
    let payload = [0; PAYLOAD];
    let start = Instant::now();
    while start.elapsed() < time {
        for _ in 0..BATCH {
            match sender.send(&payload) {
                Ok(_) => {}
                // A queue on the way is full: the datagram is lost, as it would be on a wire.
                Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("send"),
            }
        }
    }
    Ok(start.elapsed().as_secs_f64())
}
