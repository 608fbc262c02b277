//! To the host and the world, and back.

use contiv_datapath_abi::config::private_v6;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::policy::{TCP, UDP};

use crate::frames::{Way, quoted_v4, quoted_v6, seen, v4};
use crate::rig::{A, D, HOST, HOST_MAC, Rig, WORLD, WORLD_V6, key, mac, v6};

fn out(slot: u32) -> Way {
    Way::new((mac(slot), mac(0)), v4(10, 1, 1, 1), WORLD)
}

/// From the world to a private address, as the host forwards it.
fn back(slot: u32) -> Way {
    Way::new((HOST_MAC, mac(0)), WORLD, v4(172, 19, 0, slot as u8))
}

fn private(slot: u32) -> std::net::IpAddr {
    std::net::Ipv6Addr::from(private_v6([172, 19, 0, slot as u8])).into()
}

#[test]
fn the_world_sees_the_private_address_and_answers_to_it() {
    let mut rig = Rig::new();
    for slot in [A, D] {
        for (there, here) in [
            (
                out(slot).udp(1000, 53, b"ask"),
                back(slot).udp(53, 1000, b"tell"),
            ),
            (out(slot).tcp(1001, 80, "S"), back(slot).tcp(80, 1001, "SA")),
            (out(slot).ping(5, b"ask"), back(slot).pong(5, b"tell")),
            (out(slot).raw(47, b"ask it"), back(slot).raw(47, b"tell it")),
        ] {
            let sent = seen(&rig.passes(slot, &there));
            assert_eq!(sent.macs, (mac(0), HOST_MAC));
            assert_eq!(sent.source, v4(172, 19, 0, slot as u8));
            assert_eq!((sent.destination, sent.hops), (WORLD.into(), 64));
            let got = seen(&rig.passes_from_host(slot, &here));
            assert_eq!(got.macs, (mac(0), mac(slot)));
            assert_eq!(
                (got.source, got.destination),
                (WORLD.into(), v4(10, 1, 1, 1).into())
            );
        }
    }
    let flow = rig
        .flow(&key(UDP, (v4(10, 1, 1, 1), 1000), (WORLD, 53)))
        .unwrap();
    assert_eq!(flow.forward.delivery, Flow::HOST);
    assert_ne!(flow.flags & Flow::TRANSLATED, 0);
}

#[test]
fn ipv6_is_translated_to_a_private_prefix() {
    let mut rig = Rig::new();
    let out = Way::new((mac(A), mac(0)), v6(0x11, 1), WORLD_V6);
    let back = Way::new((HOST_MAC, mac(0)), WORLD_V6, private(A));
    for (there, here) in [
        (out.udp(1000, 53, b"ask"), back.udp(53, 1000, b"tell")),
        (out.tcp(1001, 80, "S"), back.tcp(80, 1001, "SA")),
        (out.ping(5, b"ask"), back.pong(5, b"tell")),
    ] {
        assert_eq!(seen(&rig.passes(A, &there)).source, private(A));
        assert_eq!(
            seen(&rig.passes_from_host(A, &here)).destination,
            v6(0x11, 1)
        );
    }
}

#[test]
fn no_checksum_stays_none() {
    let mut rig = Rig::new();
    let mut frame = out(A).udp(1000, 53, b"ask");
    frame[40..42].copy_from_slice(&[0, 0]);
    assert_eq!(rig.passes(A, &frame)[40..42], [0, 0]);
}

#[test]
fn fragments_are_translated_too() {
    let mut rig = Rig::new();
    let whole = out(A).udp(1000, 53, &[9; 64]);
    let (first, later) = crate::local::cut(&whole, 77);
    for frame in [first, later] {
        let sent = rig.passes(A, &frame);
        let header = etherparse::Ipv4HeaderSlice::from_slice(&sent[14..]).unwrap();
        assert_eq!(header.source_addr(), v4(172, 19, 0, 2));
        assert_eq!(
            header.header_checksum(),
            header.to_header().calc_header_checksum()
        );
    }
}

#[test]
fn the_host_is_an_endpoint_of_the_default_tenant() {
    let mut rig = Rig::new();
    let to_host = Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), v4(192, 0, 2, 1));
    let sent = seen(&rig.passes(A, &to_host.tcp(1000, 22, "S")));
    assert_eq!(
        (sent.source, sent.macs.1),
        (v4(10, 1, 1, 1).into(), HOST_MAC)
    );
    let answer = Way::new((HOST_MAC, mac(0)), v4(192, 0, 2, 1), v4(10, 1, 1, 1));
    let got = seen(&rig.passes_from_host(A, &answer.tcp(22, 1000, "SA")));
    assert_eq!(
        (got.destination, got.macs.1),
        (v4(10, 1, 1, 1).into(), mac(A))
    );
    // And it opens connections, to own and to private addresses.
    rig.passes_from_host(A, &answer.tcp(4000, 80, "S"));
    let reply = key(TCP, (v4(10, 1, 1, 1), 80), (v4(192, 0, 2, 1), 4000));
    let flow = rig.flow(&reply).unwrap();
    assert!(flow.is_reply(reply.is_turned()));
    assert_eq!(flow.flags & Flow::TRANSLATED, 0);
    assert_eq!(
        seen(&rig.passes(A, &to_host.tcp(80, 4000, "SA"))).source,
        v4(10, 1, 1, 1)
    );
}

#[test]
fn the_host_tells_tenants_with_equal_addresses_apart() {
    let mut rig = Rig::new();
    for slot in [A, D] {
        let check = Way::new((HOST_MAC, mac(0)), HOST, v4(172, 19, 0, slot as u8));
        let got = seen(&rig.passes_from_host(slot, &check.tcp(4000, 80, "S")));
        assert_eq!(
            (got.source, got.destination),
            (HOST.into(), v4(10, 1, 1, 1).into())
        );
        assert_eq!(got.macs.1, mac(slot));
        let answer = Way::new((mac(slot), mac(0)), v4(10, 1, 1, 1), HOST);
        let sent = seen(&rig.passes(slot, &answer.tcp(80, 4000, "SA")));
        assert_eq!(sent.source, v4(172, 19, 0, slot as u8));
    }
}

#[test]
fn other_tenants_do_not_reach_the_host() {
    let mut rig = Rig::new();
    let to_host = Way::new((mac(D), mac(0)), v4(10, 1, 1, 1), v4(192, 0, 2, 1));
    rig.refuses(D, &to_host.tcp(1000, 22, "S"), Reason::HostClosed);
    let way = Way {
        destination: HOST.into(),
        ..to_host
    };
    rig.refuses(D, &way.tcp(1000, 22, "S"), Reason::HostClosed);
    // An own address is the default tenant's alone.
    let way = Way::new((HOST_MAC, mac(0)), HOST, v4(10, 1, 1, 9));
    assert_eq!(
        rig.send_from_host(&way.udp(1, 2, b"")).0,
        crate::rig::DROPPED
    );
    assert_eq!(rig.drops(0, Reason::UnknownAddress), 1);
}

#[test]
fn some_places_lead_nowhere() {
    let mut rig = Rig::new();
    for (address, reason) in [
        (v4(127, 0, 0, 1), Reason::BadDestination),
        (v4(169, 254, 169, 254), Reason::BadDestination),
        (v4(0, 0, 0, 0), Reason::BadDestination),
        (v4(240, 0, 0, 1), Reason::BadDestination),
        (v4(172, 19, 0, 3), Reason::PrivateAddress),
        (v4(10, 1, 1, 99), Reason::UnknownAddress),
        (v4(10, 1, 1, 254), Reason::Gateway),
    ] {
        let way = Way {
            destination: address.into(),
            ..out(A)
        };
        rig.refuses(A, &way.udp(1, 2, b""), reason);
    }
    let way = Way::new((mac(A), mac(0)), v6(0x11, 1), std::net::Ipv6Addr::LOCALHOST);
    rig.refuses(A, &way.udp(1, 2, b""), Reason::BadDestination);
    let way = Way {
        destination: private(3),
        ..way
    };
    rig.refuses(A, &way.udp(1, 2, b""), Reason::PrivateAddress);
}

#[test]
fn errors_of_the_world_are_translated_with_their_quotes() {
    let mut rig = Rig::new();
    let sent = rig.passes(A, &out(A).udp(1000, 53, b"ask"));
    let router = Way::new((HOST_MAC, mac(0)), v4(203, 0, 113, 1), v4(172, 19, 0, 2));
    let got = seen(&rig.passes_from_host(A, &router.icmp(11, 0, &sent)));
    assert_eq!(
        (got.source, got.destination),
        (router.source, v4(10, 1, 1, 1).into())
    );
    assert_eq!(quoted_v4(&got), (v4(10, 1, 1, 1), WORLD));
    // About something that A never sent.
    let other = Way::new((mac(0), HOST_MAC), v4(172, 19, 0, 2), WORLD).udp(1000, 54, b"ask");
    assert_eq!(
        rig.send_from_host(&router.icmp(11, 0, &other)).0,
        crate::rig::DROPPED
    );
    assert_eq!(rig.drops(A, Reason::UnrelatedError), 1);

    let out = Way::new((mac(A), mac(0)), v6(0x11, 1), WORLD_V6);
    let sent = rig.passes(A, &out.udp(1000, 53, b"ask"));
    let router = Way::new((HOST_MAC, mac(0)), v6(0x99, 1), private(A));
    let got = seen(&rig.passes_from_host(A, &router.icmp(3, 0, &sent)));
    assert_eq!(got.destination, v6(0x11, 1));
    assert_eq!(quoted_v6(&got), (v6(0x11, 1), WORLD_V6));
}
