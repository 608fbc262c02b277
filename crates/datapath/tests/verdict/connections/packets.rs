//! The packets of connections between two endpoints.

use std::net::IpAddr;

use contiv_datapath_abi::flow::FlowKey;
use contiv_datapath_abi::policy::{ICMP, ICMPV6, TCP, UDP};

use super::model::{Ends, Kind, Who};
use super::said::SERVICES;
use crate::frames::{Way, v4};
use crate::local;
use crate::rig::{A, B, key, mac, v6};

/// Flags of TCP, and what they mean for a connection.
pub(crate) const FLAGS: [(&str, Kind); 5] = [
    ("S", Kind::Opens),
    ("SA", Kind::Accepts),
    ("A", Kind::Other),
    ("FA", Kind::Ends),
    ("R", Kind::Ends),
];

/// Bytes of Ethernet's header and of that of IPv6.
const HEADERS: usize = 14 + 40;
/// The protocol that says that a piece of a packet follows.
const FRAGMENT: u8 = 44;

/// The service that is cut in pieces: UDP.
pub(crate) const CUT: usize = 2;

/// Slot and last part of the address.
pub(crate) fn place(who: Who) -> (u32, u8) {
    match who {
        Who::Client => (A, 1),
        Who::Server => (B, 2),
    }
}

pub(crate) fn address(who: Who, is_v6: bool) -> IpAddr {
    let (_, last) = place(who);
    match is_v6 {
        true => v6(0x11, last.into()).into(),
        false => v4(10, 1, 1, last).into(),
    }
}

fn way(from: Who, is_v6: bool) -> Way {
    let [own, other] = [from, from.other()].map(|who| (mac(place(who).0), address(who, is_v6)));
    Way::new((own.0, other.0), own.1, other.1)
}

/// The protocol of a service's packets, and the port that they are for, as in keys of connections.
pub(crate) fn service((is_v6, service, _): Ends) -> (u8, u16) {
    match (SERVICES[service], is_v6) {
        ((ICMP, _), false) => (ICMP, 8 << 8),
        ((ICMP, _), true) => (ICMPV6, 128 << 8),
        (other, _) => other,
    }
}

/// A packet between these ends; the flags are TCP's.
pub(crate) fn frame(from: Who, ends: Ends, flags: usize) -> (Vec<u8>, Kind) {
    let (protocol, port) = service(ends);
    let (is_v6, _, client) = ends;
    let way = way(from, is_v6);
    let (source, destination) = match from {
        Who::Client => (client, port),
        Who::Server => (port, client),
    };
    match (protocol, from) {
        (TCP, _) => (way.tcp(source, destination, FLAGS[flags].0), FLAGS[flags].1),
        (UDP, _) => (way.udp(source, destination, &[7; 64]), Kind::Other),
        (_, Who::Client) => (way.ping(client, b"?"), Kind::Other),
        (_, Who::Server) => (way.pong(client, b"!"), Kind::Accepts),
    }
}

/// An error about a packet that the other one might have sent.
pub(crate) fn error(from: Who, ends: Ends) -> Vec<u8> {
    let about = frame(from.other(), ends, 2).0;
    let (kind, code) = if ends.0 { (1, 4) } else { (3, 3) };
    way(from, ends.0).icmp(kind, code, &about)
}

/// A packet in two pieces.
pub(crate) fn pieces(from: Who, ends: Ends, id: u16) -> (Vec<u8>, Vec<u8>) {
    let whole = frame(from, ends, 0).0;
    if !ends.0 {
        return local::cut(&whole, id);
    }
    let piece = |range: std::ops::Range<usize>, offset: u16| {
        let mut piece = whole[..HEADERS].to_vec();
        let protocol = std::mem::replace(&mut piece[20], FRAGMENT);
        let length = (8 + range.len()) as u16;
        piece[18..20].copy_from_slice(&length.to_be_bytes());
        piece.extend([protocol, 0]);
        piece.extend(offset.to_be_bytes());
        piece.extend(u32::from(id).to_be_bytes());
        piece.extend(&whole[HEADERS..][range]);
        piece
    };
    (piece(0..32, 1), piece(32..whole.len() - HEADERS, 32))
}

pub(crate) fn row(ends: Ends) -> FlowKey {
    let (protocol, port) = service(ends);
    let [client, server] = [Who::Client, Who::Server].map(|who| address(who, ends.0));
    key(protocol, (client, ends.2), (server, port))
}
