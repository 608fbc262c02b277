//! What the fabric itself says: answers of neighbours, and errors of a router.

use super::{ETHERNET, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame, Packet};
use crate::config::GATEWAY_MAC;
use crate::policy::{ICMP, ICMPV6};
use crate::{Address, Words, unmapped};

/// Length of an ARP answer.
pub const ARP: usize = ETHERNET + 28;
/// Length of a neighbour advertisement with the link address.
pub const ADVERTISEMENT: usize = ETHERNET + 40 + 32;
/// Length of an ICMP error that quotes an IP header without options and 8 bytes.
pub const ERROR_V4: usize = ETHERNET + 20 + 8 + QUOTE_V4;
/// Length of an ICMPv6 error that quotes an IP header and 8 bytes.
pub const ERROR_V6: usize = ETHERNET + 40 + 8 + QUOTE_V6;

const QUOTE_V4: usize = 28;
const QUOTE_V6: usize = 48;
/// Hops that answers may take.
const HOPS: u8 = 64;

/// `target` is at `mac`, said to whoever asked.
#[inline(always)]
pub fn arp(
    frame: &mut [u8; ARP],
    asker: [u8; 6],
    asker_address: [u8; 4],
    target: [u8; 4],
    mac: [u8; 6],
) {
    *frame = [0; ARP];
    link(frame, asker, mac, ETHERTYPE_ARP);
    put(frame, ETHERNET, [0, 1, 8, 0, 6, 4, 0, 2]);
    put(frame, ETHERNET + 8, mac);
    put(frame, ETHERNET + 14, target);
    put(frame, ETHERNET + 18, asker);
    put(frame, ETHERNET + 24, asker_address);
}

/// `target` is at `mac`, said to whoever asked.
#[inline(always)]
pub fn advertisement(
    frame: &mut [u8; ADVERTISEMENT],
    asker: [u8; 6],
    asker_address: Words,
    target: Words,
    mac: [u8; 6],
) {
    let (asker_address, target) = (asker_address.address(), target.address());
    const SOLICITED_OVERRIDE: u8 = 0x60;
    const ROUTER: u8 = 0x80;
    *frame = [0; ADVERTISEMENT];
    link(frame, asker, mac, ETHERTYPE_IPV6);
    ipv6(frame, target, asker_address, 255);
    let flags = if mac == GATEWAY_MAC {
        SOLICITED_OVERRIDE | ROUTER
    } else {
        SOLICITED_OVERRIDE
    };
    put(frame, ETHERNET + 40, [136, 0, 0, 0, flags]);
    put(frame, ETHERNET + 48, target);
    put(frame, ETHERNET + 64, [2, 1]);
    put(frame, ETHERNET + 66, mac);
    seal_icmpv6(frame);
}

/// What a router says about a packet that it does not pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The hop count is used up.
    HopLimit,
    /// The next network takes packets up to this size.
    TooBig(u32),
    /// Nobody takes it.
    Refused,
}

/// The gateway's complaint about an IPv4 packet without options.
#[inline(always)]
pub fn error_v4<F: Frame + ?Sized>(
    error: &mut [u8; ERROR_V4],
    frame: &F,
    packet: &Packet,
    sender: [u8; 6],
    gateway: &Address,
    complaint: Complaint,
) -> Option<()> {
    if packet.transport as usize != ETHERNET + 20 {
        return None;
    }
    let quote: [u8; QUOTE_V4] = frame.far(ETHERNET)?;
    *error = [0; ERROR_V4];
    link(error, sender, GATEWAY_MAC, ETHERTYPE_IPV4);
    let length = (ERROR_V4 - ETHERNET) as u16;
    put(error, ETHERNET, [0x45, 0]);
    put(error, ETHERNET + 2, length.to_be_bytes());
    put(error, ETHERNET + 8, [HOPS, ICMP]);
    put(error, ETHERNET + 12, unmapped(gateway));
    put(error, ETHERNET + 16, packet.key.source.0[3].to_ne_bytes());
    let sum = finish(add_up::<ETHERNET, { ETHERNET + 20 }>(error));
    put(error, ETHERNET + 10, sum.to_be_bytes());
    let icmp = ETHERNET + 20;
    match complaint {
        Complaint::HopLimit => put(error, icmp, [11, 0]),
        Complaint::Refused => put(error, icmp, [3, 3]),
        Complaint::TooBig(mtu) => {
            put(error, icmp, [3, 4]);
            put(error, icmp + 6, (mtu as u16).to_be_bytes());
        }
    }
    put(error, icmp + 8, quote);
    let sum = finish(add_up::<{ ETHERNET + 20 }, ERROR_V4>(error));
    put(error, icmp + 2, sum.to_be_bytes());
    Some(())
}

/// The gateway's complaint about an IPv6 packet.
#[inline(always)]
pub fn error_v6<F: Frame + ?Sized>(
    error: &mut [u8; ERROR_V6],
    frame: &F,
    packet: &Packet,
    sender: [u8; 6],
    gateway: &Address,
    complaint: Complaint,
) -> Option<()> {
    let quote: [u8; QUOTE_V6] = frame.far(ETHERNET)?;
    *error = [0; ERROR_V6];
    link(error, sender, GATEWAY_MAC, ETHERTYPE_IPV6);
    ipv6(error, *gateway, packet.key.source.address(), HOPS);
    let icmp = ETHERNET + 40;
    match complaint {
        Complaint::HopLimit => put(error, icmp, [3, 0]),
        Complaint::Refused => put(error, icmp, [1, 4]),
        Complaint::TooBig(mtu) => {
            put(error, icmp, [2, 0]);
            put(error, icmp + 4, mtu.to_be_bytes());
        }
    }
    put(error, icmp + 8, quote);
    seal_icmpv6(error);
    Some(())
}

#[inline(always)]
fn link(frame: &mut [u8], destination: [u8; 6], source: [u8; 6], ethertype: u16) {
    put(frame, 0, destination);
    put(frame, 6, source);
    put(frame, 12, ethertype.to_be_bytes());
}

/// The IPv6 header of an ICMPv6 packet that fills the frame.
#[inline(always)]
fn ipv6<const N: usize>(frame: &mut [u8; N], source: Address, destination: Address, hops: u8) {
    let length = (N - ETHERNET - 40) as u16;
    put(frame, ETHERNET, [0x60]);
    put(frame, ETHERNET + 4, length.to_be_bytes());
    put(frame, ETHERNET + 6, [ICMPV6, hops]);
    put(frame, ETHERNET + 8, source);
    put(frame, ETHERNET + 24, destination);
}

/// Fills in the checksum of an ICMPv6 packet that fills the frame. Not inlined, or the kernel's
/// stack would have to hold all that was just written.
#[inline(never)]
fn seal_icmpv6<const N: usize>(frame: &mut [u8; N]) {
    // Both addresses stand right before the packet; length and protocol make the pseudo-header whole.
    let pseudo = (N - ETHERNET - 40) as u32 + ICMPV6 as u32;
    let mut total = pseudo;
    let mut at = ETHERNET + 8;
    while at < N {
        total += u16::from_be_bytes([frame[at], frame[at + 1]]) as u32;
        at += 2;
    }
    put(frame, ETHERNET + 42, finish(total).to_be_bytes());
}

/// Adds up the words from `FROM` up to `TO`.
#[inline(always)]
fn add_up<const FROM: usize, const TO: usize>(frame: &[u8]) -> u32 {
    let mut total = 0;
    let mut at = FROM;
    while at < TO {
        total += u16::from_be_bytes([frame[at], frame[at + 1]]) as u32;
        at += 2;
    }
    total
}

#[inline(always)]
const fn finish(total: u32) -> u16 {
    let once = (total & 0xffff) + (total >> 16);
    !((once & 0xffff) + (once >> 16)) as u16
}

#[inline(always)]
fn put<const N: usize>(frame: &mut [u8], at: usize, bytes: [u8; N]) {
    frame[at..at + N].copy_from_slice(&bytes);
}
