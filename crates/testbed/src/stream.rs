//! Numbered packets: what was lost, doubled or late while something else was going on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::probe::any_for;
use crate::wait::pause;
use crate::{Netns, wait_for};

/// How long after the last packet was sent one may still arrive.
const DRAIN: Duration = Duration::from_millis(500);

/// What to send.
#[derive(Debug, Clone)]
pub struct StreamSpec {
    /// Where to, in the receiver's namespace.
    pub target: SocketAddr,
    /// Packets per second.
    pub rate: u32,
    /// Bytes of payload, at least 8.
    pub payload: usize,
}

impl StreamSpec {
    /// Small packets, 1000 a second.
    pub fn to(target: SocketAddr) -> Self {
        Self {
            target,
            rate: 1000,
            payload: 64,
        }
    }
}

/// A running stream of UDP packets that carry sequence numbers.
#[derive(Debug)]
pub struct Stream {
    stop_sending: Arc<AtomicBool>,
    stop_receiving: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
}

/// What a stream met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamReport {
    /// Packets that the sender's kernel took.
    pub sent: u64,
    /// Different packets that arrived.
    pub received: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Arrivals of a packet that had arrived before.
    pub duplicates: u64,
    /// Arrivals after a packet with a higher number.
    pub reordered: u64,
    /// The longest time between two arrivals.
    pub longest_gap: Duration,
}

#[derive(Debug, Default)]
struct Seen {
    /// One bit per sequence number.
    numbers: Vec<u64>,
    received: u64,
    duplicates: u64,
    reordered: u64,
    highest: u64,
    last_arrival: Option<Instant>,
    longest_gap: Duration,
}

impl Stream {
    /// Starts a receiver in `to` and a sender in `from`.
    pub fn start(from: &Netns, to: &Netns, spec: &StreamSpec) -> Result<Self> {
        let receiver = to.udp_bind(spec.target).context("the stream's receiver")?;
        receiver.set_read_timeout(Some(Duration::from_millis(50)))?;
        grow_buffer(&receiver);
        let sender = from
            .udp_bind(any_for(spec.target.ip()))
            .context("the stream's sender")?;
        let mut stream = Self {
            stop_sending: Arc::default(),
            stop_receiving: Arc::default(),
            sent: Arc::default(),
            seen: Arc::default(),
            threads: Vec::new(),
        };
        let (stop, seen) = (Arc::clone(&stream.stop_receiving), Arc::clone(&stream.seen));
        let receiving = std::thread::spawn(move || receive(&receiver, &stop, &seen));
        let (stop, sent) = (Arc::clone(&stream.stop_sending), Arc::clone(&stream.sent));
        let spec = spec.clone();
        let sending = std::thread::spawn(move || send(&sender, &spec, &stop, &sent));
        stream.threads = vec![sending, receiving];
        Ok(stream)
    }

    /// How many different packets arrived so far.
    pub fn received(&self) -> u64 {
        self.seen().received
    }

    /// How many packets were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until `more` further packets have arrived.
    pub fn flows(&self, more: u64, limit: Duration) -> Result<()> {
        let wanted = self.received() + more;
        wait_for(limit, &format!("{more} more packets of the stream"), || {
            let received = self.received();
            if received >= wanted {
                Ok(())
            } else {
                Err(format!("{received} of {wanted}"))
            }
        })
    }

    /// Stops sending, waits for packets on their way, and reports.
    pub fn stop(mut self) -> StreamReport {
        self.end();
        let sent = self.sent();
        let seen = self.seen();
        StreamReport {
            sent,
            received: seen.received,
            lost: sent.saturating_sub(seen.received),
            duplicates: seen.duplicates,
            reordered: seen.reordered,
            longest_gap: seen.longest_gap,
        }
    }

    fn end(&mut self) {
        self.stop_sending.store(true, Ordering::Relaxed);
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        if let Some(sending) = threads.next() {
            sending.join().ok();
            let sent = self.sent();
            wait_for(DRAIN, "the last packets", || {
                if self.received() >= sent {
                    Ok(())
                } else {
                    Err("some are missing")
                }
            })
            .ok();
        }
        self.stop_receiving.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().ok();
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

impl Seen {
    fn note(&mut self, number: u64, now: Instant) {
        if let Some(last) = self.last_arrival {
            self.longest_gap = self.longest_gap.max(now - last);
        }
        self.last_arrival = Some(now);
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if self.numbers.len() <= word {
            self.numbers.resize(word + 1, 0);
        }
        if self.numbers[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.numbers[word] |= bit;
        if self.received > 0 && number < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(number);
        self.received += 1;
    }
}

fn send(socket: &UdpSocket, spec: &StreamSpec, stop: &AtomicBool, sent: &AtomicU64) {
    let start = Instant::now();
    let mut packet = vec![0_u8; spec.payload.max(8)];
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        // By the clock and not by pauses: a late thread catches up, the rate stays true.
        let due = (start.elapsed().as_secs_f64() * f64::from(spec.rate)) as u64;
        while number <= due {
            packet[..8].copy_from_slice(&number.to_be_bytes());
            match socket.send_to(&packet, spec.target) {
                Ok(_) => {}
                // A refusal that an earlier packet met says nothing about this one, which was
                // not sent: it is sent again in the next round.
                Err(_) => break,
            }
            number += 1;
            sent.store(number, Ordering::Relaxed);
        }
        pause(Duration::from_micros(500));
    }
}

fn receive(socket: &UdpSocket, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let mut buffer = [0_u8; 65536];
    while !stop.load(Ordering::Relaxed) {
        let Ok((count, _)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        if let Some(number) = buffer[..count].first_chunk() {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.note(u64::from_be_bytes(*number), Instant::now());
        }
    }
}

/// Makes room for a receiver that is late: what its socket drops, the network did not lose.
fn grow_buffer(socket: &UdpSocket) {
    use std::os::fd::AsRawFd;
    let bytes: i32 = 8 << 20;
    // SAFETY: the option's value outlives the call, with its true length.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            size_of::<i32>() as u32,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_lost_doubled_and_late_apart() {
        let start = Instant::now();
        let mut seen = Seen::default();
        for (number, at) in [(0, 0), (1, 10), (3, 20), (2, 90), (3, 95), (70, 100)] {
            seen.note(number, start + Duration::from_millis(at));
        }
        assert_eq!((seen.received, seen.duplicates, seen.reordered), (5, 1, 1));
        assert_eq!(seen.longest_gap, Duration::from_millis(70));
    }
}
