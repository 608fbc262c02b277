//! Events of packets that are dropped.

mod connections;

use std::time::{Duration, Instant};

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::event::{End, Event, EventKind, Limit};
use contiv_datapath_abi::policy::{ICMP, TCP, UDP};
use contiv_datapath_abi::{Words, mapped};
use contiv_testbed::wait_for;

use crate::frames::{Way, v4};
use crate::rig::{A, B, HOST, HOST_MAC, Rig, WORLD, key, mac};

/// One end: the endpoint of a slot.
fn end(slot: u32) -> End {
    End {
        slot,
        serial: slot + 100,
    }
}

fn a_to_b() -> Way {
    Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2))
}

/// To an address of the network that nobody has.
fn a_to_nobody() -> Way {
    Way {
        destination: v4(10, 1, 1, 77).into(),
        ..a_to_b()
    }
}

#[test]
fn a_dropped_packet_is_told_with_all_that_it_says() {
    let mut rig = Rig::new();
    let frame = a_to_nobody().tcp(4000, 80, "S");
    rig.refuses(A, &frame, Reason::UnknownAddress);
    let event = rig.event(EventKind::Drop);
    let expected = Event {
        time: event.time,
        length: frame.len() as u32,
        key: key(TCP, (v4(10, 1, 1, 1), 4000), (v4(10, 1, 1, 77), 80)),
        reason: Reason::UnknownAddress as u8,
        flags: Event::DENIED,
        sender: end(A),
        ..Event::NONE
    };
    assert_eq!(event, expected);
    rig.refuses(A, &frame, Reason::UnknownAddress);
    assert!(rig.event(EventKind::Drop).time > event.time);
    rig.passes(A, &a_to_b().tcp(4000, 80, "S"));
    assert_eq!(rig.events(), [], "what is delivered is no news");
}

#[test]
fn who_pretends_to_be_another_is_told() {
    let mut rig = Rig::new();
    let forged = Way::new((mac(A), mac(B)), v4(10, 1, 1, 9), v4(10, 1, 1, 2)).udp(1, 2, b"x");
    rig.refuses(A, &forged, Reason::SpoofedAddress);
    let event = rig.event(EventKind::Drop);
    assert_eq!(event.reason, Reason::SpoofedAddress as u8);
    assert_eq!(
        event.key,
        key(UDP, (v4(10, 1, 1, 9), 1), (v4(10, 1, 1, 2), 2))
    );
    assert_eq!((event.sender, event.target), (end(A), end(B)));
    let forged = Way::new((mac(B), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2)).udp(1, 2, b"x");
    rig.refuses(A, &forged, Reason::SpoofedMac);
    let event = rig.event(EventKind::Drop);
    assert_eq!(
        (event.reason, event.sender),
        (Reason::SpoofedMac as u8, end(A))
    );
    assert_eq!(event.key.destination_port, 2);
}

#[test]
fn of_what_cannot_be_read_is_told_what_can() {
    let mut rig = Rig::new();
    // The address is there, the ports are not.
    let whole = a_to_b().udp(1, 2, &[]);
    let torn = &whole[..whole.len() - 6];
    rig.refuses(A, torn, Reason::Malformed);
    let event = rig.event(EventKind::Drop);
    assert_eq!(
        event.key,
        key(UDP, (v4(10, 1, 1, 1), 0), (v4(10, 1, 1, 2), 0))
    );
    assert_eq!(event.length, torn.len() as u32);
    // Not even an address: it says that it is no IPv4.
    let mut other = whole.clone();
    other[14] = 0x35;
    rig.refuses(A, &other, Reason::Malformed);
    let event = rig.event(EventKind::Drop);
    assert_eq!((event.key.source, event.key.tenant), (Words::default(), 1));
    assert_eq!(event.sender, end(A));
    // Nobody's interface.
    rig.refuses(0, &whole, Reason::UnknownInterface);
    let event = rig.event(EventKind::Drop);
    assert_eq!(
        (event.sender, event.length),
        (End::NONE, whole.len() as u32)
    );
    assert_eq!(event.reason, Reason::UnknownInterface as u8);
}

#[test]
fn an_unrelated_error_and_a_question_for_nobody_are_told() {
    let mut rig = Rig::new();
    let about = a_to_b().udp(1000, 53, b"ask");
    let back = Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1));
    rig.refuses(B, &back.icmp(3, 3, &about), Reason::UnrelatedError);
    let event = rig.event(EventKind::Drop);
    assert_eq!((event.sender, event.target), (end(B), end(A)));
    assert_eq!(event.key.protocol, u32::from(ICMP));
    let mut arp = vec![0xff; 6];
    arp.extend(mac(A));
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend(mac(A));
    arp.extend([10, 1, 1, 1, 0, 0, 0, 0, 0, 0, 10, 1, 1, 77]);
    rig.refuses(A, &arp, Reason::UnknownNeighbour);
    let event = rig.event(EventKind::Drop);
    let words = |address| Words::new(mapped(address));
    assert_eq!(event.key.source, words([10, 1, 1, 1]));
    assert_eq!(event.key.destination, words([10, 1, 1, 77]));
}

#[test]
fn what_the_host_sends_is_told_by_the_endpoints_own_address() {
    let mut rig = Rig::new();
    let mut closed = rig.get_endpoint(A);
    closed.state = 0;
    rig.set_endpoint(A, closed);
    let private = Way::new((HOST_MAC, mac(0)), WORLD, v4(172, 19, 0, 2)).udp(53, 9, b"x");
    rig.send_from_host(&private);
    let event = rig.event(EventKind::Drop);
    assert_eq!(event.reason, Reason::TargetClosed as u8);
    assert_eq!(event.key, key(UDP, (WORLD, 53), (v4(10, 1, 1, 1), 9)));
    assert_eq!((event.sender, event.target), (End::NONE, end(A)));
    let nobodys = Way::new((HOST_MAC, mac(0)), HOST, v4(10, 1, 1, 77)).udp(53, 9, b"x");
    rig.send_from_host(&nobodys);
    let event = rig.event(EventKind::Drop);
    assert_eq!(event.reason, Reason::UnknownAddress as u8);
    assert_eq!((event.sender, event.target), (End::NONE, End::NONE));
}

#[test]
fn a_flood_is_told_in_part_and_counted_in_whole() {
    const FLOOD: u32 = 10_000;
    let mut rig = Rig::new();
    let frame = a_to_nobody().udp(1, 2, b"x");
    let begun = Instant::now();
    rig.repeat(A, &frame, FLOOD);
    let events = rig.events();
    // Some time has gone by, in which a few more may be told.
    let later = begun.elapsed().as_nanos() / u128::from(Limit::INTERVAL);
    let most = Limit::BURST + 1 + later as u64;
    let told = events.len() as u64;
    assert!((Limit::BURST..=most).contains(&told), "{told} of {most}");
    let dropped = rig.drops(A, Reason::UnknownAddress);
    assert!(dropped >= u64::from(FLOOD));
    let mut sum = told + suppressed(&events);
    assert_eq!(sum + rig.untold(A, EventKind::Drop), dropped);
    assert!(dropped > most, "a slow machine, or no flood");

    // Another one's packets have a budget of their own.
    let other = Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 77)).udp(1, 2, b"x");
    rig.refuses(B, &other, Reason::UnknownAddress);
    assert_eq!(rig.event(EventKind::Drop).sender, end(B));

    // The next one that is told tells of all that were not.
    let told = wait_for(Duration::from_secs(5), "an event", || {
        rig.refuses(A, &frame, Reason::UnknownAddress);
        let events = rig.events();
        if events.is_empty() {
            return Err("still too many");
        }
        Ok(events)
    });
    let told = told.unwrap();
    sum += told.len() as u64 + suppressed(&told);
    assert_eq!(sum, rig.drops(A, Reason::UnknownAddress));
    assert_eq!(rig.untold(A, EventKind::Drop), 0);
}

fn suppressed(events: &[Event]) -> u64 {
    events.iter().map(|event| u64::from(event.suppressed)).sum()
}

#[test]
fn what_the_ring_has_no_room_for_is_told_later() {
    let mut rig = Rig::new();
    let slots = 10..40;
    let frame = |slot: u32| {
        let way = Way::new(
            (mac(slot), mac(B)),
            v4(10, 1, 1, slot as u8),
            v4(10, 1, 1, 77),
        );
        way.udp(1, 2, b"x")
    };
    for slot in slots.clone() {
        rig.endpoint(slot, (1, 1, 0), [10, 1, 1, slot as u8], None);
        for _ in 0..Limit::BURST {
            rig.refuses(slot, &frame(slot), Reason::UnknownAddress);
        }
    }
    let untold = |rig: &mut Rig| -> u64 {
        let all = slots.clone();
        all.map(|slot| rig.untold(slot, EventKind::Drop)).sum()
    };
    let lost = untold(&mut rig);
    let events = rig.events();
    assert!(lost > 0, "the ring holds {} events", events.len());
    assert_eq!(events.len() as u64 + lost, 30 * Limit::BURST);
    let last = 39;
    let waiting = rig.untold(last, EventKind::Drop);
    assert_eq!(waiting, Limit::BURST);
    let told = wait_for(Duration::from_secs(5), "an event", || {
        rig.refuses(last, &frame(last), Reason::UnknownAddress);
        rig.events().pop().ok_or("no budget yet")
    });
    assert!(u64::from(told.unwrap().suppressed) >= waiting);
    assert_eq!(rig.untold(last, EventKind::Drop), 0);
}
