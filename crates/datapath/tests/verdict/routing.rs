//! Between networks of a routed tenant.

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::policy::UDP;
use contiv_datapath_abi::tenant::Tenant;

use crate::frames::{Way, quoted_v4, quoted_v6, seen, v4};
use crate::rig::{A, B, C, D, REDIRECTED, Rig, key, mac, v6};

fn routed() -> Rig {
    let mut rig = Rig::new();
    let flags = Tenant::ROUTING;
    rig.tenant(
        1,
        Tenant {
            generation: 2,
            flags,
            ..Tenant::default()
        },
    );
    rig
}

fn ways() -> [(Way, Way); 2] {
    [
        (
            Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), v4(10, 1, 2, 1)),
            Way::new((mac(C), mac(0)), v4(10, 1, 2, 1), v4(10, 1, 1, 1)),
        ),
        (
            Way::new((mac(A), mac(0)), v6(0x11, 1), v6(0x12, 1)),
            Way::new((mac(C), mac(0)), v6(0x12, 1), v6(0x11, 1)),
        ),
    ]
}

#[test]
fn a_router_takes_a_hop_and_gives_its_link_address() {
    let mut rig = routed();
    for (there, here) in ways() {
        let got = seen(&rig.passes(A, &there.udp(1000, 53, b"ask")));
        assert_eq!((got.hops, got.macs), (63, (mac(0), mac(C))));
        assert_eq!(
            (got.source, got.destination),
            (there.source, there.destination)
        );
        let got = seen(&rig.passes(C, &here.udp(53, 1000, b"tell")));
        assert_eq!((got.hops, got.macs), (63, (mac(0), mac(A))));
    }
    let flow = rig
        .flow(&key(UDP, (v4(10, 1, 2, 1), 53), (v4(10, 1, 1, 1), 1000)))
        .unwrap();
    assert_ne!(flow.flags & Flow::ROUTED, 0);
    assert_eq!((flow.forward.mtu, flow.reply.mtu), (1400, 1450));
}

#[test]
fn the_gateway_says_when_hops_run_out() {
    let mut rig = routed();
    for (way, _) in ways() {
        let frame = Way { hops: 1, ..way }.udp(1000, 53, b"ask");
        let said = seen(&rig.passes(A, &frame));
        assert_eq!(said.macs, (mac(0), mac(A)));
        assert_eq!(said.destination, way.source);
        if way.source.is_ipv4() {
            assert_eq!(
                (said.source, said.icmp),
                (v4(10, 1, 1, 254).into(), Some((11, 0)))
            );
            assert_eq!(quoted_v4(&said), (v4(10, 1, 1, 1), v4(10, 1, 2, 1)));
        } else {
            assert_eq!(
                (said.source, said.icmp),
                (v6(0x11, 0xfe).into(), Some((3, 0)))
            );
            assert_eq!(quoted_v6(&said), (v6(0x11, 1), v6(0x12, 1)));
        }
    }
}

#[test]
fn the_gateway_says_what_is_too_big() {
    let mut rig = routed();
    for (way, _) in ways() {
        let frame = way.udp(1000, 53, &[0; 1390]);
        if way.source.is_ipv4() {
            // Who allows that a packet is cut gets it whole: nothing on the way is too narrow.
            rig.passes(A, &dividable(&frame));
        }
        let out = rig.passes(A, &frame);
        let said = seen(&out);
        if way.source.is_ipv4() {
            assert_eq!(said.icmp, Some((3, 4)));
            assert_eq!(out[40..42], 1400u16.to_be_bytes());
        } else {
            assert_eq!(said.icmp, Some((2, 0)));
            assert_eq!(out[58..62], 1400u32.to_be_bytes());
        }
        rig.passes(A, &way.udp(1000, 53, &[0; 1300]));
    }
}

/// The same IPv4 packet without the wish not to be cut.
fn dividable(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[20] &= !0x40;
    let header = etherparse::Ipv4HeaderSlice::from_slice(&frame[14..34]).unwrap();
    let sum = header.to_header().calc_header_checksum();
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[test]
fn gateways_answer_pings() {
    let mut rig = Rig::new();
    for (source, gateway) in [
        (v4(10, 1, 1, 1).into(), v4(10, 1, 1, 254).into()),
        (
            std::net::IpAddr::from(v6(0x11, 1)),
            std::net::IpAddr::from(v6(0x11, 0xfe)),
        ),
    ] {
        let way = Way {
            hops: 9,
            ..Way::new((mac(A), mac(0)), source, gateway)
        };
        let answer = seen(&rig.passes(A, &way.ping(7, b"are you there")));
        assert_eq!((answer.source, answer.destination), (gateway, source));
        assert_eq!((answer.macs, answer.hops), ((mac(0), mac(A)), 64));
        assert!(answer.payload.ends_with(b"are you there"));
        let reply = if source.is_ipv4() { (0, 0) } else { (129, 0) };
        assert_eq!(answer.icmp, Some(reply));
        rig.refuses(A, &way.udp(1, 2, b""), Reason::Gateway);
    }
}

#[test]
fn gateways_of_other_networks_answer_where_they_are_routed() {
    let other = Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), v4(10, 1, 2, 254));
    Rig::new().refuses(A, &other.ping(7, b"?"), Reason::Gateway);
    routed().passes(A, &other.ping(7, b"?"));
    // Another tenant's networks do not exist: this is an address of the world.
    let foreign = Way::new((mac(D), mac(0)), v4(10, 1, 1, 1), v4(10, 1, 2, 254));
    let sent = seen(&routed().passes(D, &foreign.ping(7, b"?")));
    assert_eq!(sent.source, v4(172, 19, 0, 5));
}

#[test]
fn a_flood_is_complained_about_in_part() {
    let mut rig = routed();
    let (way, _) = ways()[0];
    let frame = Way { hops: 1, ..way }.udp(1000, 53, b"ask");
    let answered = (0..1000).filter(|_| rig.send(A, &frame).0 == REDIRECTED);
    let answered = answered.count();
    // 64 in a tick of a second; the machine may take several for all this.
    assert!((64..900).contains(&answered), "{answered} of 1000");
    assert!(rig.drops(A, Reason::HopLimit) > 0);
    // Others hear of theirs all the same.
    let way = Way::new((mac(B), mac(0)), v4(10, 1, 1, 2), v4(10, 1, 2, 1));
    rig.passes(B, &Way { hops: 1, ..way }.udp(1000, 53, b"ask"));
}
