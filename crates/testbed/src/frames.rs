//! Raw Ethernet frames on one interface, sent and seen.

use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Netns;

/// A packet socket bound to one interface.
#[derive(Debug)]
pub struct FrameSocket {
    fd: OwnedFd,
}

impl Netns {
    /// Opens a packet socket on `interface` of this namespace.
    pub fn frames(&self, interface: &str) -> Result<FrameSocket> {
        self.enter(|| FrameSocket::open(interface))?
            .with_context(|| format!("packet socket on {interface}"))
    }

    /// The hardware address of `interface`.
    pub fn mac(&self, interface: &str) -> Result<[u8; 6]> {
        let text = self.ip(&format!("-br link show dev {interface}"))?;
        let word = text
            .split_whitespace()
            .nth(2)
            .context("no hardware address")?;
        let bytes: Vec<u8> = word
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16))
            .collect::<Result<_, _>>()
            .with_context(|| format!("hardware address {word}"))?;
        bytes
            .try_into()
            .map_err(|_| anyhow::anyhow!("hardware address {word}"))
    }
}

impl FrameSocket {
    fn open(interface: &str) -> std::io::Result<Self> {
        let name = std::ffi::CString::new(interface)?;
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: `name` and `address` outlive the calls; the new descriptor is owned at once.
        unsafe {
            let index = libc::if_nametoindex(name.as_ptr());
            if index == 0 {
                return Err(std::io::Error::last_os_error());
            }
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            let fd = libc::socket(libc::AF_PACKET, kind, i32::from(protocol));
            if fd < 0 {
                return Err(std::io::Error::last_os_error());
            }
            let fd = OwnedFd::from_raw_fd(fd);
            let mut address: libc::sockaddr_ll = zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = protocol;
            address.sll_ifindex = index.cast_signed();
            let length = size_of::<libc::sockaddr_ll>() as u32;
            if libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(Self { fd })
        }
    }

    /// Sends one frame as it is, Ethernet header included.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        // SAFETY: the buffer outlives the call.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent != frame.len().cast_signed() {
            bail!(
                "send a frame of {} bytes: {}",
                frame.len(),
                std::io::Error::last_os_error()
            );
        }
        Ok(())
    }

    /// The next frame that arrives (not one that was sent here) and that `wanted` accepts, or
    /// `None` after `limit`.
    pub fn receive(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0_u8; 65536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(frame) = self.next(left, &mut buffer)? else {
                return Ok(None);
            };
            if wanted(frame) {
                return Ok(Some(frame.to_vec()));
            }
        }
    }

    fn next<'a>(&self, limit: Duration, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
            let mut poll = libc::pollfd {
                fd: self.fd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: buffers and structures outlive the calls, with their true lengths.
            let (count, outgoing) = unsafe {
                if libc::poll(&raw mut poll, 1, milliseconds) <= 0 {
                    return Ok(None);
                }
                let mut from: libc::sockaddr_ll = zeroed();
                let mut length = size_of::<libc::sockaddr_ll>() as u32;
                let count = libc::recvfrom(
                    self.fd.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut length,
                );
                (count, from.sll_pkttype == libc::PACKET_OUTGOING)
            };
            if count >= 0 && !outgoing {
                return Ok(Some(&buffer[..count.cast_unsigned()]));
            }
        }
    }
}
