//! IPv4 and IPv6 headers, and ports.

use super::{ETHERNET, ETHERTYPE_IPV4, Frame, Kind, Packet, icmp};
use crate::Words;
use crate::counter::Reason;
use crate::policy::{ICMP, ICMPV6, TCP, UDP};

/// Extension headers of IPv6 that are looked through, at most.
const EXTENSIONS: usize = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

/// Reads a packet up to its ports, into a place that the caller has: the kernel's stack has no room
/// for copies. Unless it fails, every byte of the place is written. `ethertype` is that of IPv4 or
/// IPv6.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(
    frame: &F,
    tenant: u32,
    ethertype: u16,
    packet: &mut Packet,
) -> Result<(), Reason> {
    packet.key.tenant = tenant;
    packet.key.source_port = 0;
    packet.key.destination_port = 0;
    packet.quote = 0;
    packet.flags = 0;
    packet.turned = false;
    packet.unused = [0; 2];
    if ethertype == ETHERTYPE_IPV4 {
        ipv4(frame, packet)?;
    } else {
        ipv6(frame, packet)?;
    }
    if packet.kind == Kind::LaterFragment {
        return Ok(());
    }
    transport(frame, packet)
}

#[inline(always)]
fn ipv4<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(), Reason> {
    let header = frame.words(ETHERNET).ok_or(Reason::Malformed)?;
    let [start, piece, rest, source, destination] = header;
    let (start, piece, rest) = (u32::from_be(start), u32::from_be(piece), u32::from_be(rest));
    let words = start >> 24 & 0x0f;
    if start >> 28 != 4 || words < 5 {
        return Err(Reason::Malformed);
    }
    packet.key.source = Words::mapped(source);
    packet.key.destination = Words::mapped(destination);
    packet.key.protocol = rest >> 16 & 0xff;
    packet.transport = ETHERNET as u32 + words * 4;
    packet.fragment = piece >> 16;
    packet.kind = kind(piece & 0x2000 != 0, piece as u16 & 0x1fff);
    packet.v6 = false;
    packet.indivisible = piece & 0x4000 != 0;
    packet.hop_limit = (rest >> 24) as u8;
    Ok(())
}

#[inline(always)]
fn ipv6<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(), Reason> {
    let header = frame.words(ETHERNET).ok_or(Reason::Malformed)?;
    let [start, rest, a, b, c, d, e, f, g, h] = header;
    if u32::from_be(start) >> 28 != 6 {
        return Err(Reason::Malformed);
    }
    let rest = u32::from_be(rest);
    packet.key.source = Words([a, b, c, d]);
    packet.key.destination = Words([e, f, g, h]);
    packet.key.protocol = rest >> 8 & 0xff;
    packet.transport = (ETHERNET + 40) as u32;
    packet.fragment = 0;
    packet.kind = Kind::Whole;
    packet.v6 = true;
    packet.indivisible = true;
    packet.hop_limit = rest as u8;
    if is_extension(packet.key.protocol as u8) {
        extensions(frame, packet)?;
    }
    Ok(())
}

/// Looks through the chain of extension headers, up to the first that is none. Seldom called, so
/// it stays out of the way of all other packets.
#[inline(never)]
fn extensions<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(), Reason> {
    for _ in 0..EXTENSIONS {
        let next = packet.key.protocol as u8;
        if !is_extension(next) {
            return Ok(());
        }
        let at = packet.transport as usize;
        let header: [u8; 8] = frame.far(at).ok_or(Reason::Malformed)?;
        let length = match next {
            FRAGMENT => {
                let piece = u16::from_be_bytes([header[2], header[3]]);
                packet.kind = kind(piece & 1 != 0, piece >> 3);
                packet.fragment = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                8
            }
            AUTHENTICATION => (header[1] as u32 + 2) * 4,
            _ => (header[1] as u32 + 1) * 8,
        };
        packet.key.protocol = header[0] as u32;
        packet.transport += length;
        // What follows in a later fragment is data, whatever it looks like.
        if packet.kind == Kind::LaterFragment {
            return Ok(());
        }
    }
    if is_extension(packet.key.protocol as u8) {
        return Err(Reason::TooManyHeaders);
    }
    Ok(())
}

#[inline(always)]
const fn is_extension(header: u8) -> bool {
    matches!(
        header,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY
    )
}

#[inline(always)]
const fn kind(more: bool, offset: u16) -> Kind {
    match (more, offset) {
        (false, 0) => Kind::Whole,
        (true, 0) => Kind::FirstFragment,
        _ => Kind::LaterFragment,
    }
}

/// Where headers start that come without options or extensions.
const PLAIN_V4: usize = ETHERNET + 20;
const PLAIN_V6: usize = ETHERNET + 40;

/// The start of the transport header, by the fast way where its offset is one of the usual two.
#[inline(always)]
fn at_transport<F: Frame + ?Sized, const N: usize, const BYTES: usize>(
    frame: &F,
    packet: &Packet,
) -> Option<[u16; N]> {
    match packet.transport as usize {
        PLAIN_V4 => frame.halves(PLAIN_V4),
        PLAIN_V6 => frame.halves(PLAIN_V6),
        other => {
            let bytes: [u8; BYTES] = frame.far(other)?;
            let mut halves = [0; N];
            let mut at = 0;
            while at < N {
                halves[at] = u16::from_ne_bytes([bytes[2 * at], bytes[2 * at + 1]]);
                at += 1;
            }
            Some(halves)
        }
    }
}

#[inline(always)]
fn transport<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(), Reason> {
    let protocol = packet.key.protocol as u8;
    if protocol == TCP {
        let [source, destination, .., flags] =
            at_transport::<F, 7, 14>(frame, packet).ok_or(Reason::Malformed)?;
        packet.key.source_port = u16::from_be(source);
        packet.key.destination_port = u16::from_be(destination);
        packet.flags = u16::from_be(flags) as u8;
    } else if protocol == UDP {
        let [source, destination] =
            at_transport::<F, 2, 4>(frame, packet).ok_or(Reason::Malformed)?;
        packet.key.source_port = u16::from_be(source);
        packet.key.destination_port = u16::from_be(destination);
    } else if protocol == if packet.v6 { ICMPV6 } else { ICMP } {
        let [kind, _, identifier] =
            at_transport::<F, 3, 6>(frame, packet).ok_or(Reason::Malformed)?;
        let [kind, code] = u16::from_be(kind).to_be_bytes();
        packet.flags = kind;
        icmp::classify(packet, code, u16::from_be(identifier));
    }
    Ok(())
}
