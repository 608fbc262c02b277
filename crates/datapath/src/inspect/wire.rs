//! What a device takes off the kernel's hands.
#![allow(
    unsafe_code,
    reason = "the kernel is asked by a system call that takes pointers"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// `ETHTOOL_GTXCSUM` (`linux/ethtool.h`).
const GET_TX_CHECKSUMS: u32 = 0x0000_0016;
/// `SIOCETHTOOL` (`linux/sockios.h`).
const ETHTOOL: libc::Ioctl = 0x8946;

#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: *mut Value,
    rest: [u8; 16],
}

/// Whether the device of a link makes the checksums of what it sends; none when it does not say.
pub(super) fn makes_checksums(link: &str) -> Option<bool> {
    let mut value = Value {
        command: GET_TX_CHECKSUMS,
        data: 0,
    };
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        value: &raw mut value,
        rest: [0; 16],
    };
    // The last byte ends the name.
    let room = request.name.get_mut(..link.len())?;
    if link.len() >= libc::IFNAMSIZ {
        return None;
    }
    room.copy_from_slice(link.as_bytes());
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    // SAFETY: the request is as large as the kernel's and outlives the call, as does the value
    // that it points to, which has the layout of `struct ethtool_value`.
    let asked = unsafe { libc::ioctl(socket.as_raw_fd(), ETHTOOL, &raw mut request) };
    (asked == 0).then_some(value.data != 0)
}
