//! Frames, built and taken apart by a library that knows nothing of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

/// Where a frame comes from and goes to.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) macs: ([u8; 6], [u8; 6]),
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) hops: u8,
}

impl Way {
    pub(crate) fn new(
        macs: ([u8; 6], [u8; 6]),
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
    ) -> Way {
        Way {
            macs,
            source: source.into(),
            destination: destination.into(),
            hops: 64,
        }
    }

    fn builder(&self) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        let link = PacketBuilder::ethernet2(self.macs.0, self.macs.1);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                link.ipv4(source.octets(), destination.octets(), self.hops)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                link.ipv6(source.octets(), destination.octets(), self.hops)
            }
            _ => panic!("two families"),
        }
    }

    pub(crate) fn udp(&self, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        self.builder()
            .udp(source, destination)
            .write(&mut frame, payload)
            .unwrap();
        frame
    }

    /// `flags` in the words of TCP: any of `S`, `A`, `F`, `R`.
    pub(crate) fn tcp(&self, source: u16, destination: u16, flags: &str) -> Vec<u8> {
        let mut step = self.builder().tcp(source, destination, 1, 1024);
        for flag in flags.chars() {
            step = match flag {
                'S' => step.syn(),
                'A' => step.ack(1),
                'F' => step.fin(),
                _ => step.rst(),
            };
        }
        let mut frame = Vec::new();
        step.write(&mut frame, b"data").unwrap();
        frame
    }

    pub(crate) fn ping(&self, identifier: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        if self.source.is_ipv4() {
            self.builder()
                .icmpv4_echo_request(identifier, 1)
                .write(&mut frame, payload)
                .unwrap();
        } else {
            self.builder()
                .icmpv6_echo_request(identifier, 1)
                .write(&mut frame, payload)
                .unwrap();
        }
        frame
    }

    pub(crate) fn pong(&self, identifier: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        if self.source.is_ipv4() {
            self.builder()
                .icmpv4_echo_reply(identifier, 1)
                .write(&mut frame, payload)
                .unwrap();
        } else {
            self.builder()
                .icmpv6_echo_reply(identifier, 1)
                .write(&mut frame, payload)
                .unwrap();
        }
        frame
    }

    /// An error of any type, about a packet.
    pub(crate) fn icmp(&self, kind: u8, code: u8, about: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let about = &about[14..];
        if self.source.is_ipv4() {
            let step = self.builder().icmpv4_raw(kind, code, [0; 4]);
            step.write(&mut frame, about).unwrap();
        } else {
            let step = self.builder().icmpv6_raw(kind, code, [0; 4]);
            step.write(&mut frame, about).unwrap();
        }
        frame
    }

    /// A packet of some other protocol.
    pub(crate) fn raw(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        self.builder()
            .write(&mut frame, etherparse::IpNumber(protocol), payload)
            .unwrap();
        frame
    }
}

/// What a frame says, all checksums proved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) macs: ([u8; 6], [u8; 6]),
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) hops: u8,
    /// Type and code of ICMP.
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) payload: Vec<u8>,
}

#[track_caller]
pub(crate) fn seen(frame: &[u8]) -> Seen {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let link = etherparse::Ethernet2Slice::from_slice_without_fcs(frame).unwrap();
    let (source, destination, hops) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                header.ttl(),
            )
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let (source, destination) = (header.source_addr(), header.destination_addr());
            (source.into(), destination.into(), header.hop_limit())
        }
        other => panic!("{other:?}"),
    };
    let (icmp, payload) = transport(&packet, source, destination);
    Seen {
        macs: (link.source(), link.destination()),
        source,
        destination,
        hops,
        icmp,
        payload,
    }
}

type Transport = (Option<(u8, u8)>, Vec<u8>);

#[track_caller]
fn transport(packet: &SlicedPacket<'_>, source: IpAddr, destination: IpAddr) -> Transport {
    let both = |source: IpAddr| match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => Ok((s.octets(), d.octets())),
        (IpAddr::V6(s), IpAddr::V6(d)) => Err((s.octets(), d.octets())),
        _ => panic!("two families"),
    };
    match packet.transport.as_ref() {
        Some(TransportSlice::Udp(udp)) => {
            let header = udp.to_header();
            let sum = match both(source) {
                Ok((s, d)) => header.calc_checksum_ipv4_raw(s, d, udp.payload()),
                Err((s, d)) => header.calc_checksum_ipv6_raw(s, d, udp.payload()),
            };
            if header.checksum != 0 {
                assert_eq!(header.checksum, sum.unwrap(), "UDP's checksum");
            }
            (None, udp.payload().to_vec())
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let header = tcp.to_header();
            let sum = match both(source) {
                Ok((s, d)) => header.calc_checksum_ipv4_raw(s, d, tcp.payload()),
                Err((s, d)) => header.calc_checksum_ipv6_raw(s, d, tcp.payload()),
            };
            assert_eq!(header.checksum, sum.unwrap(), "TCP's checksum");
            (None, tcp.payload().to_vec())
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            let sum = icmp.header().icmp_type.calc_checksum(icmp.payload());
            assert_eq!(icmp.checksum(), sum, "ICMP's checksum");
            (
                Some((icmp.type_u8(), icmp.code_u8())),
                icmp.payload().to_vec(),
            )
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            let Err((s, d)) = both(source) else {
                panic!("ICMPv6 over IPv4")
            };
            assert!(icmp.is_checksum_valid(s, d), "ICMPv6's checksum");
            (
                Some((icmp.type_u8(), icmp.code_u8())),
                icmp.payload().to_vec(),
            )
        }
        _ => (
            None,
            packet.ip_payload().map_or(vec![], |ip| ip.payload.to_vec()),
        ),
    }
}

pub(crate) const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// What a frame says of the packet that an error quotes: source and destination.
pub(crate) fn quoted_v4(error: &Seen) -> (Ipv4Addr, Ipv4Addr) {
    let header = etherparse::Ipv4HeaderSlice::from_slice(&error.payload).unwrap();
    assert_eq!(
        header.header_checksum(),
        header.to_header().calc_header_checksum()
    );
    (header.source_addr(), header.destination_addr())
}

pub(crate) fn quoted_v6(error: &Seen) -> (Ipv6Addr, Ipv6Addr) {
    let header = etherparse::Ipv6HeaderSlice::from_slice(&error.payload).unwrap();
    (header.source_addr(), header.destination_addr())
}
