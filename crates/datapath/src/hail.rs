//! Whether the tunnel is open between two hosts, found out by packets that take its way.
//!
//! A hail is a VXLAN packet like any other until the tunnel's link of the other host: the same UDP
//! port, the same firewalls, the same device. What it carries is no endpoint's; the program there
//! lets it pass, and the agent that listens at the link answers it the same way.
#![allow(
    unsafe_code,
    reason = "packet sockets are system calls that take pointers; each call has its reason"
)]

mod frame;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use contiv_datapath_abi::packet::ETHERTYPE_HAIL;

use crate::Error;
use crate::names::TUNNEL;
use crate::uncut::never_cut;
pub use frame::{Hail, HailKind};
use frame::{read, write};

/// Sends and hears hails at this host's end of the tunnel.
#[derive(Debug)]
pub struct Hailer {
    frames: OwnedFd,
    packets: UdpSocket,
    address: IpAddr,
    port: u16,
}

impl Hailer {
    /// Opens the sockets, in the calling thread's network namespace.
    pub fn open(address: IpAddr, port: u16) -> Result<Hailer, Error> {
        let packets = UdpSocket::bind((address, 0))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .and_then(|socket| never_cut(&socket, address).map(|()| socket));
        Ok(Hailer {
            frames: listen().map_err(Error::file("listen at the tunnel"))?,
            packets: packets.map_err(Error::file(format!("send from {address}")))?,
            address,
            port,
        })
    }

    /// This end.
    pub fn end(&self) -> (IpAddr, u16) {
        (self.address, self.port)
    }

    /// Asks another host, by an IP packet of this size that nobody may cut; the least that it
    /// takes when 0. The error is `EMSGSIZE` when this host knows that it does not pass.
    pub fn ask(&self, other: IpAddr, nonce: u64, size: u32) -> io::Result<()> {
        self.send(other, HailKind::Ask, nonce, size)
    }

    /// Answers one that asks.
    pub fn answer(&self, hail: &Hail) -> io::Result<()> {
        self.send(hail.from, HailKind::Answer, hail.nonce, 0)
    }

    /// What has come, if anything has.
    pub fn hear(&self) -> Option<Hail> {
        let mut frame = [0_u8; 128];
        loop {
            let mut place = libc::sockaddr_ll {
                sll_family: 0,
                sll_protocol: 0,
                sll_ifindex: 0,
                sll_hatype: 0,
                sll_pkttype: 0,
                sll_halen: 0,
                sll_addr: [0; 8],
            };
            let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            // SAFETY: both buffers outlive the call, and have the lengths that are said.
            let got = unsafe {
                libc::recvfrom(
                    self.frames.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    0,
                    (&raw mut place).cast(),
                    &raw mut length,
                )
            };
            let Ok(got) = usize::try_from(got) else {
                if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return None;
            };
            // The device may have been made anew meanwhile.
            if Some(place.sll_ifindex) != tunnel() {
                continue;
            }
            if let Some(hail) = frame.get(..got).and_then(read) {
                return Some(hail);
            }
        }
    }

    fn send(&self, other: IpAddr, kind: HailKind, nonce: u64, size: u32) -> io::Result<()> {
        let from = self.address;
        let packet = write(&Hail { from, kind, nonce }, size);
        let to = SocketAddr::new(other, self.port);
        self.packets.send_to(&packet, to).map(drop)
    }
}

impl AsFd for Hailer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.frames.as_fd()
    }
}

impl AsRawFd for Hailer {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.frames.as_raw_fd()
    }
}

/// Index of the tunnel's link.
fn tunnel() -> Option<i32> {
    let index = nix::net::if_::if_nametoindex(TUNNEL).ok()?;
    i32::try_from(index).ok()
}

fn listen() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let protocol = i32::from(ETHERTYPE_HAIL.to_be());
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
