//! Among endpoints of one network.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::Endpoint;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::policy::{ICMP, TCP, UDP};

use crate::frames::{Way, v4};
use crate::rig::{A, B, C, D, DROPPED, Rig, key, mac, v6};

fn a_to_b() -> Way {
    Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2))
}

fn b_to_a() -> Way {
    Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1))
}

#[test]
fn packets_of_one_network_arrive_unchanged() {
    let mut rig = Rig::new();
    let v6_way = Way::new((mac(A), mac(B)), v6(0x11, 1), v6(0x11, 2));
    for way in [a_to_b(), v6_way] {
        for frame in [
            way.udp(1000, 53, b"question"),
            way.tcp(1001, 80, "S"),
            way.tcp(1001, 80, "A"),
            way.ping(7, b"hello"),
            way.raw(47, b"other protocols too"),
        ] {
            assert_eq!(rig.passes(A, &frame), frame);
        }
    }
}

#[test]
fn a_flow_remembers_the_delivery_in_both_directions() {
    let mut rig = Rig::new();
    rig.passes(A, &a_to_b().udp(1000, 53, b"question"));
    let forward_key = key(UDP, (v4(10, 1, 1, 1), 1000), (v4(10, 1, 1, 2), 53));
    let flow = rig.flow(&forward_key).unwrap();
    assert_eq!(rig.flow(&forward_key.reversed()), Some(flow));
    let (forward, reply) = (flow.forward, flow.reply);
    assert_eq!(
        (forward.delivery, reply.delivery),
        (Flow::LOCAL, Flow::LOCAL)
    );
    assert_eq!(
        (forward.sender, forward.target, forward.slot),
        (102, 103, B)
    );
    assert_eq!((reply.sender, reply.target, reply.slot), (103, 102, A));
    assert!(!flow.is_answered());
    rig.passes(B, &b_to_a().udp(53, 1000, b"answer"));
    assert!(rig.flow(&forward_key).unwrap().is_answered());
}

#[test]
fn flags_of_tcp_are_noted() {
    let mut rig = Rig::new();
    let key = key(TCP, (v4(10, 1, 1, 1), 1000), (v4(10, 1, 1, 2), 80));
    for (flags, noted) in [
        ("S", 0),
        ("A", 0),
        ("FA", Flow::TCP_FIN),
        ("R", Flow::TCP_FIN | Flow::TCP_RST),
        ("S", 0),
    ] {
        rig.passes(A, &a_to_b().tcp(1000, 80, flags));
        assert_eq!(rig.flow(&key).unwrap().forward.tcp, noted, "{flags}");
    }
    rig.refuses(B, &b_to_a().tcp(80, 1001, "SA"), Reason::NoConnection);
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let mut rig = Rig::new();
    let with_mac = Way {
        macs: (mac(B), mac(0)),
        ..a_to_b()
    };
    rig.refuses(A, &with_mac.udp(1, 2, b""), Reason::SpoofedMac);
    let with_address = Way {
        source: v4(10, 1, 1, 3).into(),
        ..a_to_b()
    };
    rig.refuses(A, &with_address.udp(1, 2, b""), Reason::SpoofedAddress);
    let v6_way = Way::new((mac(A), mac(B)), v6(0x11, 3), v6(0x11, 2));
    rig.refuses(A, &v6_way.udp(1, 2, b""), Reason::SpoofedAddress);
    let no_v6 = Way::new((mac(D), mac(0)), v6(0x11, 2), v6(0x11, 1));
    rig.refuses(D, &no_v6.udp(1, 2, b""), Reason::SpoofedAddress);
    let private = Way {
        source: v4(172, 19, 0, 2).into(),
        ..a_to_b()
    };
    rig.refuses(A, &private.udp(1, 2, b""), Reason::SpoofedAddress);
}

#[test]
fn tenants_never_meet() {
    let mut rig = Rig::new();
    let way = Way::new((mac(D), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2));
    rig.refuses(D, &way.ping(1, b""), Reason::UnknownAddress);
    // A's flow is not D's, though all its numbers are the same.
    rig.passes(A, &a_to_b().udp(1000, 53, b"question"));
    rig.refuses(D, &way.udp(1000, 53, b"question"), Reason::UnknownAddress);
}

#[test]
fn networks_of_a_tenant_are_separate_in_bridge_mode() {
    let mut rig = Rig::new();
    let way = Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), v4(10, 1, 2, 1));
    rig.refuses(A, &way.udp(1, 2, b""), Reason::OtherNetwork);
    let back = Way::new((mac(C), mac(0)), v6(0x12, 1), v6(0x11, 1));
    rig.refuses(C, &back.ping(1, b""), Reason::OtherNetwork);
}

#[test]
fn a_closed_endpoint_neither_sends_nor_receives() {
    let mut rig = Rig::new();
    rig.passes(A, &a_to_b().udp(1000, 53, b"question"));
    let open = rig.get_endpoint(B);
    rig.set_endpoint(
        B,
        Endpoint {
            state: Endpoint::CLOSED,
            ..open
        },
    );
    rig.refuses(
        A,
        &a_to_b().udp(1000, 53, b"question"),
        Reason::TargetClosed,
    );
    rig.refuses(
        A,
        &a_to_b().udp(1001, 53, b"question"),
        Reason::TargetClosed,
    );
    rig.refuses(B, &b_to_a().udp(53, 1000, b"answer"), Reason::SenderClosed);
    rig.set_endpoint(B, Endpoint::default());
    assert_eq!(rig.send(A, &a_to_b().udp(1000, 53, b"question")).0, DROPPED);
    rig.set_endpoint(B, open);
    rig.passes(A, &a_to_b().udp(1000, 53, b"question"));
}

#[test]
fn flows_die_with_their_endpoints() {
    let mut rig = Rig::new();
    rig.passes(A, &a_to_b().tcp(1000, 80, "S"));
    rig.passes(B, &b_to_a().tcp(80, 1000, "SA"));
    // Another endpoint takes slot, interface, link address and address of A.
    let old = rig.get_endpoint(A);
    rig.set_endpoint(A, Endpoint { serial: 777, ..old });
    // B's answers do not go to the new one, as a part of the old connection.
    let outcome = rig.send(B, &b_to_a().tcp(80, 1000, "SA")).0;
    assert_eq!(outcome, DROPPED);
    assert_eq!(rig.drops(B, Reason::NoConnection), 1);
    assert_eq!(
        rig.send(A, &a_to_b().tcp(1000, 80, "A")).0,
        crate::rig::REDIRECTED
    );
    let key = key(TCP, (v4(10, 1, 1, 1), 1000), (v4(10, 1, 1, 2), 80));
    assert_eq!(rig.flow(&key).unwrap().forward.sender, 777);
}

#[test]
fn later_fragments_follow_the_first() {
    let mut rig = Rig::new();
    let whole = a_to_b().udp(1000, 53, &[7; 64]);
    let (first, later) = cut(&whole, 0x1234);
    rig.refuses(A, &later, Reason::OrphanFragment);
    assert_eq!(rig.passes(A, &first), first);
    assert_eq!(rig.passes(A, &later), later);
    let (_, other) = cut(&whole, 0x1235);
    rig.refuses(A, &other, Reason::OrphanFragment);
}

/// The first 32 bytes behind the IPv4 header, and the rest.
pub(crate) fn cut(whole: &[u8], id: u16) -> (Vec<u8>, Vec<u8>) {
    let piece = |range: std::ops::Range<usize>, offset: u16| {
        let mut frame = whole[..34].to_vec();
        frame.extend(&whole[34..][range]);
        let length = (frame.len() - 14) as u16;
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        frame[18..20].copy_from_slice(&id.to_be_bytes());
        frame[20..22].copy_from_slice(&offset.to_be_bytes());
        let header = etherparse::Ipv4HeaderSlice::from_slice(&frame[14..34]).unwrap();
        let sum = header.to_header().calc_header_checksum();
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame
    };
    (piece(0..32, 0x2000), piece(32..whole.len() - 34, 4))
}

#[test]
fn broadcasts_are_judged_and_consumed() {
    let mut rig = Rig::new();
    for address in [
        v4(255, 255, 255, 255),
        v4(224, 0, 0, 251),
        v4(10, 1, 1, 255),
    ] {
        let way = Way::new((mac(A), [0xff; 6]), v4(10, 1, 1, 1), address);
        rig.refuses(A, &way.udp(5353, 5353, b"anybody?"), Reason::Broadcast);
    }
    rig.members(1, &[A, B]);
    let way = Way::new((mac(A), [0xff; 6]), v4(10, 1, 1, 1), v4(255, 255, 255, 255));
    let before = rig.drops(A, Reason::Broadcast);
    assert_eq!(rig.send(A, &way.udp(5353, 5353, b"anybody?")).0, DROPPED);
    assert_eq!(
        rig.drops(A, Reason::Broadcast),
        before,
        "consumed, not lost"
    );
}

#[test]
fn what_makes_no_sense_is_counted() {
    let mut rig = Rig::new();
    let mut frame = a_to_b().udp(1, 2, b"x");
    frame[12..14].copy_from_slice(&[0x88, 0xcc]);
    rig.refuses(A, &frame, Reason::UnknownProtocol);
    let mut frame = a_to_b().udp(1, 2, b"x");
    frame[14] = 0x44;
    rig.refuses(A, &frame, Reason::Malformed);
    rig.refuses(A, &a_to_b().udp(1, 2, b"x")[..36], Reason::Malformed);
    assert!(
        rig.flow(&key(ICMP, (v4(10, 1, 1, 1), 0), (v4(10, 1, 1, 2), 0)))
            .is_none()
    );
}
