//! ARP and neighbour discovery.

use std::net::Ipv6Addr;

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::packet;

use crate::frames::{seen, v4};
use crate::rig::{A, B, C, DROPPED, HOST_MAC, Rig, mac, v6};

/// A question, or anything else that ARP says.
fn arp(operation: u8, mac: [u8; 6], sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend([&mac[..], &sender, &[0; 6], &target].concat());
    frame
}

#[track_caller]
fn answered(frame: &[u8], asker: [u8; 6], expected: ([u8; 4], [u8; 6])) {
    assert_eq!(frame[..14], [&asker[..], &expected.1, &[8, 6]].concat());
    let answer = packet::arp(frame).unwrap();
    assert!(!answer.is_request);
    assert_eq!((answer.sender, answer.sender_mac), expected);
    assert_eq!(frame[32..38], asker);
}

#[test]
fn every_address_of_the_network_is_answered_for() {
    let mut rig = Rig::new();
    let own = [10, 1, 1, 1];
    for (target, slot) in [([10, 1, 1, 2], B), ([10, 1, 1, 254], 0)] {
        let answer = rig.passes(A, &arp(1, mac(A), own, target));
        answered(&answer, mac(A), (target, mac(slot)));
        assert_eq!(packet::arp(&answer[..]).unwrap().target, own);
    }
    // Nobody; another network; the world.
    for target in [[10, 1, 1, 77], [10, 1, 2, 1], [8, 8, 8, 8]] {
        rig.refuses(A, &arp(1, mac(A), own, target), Reason::UnknownNeighbour);
    }
}

#[test]
fn nobody_announces_or_probes() {
    let mut rig = Rig::new();
    let own = [10, 1, 1, 1];
    rig.refuses(A, &arp(1, mac(A), own, own), Reason::NeighbourNoise);
    rig.refuses(A, &arp(1, mac(A), [0; 4], own), Reason::NeighbourNoise);
    rig.refuses(
        A,
        &arp(2, mac(A), own, [10, 1, 1, 2]),
        Reason::NeighbourNoise,
    );
    rig.refuses(
        A,
        &arp(1, mac(A), [10, 1, 1, 3], [10, 1, 1, 2]),
        Reason::SpoofedAddress,
    );
    rig.refuses(A, &arp(1, mac(B), own, [10, 1, 1, 2]), Reason::SpoofedMac);
    let mut lies = arp(1, mac(A), own, [10, 1, 1, 2]);
    lies[22..28].copy_from_slice(&mac(B));
    rig.refuses(A, &lies, Reason::SpoofedMac);
}

/// A neighbour solicitation, with or without the option of the sender's link address.
fn solicitation(mac: [u8; 6], source: Ipv6Addr, target: Ipv6Addr, option: bool) -> Vec<u8> {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, target.segments()[7]);
    let mut body = vec![135, 0, 0, 0, 0, 0, 0, 0];
    body.extend(target.octets());
    if option {
        body.extend([&[1, 1], &mac[..]].concat());
    }
    let mut frame = [&[0x33, 0x33, 0xff, 0, 0, 1], &mac[..], &[0x86, 0xdd]].concat();
    frame.extend([0x60, 0, 0, 0, 0, body.len() as u8, 58, 255]);
    frame.extend([source.octets(), group.octets()].concat());
    frame.extend(body);
    frame
}

#[test]
fn neighbours_of_ipv6_are_answered_for() {
    let mut rig = Rig::new();
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
    for source in [v6(0x11, 1), link_local] {
        for (target, slot) in [(v6(0x11, 2), B), (v6(0x11, 0xfe), 0)] {
            for option in [true, false] {
                let question = solicitation(mac(A), source, target, option);
                let frame = rig.passes(A, &question);
                let answer = seen(&frame);
                assert_eq!(answer.macs, (mac(slot), mac(A)));
                assert_eq!(
                    (answer.source, answer.destination),
                    (target.into(), source.into())
                );
                assert_eq!((answer.icmp, answer.hops), (Some((136, 0)), 255));
                assert_eq!(
                    frame[58] & 0x80 != 0,
                    slot == 0,
                    "only the gateway is a router"
                );
                assert_eq!(frame[62..78], target.octets());
                assert_eq!(frame[78..86], [&[2, 1], &mac(slot)[..]].concat());
            }
        }
    }
    for target in [v6(0x11, 9), v6(0x12, 1), link_local] {
        let question = solicitation(mac(A), v6(0x11, 1), target, true);
        rig.refuses(A, &question, Reason::UnknownNeighbour);
    }
    let probe = solicitation(mac(A), Ipv6Addr::UNSPECIFIED, v6(0x11, 1), false);
    rig.refuses(A, &probe, Reason::NeighbourNoise);
    let forged = solicitation(mac(A), v6(0x11, 2), v6(0x11, 0xfe), true);
    rig.refuses(A, &forged, Reason::SpoofedAddress);
}

#[test]
fn the_host_finds_everything_behind_the_gateway() {
    let mut rig = Rig::new();
    let question = arp(1, HOST_MAC, [172, 19, 0, 1], [172, 19, 0, 2]);
    let answer = rig.passes_from_host(0, &question);
    answered(&answer, HOST_MAC, ([172, 19, 0, 2], mac(0)));
    let own = v4(172, 19, 0, 1).octets();
    assert_eq!(rig.send_from_host(&arp(1, HOST_MAC, own, own)).0, DROPPED);
    let question = solicitation(HOST_MAC, v6(0x77, 1), v6(0x12, 1), true);
    let answer = seen(&rig.passes_from_host(C, &question));
    assert_eq!(
        (answer.macs, answer.source),
        ((mac(0), HOST_MAC), v6(0x12, 1).into())
    );
}
