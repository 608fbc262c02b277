//! ICMP errors between endpoints, and to the world.

use contiv_datapath_abi::counter::Reason;

use crate::frames::{Way, quoted_v4, quoted_v6, seen, v4};
use crate::rig::{A, B, HOST_MAC, Rig, WORLD, WORLD_V6, mac, v6};

#[test]
fn an_error_belongs_to_the_connection_that_it_quotes() {
    let mut rig = Rig::new();
    let asked = Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2)).udp(1000, 53, b"ask");
    let way = Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1));
    let error = way.icmp(3, 3, &asked);
    rig.refuses(B, &error, Reason::UnrelatedError);
    rig.passes(A, &asked);
    assert_eq!(rig.passes(B, &error), error);
    // It goes to whoever sent what it quotes, and to nobody else.
    let elsewhere = Way {
        destination: v4(10, 1, 1, 3).into(),
        ..way
    };
    rig.refuses(B, &elsewhere.icmp(3, 3, &asked), Reason::UnrelatedError);
}

#[test]
fn errors_of_ipv6_as_well() {
    let mut rig = Rig::new();
    let asked = Way::new((mac(A), mac(B)), v6(0x11, 1), v6(0x11, 2)).tcp(1000, 80, "S");
    let error = Way::new((mac(B), mac(A)), v6(0x11, 2), v6(0x11, 1)).icmp(1, 4, &asked);
    rig.refuses(B, &error, Reason::UnrelatedError);
    rig.passes(A, &asked);
    assert_eq!(rig.passes(B, &error), error);
}

#[test]
fn what_an_endpoint_says_about_the_world_is_translated() {
    let mut rig = Rig::new();
    let private = v4(172, 19, 0, 2);
    rig.passes(
        A,
        &Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), WORLD).udp(1000, 53, b"ask"),
    );
    let answer = Way::new((HOST_MAC, mac(0)), WORLD, private).udp(53, 1000, b"tell");
    let answer = rig.passes_from_host(A, &answer);
    let error = Way::new((mac(A), mac(0)), v4(10, 1, 1, 1), WORLD).icmp(3, 3, &answer);
    let sent = seen(&rig.passes(A, &error));
    assert_eq!((sent.source, sent.icmp), (private.into(), Some((3, 3))));
    assert_eq!(quoted_v4(&sent), (WORLD, private));
}

#[test]
fn what_an_endpoint_says_about_the_ipv6_world_is_translated() {
    let mut rig = Rig::new();
    let private =
        std::net::Ipv6Addr::from(contiv_datapath_abi::config::private_v6([172, 19, 0, 2]));
    let out = Way::new((mac(A), mac(0)), v6(0x11, 1), WORLD_V6);
    rig.passes(A, &out.udp(1000, 53, b"ask"));
    let answer = Way::new((HOST_MAC, mac(0)), WORLD_V6, private).udp(53, 1000, b"tell");
    let answer = rig.passes_from_host(A, &answer);
    let sent = seen(&rig.passes(A, &out.icmp(1, 4, &answer)));
    assert_eq!(sent.source, private);
    assert_eq!(quoted_v6(&sent), (WORLD_V6, private));
}
