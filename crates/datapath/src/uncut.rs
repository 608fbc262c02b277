//! Sockets whose packets nobody may cut.
#![allow(
    unsafe_code,
    reason = "an option of a socket is set by a call that takes a pointer"
)]

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

/// Has the kernel neither cut what this socket sends to addresses of this one's family, nor believe
/// what it has learnt of paths.
pub(crate) fn never_cut(socket: &impl AsRawFd, address: IpAddr) -> io::Result<()> {
    let (level, option, probe) = if address.is_ipv4() {
        (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        )
    } else {
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        )
    };
    // SAFETY: the value outlives the call and has the length that is said.
    let set = unsafe {
        let value = (&raw const probe).cast();
        let length = size_of::<libc::c_int>() as u32;
        libc::setsockopt(socket.as_raw_fd(), level, option, value, length)
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
