//! Echo requests of a size that nobody may cut.
#![allow(
    unsafe_code,
    reason = "raw sockets are system calls that take pointers; each call has its reason"
)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::sys::socket::{self, MsgFlags, SockaddrStorage};

use crate::uncut::never_cut;

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An answer to a request of this size.
    Answer(u32),
    /// A request was larger than this host or a router passes on.
    TooBig,
}

/// A socket that asks one host.
#[derive(Debug)]
pub(super) struct Echo {
    socket: OwnedFd,
    target: IpAddr,
    /// Tells our answers from others'.
    id: u16,
    sequence: u16,
    /// Size of the last request; one that was too big for this host counts as heard.
    sent: u32,
    refused: bool,
}

const HEADER: usize = 8;

impl Echo {
    /// Opens a socket between these addresses, in the calling thread's network namespace.
    pub(super) fn open(from: IpAddr, target: IpAddr) -> io::Result<Echo> {
        let (family, protocol) = if target.is_ipv4() {
            (libc::AF_INET, libc::IPPROTO_ICMP)
        } else {
            (libc::AF_INET6, libc::IPPROTO_ICMPV6)
        };
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::socket(family, kind, protocol) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        never_cut(&socket, target)?;
        let end = |ip| SockaddrStorage::from(SocketAddr::new(ip, 0));
        socket::bind(fd, &end(from))?;
        socket::connect(fd, &end(target))?;
        Ok(Echo {
            // Any number does; descriptors of one process differ.
            id: (std::process::id() as u16).wrapping_add(fd as u16),
            socket,
            target,
            sequence: 0,
            sent: 0,
            refused: false,
        })
    }

    pub(super) fn target(&self) -> IpAddr {
        self.target
    }

    /// Sends a request that is so large as an IP packet.
    pub(super) fn send(&mut self, size: u32) {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = size;
        let (internet, kind) = if self.target.is_ipv4() {
            (20, 8)
        } else {
            (40, 128)
        };
        let length = (size as usize).saturating_sub(internet).max(HEADER);
        let mut packet = vec![0_u8; length];
        packet[0] = kind;
        packet[4..6].copy_from_slice(&self.id.to_be_bytes());
        packet[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        if self.target.is_ipv4() {
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let sent = socket::send(self.socket.as_raw_fd(), &packet, MsgFlags::empty());
        self.refused = sent == Err(nix::Error::EMSGSIZE);
    }

    /// Reads what came, if anything did.
    pub(super) fn hear(&mut self) -> Option<Heard> {
        if std::mem::take(&mut self.refused) {
            return Some(Heard::TooBig);
        }
        let mut packet = [0; 128];
        loop {
            match socket::recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::empty()) {
                Ok(length) if self.is_answer(&packet[..length]) => {
                    return Some(Heard::Answer(self.sent));
                }
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(nix::Error::EMSGSIZE) => return Some(Heard::TooBig),
                Err(_) => return None,
            }
        }
    }

    /// Raw sockets of IPv4 show the IP header, too.
    fn is_answer(&self, packet: &[u8]) -> bool {
        let (start, kind) = match (self.target, packet.first()) {
            (IpAddr::V4(_), Some(first)) => (usize::from(first & 0x0f) * 4, 0),
            _ => (0, 129),
        };
        packet.get(start..start + HEADER).is_some_and(|header| {
            header[0] == kind
                && header[4..6] == self.id.to_be_bytes()
                && header[6..8] == self.sequence.to_be_bytes()
        })
    }

    /// What the kernel's routes say of the way, as of now.
    pub(super) fn route_mtu(&self) -> Option<u32> {
        let (level, option) = if self.target.is_ipv4() {
            (libc::IPPROTO_IP, libc::IP_MTU)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_MTU)
        };
        let mut mtu: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as u32;
        // SAFETY: both outlive the call, and the length is the value's.
        let got = unsafe {
            let value = (&raw mut mtu).cast();
            libc::getsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                value,
                &raw mut length,
            )
        };
        (got == 0 && mtu > 0).then_some(mtu.cast_unsigned())
    }
}

/// The Internet's checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or_default();
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_over_a_sealed_packet_is_zero() {
        let mut packet = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1, 0xff, 0xfe, 7];
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(checksum(&packet), 0);
    }
}
