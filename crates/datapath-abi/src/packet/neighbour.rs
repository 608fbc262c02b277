//! Questions for link addresses: ARP, and solicitations of ICMPv6.

use super::{ETHERNET, Frame};
use crate::Words;
use crate::policy::ICMPV6;

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub is_request: bool,
    pub sender_mac: [u8; 6],
    pub sender: [u8; 4],
    pub target: [u8; 4],
}

/// Reads an ARP packet; `None` if it is about anything but IPv4 over Ethernet.
#[inline(always)]
pub fn arp<F: Frame + ?Sized>(frame: &F) -> Option<Arp> {
    let packet: [u8; 28] = frame.far(ETHERNET)?;
    // Hardware, protocol and their lengths, then the operation.
    let [
        0,
        1,
        8,
        0,
        6,
        4,
        0,
        operation,
        m0,
        m1,
        m2,
        m3,
        m4,
        m5,
        s0,
        s1,
        s2,
        s3,
        ..,
    ] = packet
    else {
        return None;
    };
    let [.., t0, t1, t2, t3] = packet;
    Some(Arp {
        is_request: operation == 1,
        sender_mac: [m0, m1, m2, m3, m4, m5],
        sender: [s0, s1, s2, s3],
        target: [t0, t1, t2, t3],
    })
}

/// A question for the link address of an IPv6 neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// All zero for a probe: whoever asks wants to have the address itself.
    pub sender: Words,
    pub target: Words,
}

/// Type of a neighbour solicitation.
const SOLICITATION: u32 = 135;

/// Reads a solicitation; `None` for any other packet, and for one that a router forwarded.
#[inline(always)]
pub fn solicitation<F: Frame + ?Sized>(frame: &F) -> Option<Solicitation> {
    let header: [u32; 16] = frame.far_words(ETHERNET)?;
    let [_, rest, a, b, c, d, _, _, _, _, icmp, _, e, f, g, h] = header;
    let (rest, icmp) = (u32::from_be(rest), u32::from_be(icmp));
    let asks = rest & 0xffff == (ICMPV6 as u32) << 8 | 255 && icmp >> 24 == SOLICITATION;
    asks.then_some(Solicitation {
        sender: Words([a, b, c, d]),
        target: Words([e, f, g, h]),
    })
}
