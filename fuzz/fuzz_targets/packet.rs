//! Frames: whatever comes, what is read lies within it, and reading it twice gives the same.

#![no_main]

use contiv_datapath_abi::packet::reply::{Complaint, error_v4, error_v6};
use contiv_datapath_abi::packet::{
    ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Kind, Packet, arp, link, parse, quoted, solicitation,
};
use contiv_datapath_abi::policy::{TCP, UDP};
use libfuzzer_sys::fuzz_target;

/// A place that holds something else in every field.
const OTHER: Packet = Packet {
    transport: u32::MAX,
    fragment: u32::MAX,
    quote: u32::MAX,
    kind: Kind::Neighbour,
    v6: true,
    indivisible: true,
    hop_limit: u8::MAX,
    flags: u8::MAX,
    turned: true,
    unused: [u8::MAX; 2],
    ..Packet::NONE
};

fuzz_target!(|frame: &[u8]| {
    assert_eq!(link(frame).is_some(), frame.len() >= ETHERNET);
    if let Some(arp) = arp(frame) {
        assert!(frame.len() >= ETHERNET + 28, "{arp:?}");
    }
    if let Some(asked) = solicitation(frame) {
        assert!(frame.len() >= ETHERNET + 40 + 24, "{asked:?}");
    }
    for ethertype in [ETHERTYPE_IPV4, ETHERTYPE_IPV6] {
        let (mut packet, mut again) = (Packet::NONE, OTHER);
        let read = parse(frame, 7, ethertype, &mut packet);
        assert_eq!(parse(frame, 7, ethertype, &mut again), read);
        if read.is_ok() {
            assert_eq!(packet, again, "all of the place is written");
            holds(frame, &packet, ethertype);
        }
    }
});

fn holds(frame: &[u8], packet: &Packet, ethertype: u16) {
    let header = if ethertype == ETHERTYPE_IPV4 { 20 } else { 40 };
    assert_eq!((packet.key.tenant, packet.v6), (7, header == 40));
    assert!(packet.transport as usize >= ETHERNET + header);
    assert!(packet.key.protocol <= u32::from(u8::MAX));
    let ports = match packet.key.protocol as u8 {
        TCP => 14,
        UDP => 4,
        _ => 0,
    };
    if packet.kind == Kind::LaterFragment {
        assert_eq!((packet.key.source_port, packet.key.destination_port), (0, 0));
    } else if ports > 0 {
        assert!(packet.transport as usize + ports <= frame.len());
    }
    assert!(!(packet.opens() && packet.accepts()));
    assert_eq!(packet.key.reversed().reversed(), packet.key);
    if packet.kind == Kind::Error
        && let Ok(quote) = quoted(frame, packet)
    {
        let header = if packet.v6 { 40 } else { 20 };
        assert!(quote.header as usize + header <= frame.len());
        assert!(quote.header > packet.transport);
        assert_eq!(quote.key.tenant, 7);
    }
    // Whoever complains about it quotes no more than there is.
    let mac = [2, 0, 0, 0, 0, 1];
    for complaint in [Complaint::HopLimit, Complaint::TooBig(1400)] {
        if packet.v6 {
            error_v6(&mut [0; _], frame, packet, mac, &[9; 16], complaint);
        } else {
            error_v4(&mut [0; _], frame, packet, mac, &[9; 16], complaint);
        }
    }
}
