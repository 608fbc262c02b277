//! ICMP and ICMPv6: queries are connections, errors belong to one.

use super::{Frame, Kind, Packet};
use crate::Words;
use crate::counter::Reason;
use crate::flow::FlowKey;
use crate::policy::{ICMP, ICMPV6, TCP, UDP};

/// Echo request and reply, and what else is asked and answered with an identifier.
const V4_QUERIES: [u8; 4] = [ECHO_REPLY, ECHO_REQUEST, 13, 14];
/// Unreachable, quench, redirect, time exceeded, parameter problem.
const V4_ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
/// The lowest type of ICMPv6 that is no error.
const V6_FIRST_INFORMATION: u8 = 128;

pub(super) const ECHO_REPLY: u8 = 0;
pub(super) const ECHO_REQUEST: u8 = 8;
pub(super) const V6_ECHO_REQUEST: u8 = 128;
pub(super) const V6_ECHO_REPLY: u8 = 129;

impl Packet {
    /// Whether it is a ping.
    #[inline(always)]
    pub const fn is_ping(&self) -> bool {
        matches!(self.kind, Kind::Whole)
            && if self.v6 {
                self.key.protocol == ICMPV6 as u32 && self.flags == V6_ECHO_REQUEST
            } else {
                self.key.protocol == ICMP as u32 && self.flags == ECHO_REQUEST
            }
    }
}

/// Sets kind and ports by the type, which is in `flags`.
#[inline(always)]
pub(super) fn classify(packet: &mut Packet, identifier: u16) {
    let kind = packet.flags;
    let is_query = if packet.v6 {
        matches!(kind, V6_ECHO_REQUEST | V6_ECHO_REPLY)
    } else {
        V4_QUERIES.contains(&kind)
    };
    if is_query {
        packet.key.source_port = identifier;
        packet.key.destination_port = identifier;
    } else if packet.v6 && kind < V6_FIRST_INFORMATION || !packet.v6 && V4_ERRORS.contains(&kind) {
        packet.kind = Kind::Error;
    } else if packet.v6 && matches!(kind, 130..=137 | 143 | 151..=153) {
        packet.kind = Kind::Neighbour;
    }
}

/// The packet that an ICMP error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// As the quoted packet says; the error travels against it.
    pub key: FlowKey,
    /// Where the quoted IP header starts, from the frame's start.
    pub header: u32,
}

/// Reads the quoted packet of an error.
#[inline(always)]
pub fn quoted<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> Result<Quote, Reason> {
    let at = packet.transport as usize + 8;
    let (source, destination, protocol, ports) = if packet.v6 {
        let header: [u32; 10] = frame.far_words(at).ok_or(Reason::UnrelatedError)?;
        let [_, rest, a, b, c, d, e, f, g, h] = header;
        let protocol = u32::from_be(rest) >> 8 & 0xff;
        (Words([a, b, c, d]), Words([e, f, g, h]), protocol, at + 40)
    } else {
        let header: [u32; 5] = frame.far_words(at).ok_or(Reason::UnrelatedError)?;
        let [start, piece, rest, source, destination] = header;
        if u32::from_be(piece) & 0x1fff != 0 {
            return Err(Reason::UnrelatedError);
        }
        let length = (u32::from_be(start) >> 24 & 0x0f) as usize * 4;
        let protocol = u32::from_be(rest) >> 16 & 0xff;
        (
            Words::mapped(source),
            Words::mapped(destination),
            protocol,
            at + length,
        )
    };
    let [ports, rest]: [u32; 2] = frame.far_words(ports).ok_or(Reason::UnrelatedError)?;
    let (ports, identifier) = (u32::from_be(ports), (u32::from_be(rest) >> 16) as u16);
    let (source_port, destination_port) = match protocol as u8 {
        TCP | UDP => ((ports >> 16) as u16, ports as u16),
        ICMP | ICMPV6 => (identifier, identifier),
        _ => (0, 0),
    };
    Ok(Quote {
        key: FlowKey {
            tenant: packet.key.tenant,
            source,
            destination,
            source_port,
            destination_port,
            protocol,
        },
        header: at as u32,
    })
}
