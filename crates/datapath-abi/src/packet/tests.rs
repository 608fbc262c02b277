#![allow(clippy::unwrap_used, reason = "a test")]

use std::vec::Vec;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::Address;
use crate::counter::Reason;
use crate::flow::FlowKey;
use crate::mapped;
use crate::policy::{ICMP, ICMPV6, TCP, UDP};

const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

fn read(frame: &[u8]) -> Result<Packet, Reason> {
    let link = link(frame).ok_or(Reason::Malformed)?;
    let mut packet = Packet::NONE;
    parse(frame, 7, link.ethertype, &mut packet)?;
    Ok(packet)
}

fn key(source: Address, destination: Address, ports: (u16, u16), protocol: u8) -> FlowKey {
    FlowKey {
        tenant: 7,
        source: Words::new(source),
        destination: Words::new(destination),
        source_port: ports.0,
        destination_port: ports.1,
        protocol: protocol.into(),
    }
}

proptest! {
    #[test]
    fn ports_and_addresses_are_where_they_should_be(
        v4: bool, a: [u8; 16], b: [u8; 16], ports: (u16, u16), tcp: bool, hops: u8,
        options in 0usize..=10, payload: [u8; 9],
    ) {
        let link = PacketBuilder::ethernet2(MACS.0, MACS.1);
        let head = |address: [u8; 16]| [address[0], address[1], address[2], address[3]];
        let (step, source, destination) = if v4 {
            let mut header = etherparse::Ipv4Header {
                time_to_live: hops,
                source: head(a),
                destination: head(b),
                ..etherparse::Ipv4Header::default()
            };
            header.options = [1u8; 40][..options * 4].try_into().unwrap();
            let step = link.ip(etherparse::IpHeaders::Ipv4(header, <_>::default()));
            (step, mapped(head(a)), mapped(head(b)))
        } else {
            (link.ipv6(a, b, hops), a, b)
        };
        let mut frame = Vec::new();
        if tcp {
            step.tcp(ports.0, ports.1, 1, 2).syn().ack(3).write(&mut frame, &payload).unwrap();
        } else {
            step.udp(ports.0, ports.1).write(&mut frame, &payload).unwrap();
        }
        let packet = read(&frame).unwrap();
        prop_assert_eq!(packet.key, key(source, destination, ports, if tcp { TCP } else { UDP }));
        prop_assert_eq!(packet.hop_limit, hops);
        prop_assert_eq!((packet.v6, packet.kind), (!v4, Kind::Whole));
        prop_assert_eq!((packet.accepts(), packet.opens()), (tcp, false));
        // Cut anywhere in the headers, it is malformed and nothing worse.
        let headers = packet.transport as usize + if tcp { 14 } else { 4 };
        for length in 14..headers {
            prop_assert_eq!(read(&frame[..length]), Err(Reason::Malformed));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut frame in prop::collection::vec(any::<u8>(), 0..200),
        start in prop::sample::select(&[[8, 0, 0x45], [8, 0, 0x4f], [0x86, 0xdd, 0x60], [8, 6, 0]][..]),
        next in prop::sample::select(&[0u8, 1, 6, 17, 43, 44, 51, 58, 60][..]),
    ) {
        if frame.len() > 24 {
            frame[12..15].copy_from_slice(&start);
            frame[20] = next;
            frame[23] = next;
        }
        let _ = (arp(&frame[..]), solicitation(&frame[..]));
        if let Ok(packet) = read(&frame) {
            prop_assert!(packet.transport as usize >= ETHERNET + 20);
            let _ = quoted(&frame[..], &packet);
            let mut out = [0; reply::ERROR_V6];
            let _ = reply::error_v6(
                &mut out, &frame[..], &packet, MACS.0, &[1; 16], reply::Complaint::HopLimit,
            );
        }
    }

    #[test]
    fn a_quote_names_the_connection(v4: bool, a: [u8; 16], b: [u8; 16], ports: (u16, u16)) {
        let link = || PacketBuilder::ethernet2(MACS.0, MACS.1);
        let head = |address: [u8; 16]| [address[0], address[1], address[2], address[3]];
        let (mut about, mut frame) = (Vec::new(), Vec::new());
        let (source, destination) = if v4 {
            link().ipv4(head(a), head(b), 9).udp(ports.0, ports.1).write(&mut about, b"1234").unwrap();
            let error = link().ipv4([9; 4], head(a), 9).icmpv4_raw(3, 3, [0; 4]);
            error.write(&mut frame, &about[14..]).unwrap();
            (mapped(head(a)), mapped(head(b)))
        } else {
            link().ipv6(a, b, 9).udp(ports.0, ports.1).write(&mut about, b"1234").unwrap();
            let error = link().ipv6([9; 16], a, 9).icmpv6_raw(1, 4, [0; 4]);
            error.write(&mut frame, &about[14..]).unwrap();
            (a, b)
        };
        let packet = read(&frame).unwrap();
        prop_assert_eq!(packet.kind, Kind::Error);
        let quote = quoted(&frame[..], &packet).unwrap();
        prop_assert_eq!(quote.key, key(source, destination, ports, UDP));
        prop_assert_eq!(quote.header, packet.transport + 8);
    }

    #[test]
    fn words_are_addresses(address: [u8; 16], v4: [u8; 4]) {
        prop_assert_eq!(Words::new(address).address(), address);
        prop_assert_eq!(Words::new(mapped(v4)), Words::mapped(u32::from_ne_bytes(v4)));
        prop_assert!(address.starts_with(&Words::new(address).head().to_be_bytes()));
        prop_assert!(address.ends_with(&Words::new(address).tail().to_be_bytes()));
    }
}

/// An IPv6 packet whose chain of headers has these kinds, each of 8 bytes, before UDP.
fn chain(kinds: &[u8], fragment: [u8; 2]) -> Vec<u8> {
    let mut frame = Vec::from([0; 14 + 40]);
    frame[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
    frame[20] = kinds[0];
    for next in kinds[1..].iter().chain([&UDP]) {
        frame.extend([*next, 0, fragment[0], fragment[1], 0, 0, 1, 2]);
    }
    frame.extend([3, 232, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
    frame
}

#[test]
fn the_chain_of_extension_headers_is_bounded() {
    let packet = read(&chain(&[0, 60, 43], [0, 0])).unwrap();
    assert_eq!((packet.transport, packet.key.protocol), (14 + 40 + 24, 17));
    assert_eq!(
        (packet.key.source_port, packet.key.destination_port),
        (1000, 53)
    );
    assert!(read(&chain(&[60; 6], [0, 0])).is_ok());
    assert_eq!(read(&chain(&[60; 7], [0, 0])), Err(Reason::TooManyHeaders));
}

#[test]
fn fragments_are_known_by_their_offset() {
    for (piece, kind) in [
        ([0, 0], Kind::Whole),
        ([0, 1], Kind::FirstFragment),
        ([0, 8], Kind::LaterFragment),
        ([0, 9], Kind::LaterFragment),
    ] {
        let packet = read(&chain(&[44], piece)).unwrap();
        assert_eq!((packet.kind, packet.fragment), (kind, 0x0102));
        let has_ports = kind != Kind::LaterFragment;
        assert_eq!(packet.key.source_port, if has_ports { 1000 } else { 0 });
    }
}

#[test]
fn kinds_of_icmp() {
    let v4 = |kind| {
        let mut frame = Vec::new();
        let link = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4([1; 4], [2; 4], 9);
        link.icmpv4_raw(kind, 0, [0, 5, 0, 1])
            .write(&mut frame, &[0; 8])
            .unwrap();
        read(&frame).unwrap()
    };
    for (kind, ports) in [
        (8, (5, 8 << 8)),
        (0, (8 << 8, 5)),
        (13, (5, 13 << 8)),
        (14, (13 << 8, 5)),
        (10, (0, 10 << 8)),
    ] {
        let packet = v4(kind);
        assert_eq!(packet.kind, Kind::Whole);
        let FlowKey {
            source_port,
            destination_port,
            ..
        } = packet.key;
        assert_eq!((source_port, destination_port), ports, "type {kind}");
        assert_eq!(packet.accepts(), matches!(kind, 0 | 14), "type {kind}");
    }
    for kind in [3, 4, 5, 11, 12] {
        assert_eq!(
            (v4(kind).kind, v4(kind).key.protocol),
            (Kind::Error, ICMP.into())
        );
    }
    let v6 = |kind| {
        let mut frame = Vec::new();
        let link = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv6([1; 16], [2; 16], 9);
        link.icmpv6_raw(kind, 0, [0, 5, 0, 1])
            .write(&mut frame, &[0; 8])
            .unwrap();
        read(&frame).unwrap()
    };
    for (kind, expected) in [
        (1, Kind::Error),
        (2, Kind::Error),
        (128, Kind::Whole),
        (129, Kind::Whole),
        (133, Kind::Neighbour),
        (135, Kind::Neighbour),
        (143, Kind::Neighbour),
    ] {
        assert_eq!(
            (v6(kind).kind, v6(kind).key.protocol),
            (expected, ICMPV6.into())
        );
    }
    assert!(v4(8).is_ping() && v6(128).is_ping() && !v4(0).is_ping() && !v6(129).is_ping());
}
