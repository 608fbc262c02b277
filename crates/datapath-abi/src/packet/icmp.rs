//! ICMP and ICMPv6: queries are connections, errors belong to one.

use super::{Frame, Kind, Packet};
use crate::Words;
use crate::counter::Reason;
use crate::flow::FlowKey;
use crate::policy::{ICMP, ICMPV6, TCP, UDP};

/// Unreachable, quench, redirect, time exceeded, parameter problem.
const V4_ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
/// The lowest type of ICMPv6 that is no error.
const V6_FIRST_INFORMATION: u8 = 128;

pub(super) const ECHO_REPLY: u8 = 0;
pub(super) const ECHO_REQUEST: u8 = 8;
const TIMESTAMP: u8 = 13;
const TIMESTAMP_REPLY: u8 = 14;
pub(super) const V6_ECHO_REQUEST: u8 = 128;
pub(super) const V6_ECHO_REPLY: u8 = 129;

impl Packet {
    /// Whether it is an answer to a query.
    #[inline(always)]
    pub(super) const fn is_answer(&self) -> bool {
        matches!(self.kind, Kind::Whole | Kind::FirstFragment)
            && if self.v6 {
                self.key.protocol == ICMPV6 as u32 && self.flags == V6_ECHO_REPLY
            } else {
                self.key.protocol == ICMP as u32
                    && matches!(self.flags, ECHO_REPLY | TIMESTAMP_REPLY)
            }
    }

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

/// Source and destination port of a message's flow.
///
/// A query goes from its identifier to the *question*, its type and code, and what answers it goes
/// back from there. So policy is asked about the question, and answers to a query meet the flow of
/// no other one. A message that nobody answers goes from 0 to its own type and code.
#[inline(always)]
fn ports(v6: bool, kind: u8, code: u8, identifier: u16) -> (u16, u16) {
    let question = |kind: u8| (kind as u16) << 8 | code as u16;
    match (v6, kind) {
        (false, ECHO_REQUEST | TIMESTAMP) | (true, V6_ECHO_REQUEST) => (identifier, question(kind)),
        (false, ECHO_REPLY) => (question(ECHO_REQUEST), identifier),
        (false, TIMESTAMP_REPLY) => (question(TIMESTAMP), identifier),
        (true, V6_ECHO_REPLY) => (question(V6_ECHO_REQUEST), identifier),
        _ => (0, question(kind)),
    }
}

/// Sets kind and ports by the type, which is in `flags`, and the code.
#[inline(always)]
pub(super) fn classify(packet: &mut Packet, code: u8, identifier: u16) {
    let kind = packet.flags;
    let key = &mut packet.key;
    (key.source_port, key.destination_port) = ports(packet.v6, kind, code, identifier);
    if packet.v6 && kind < V6_FIRST_INFORMATION || !packet.v6 && V4_ERRORS.contains(&kind) {
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
    let (source, destination, protocol, transport) = if packet.v6 {
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
    let [head, rest]: [u32; 2] = frame.far_words(transport).ok_or(Reason::UnrelatedError)?;
    let (head, identifier) = (u32::from_be(head), (u32::from_be(rest) >> 16) as u16);
    let (source_port, destination_port) = match protocol as u8 {
        TCP | UDP => ((head >> 16) as u16, head as u16),
        ICMP | ICMPV6 => {
            let (kind, code) = ((head >> 24) as u8, (head >> 16) as u8);
            ports(packet.v6, kind, code, identifier)
        }
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
