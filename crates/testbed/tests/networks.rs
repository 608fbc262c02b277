//! The harness itself: it must count what it caused, or it proves nothing.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use contiv_testbed::{Netns, Reach, Stream, StreamSpec};

const LIMIT: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// `left` 192.0.2.1 ── 192.0.2.2 `right`
fn pair() -> (Netns, Netns) {
    let (left, right) = (Netns::new().unwrap(), Netns::new().unwrap());
    left.veth("to-right", &right, "to-left").unwrap();
    left.ip("addr add 192.0.2.1/24 dev to-right").unwrap();
    right.ip("addr add 192.0.2.2/24 dev to-left").unwrap();
    (left, right)
}

fn right(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], port))
}

#[test]
fn probes_tell_open_closed_filtered_and_unreachable_apart() {
    let (left, far) = pair();
    let tcp = far.tcp_echo(right(7)).unwrap();
    let udp = far.udp_echo(right(7)).unwrap();
    assert_eq!(left.tcp_connect(tcp.address(), LIMIT).unwrap(), Reach::Open);
    assert_eq!(
        left.udp_exchange(udp.address(), LIMIT).unwrap(),
        Reach::Open
    );
    assert_eq!(left.tcp_connect(right(8), LIMIT).unwrap(), Reach::Closed);
    assert_eq!(left.udp_exchange(right(8), LIMIT).unwrap(), Reach::Closed);
    assert!(left.ping(right(0).ip(), 3).unwrap().all());

    let elsewhere = SocketAddr::from(([198, 51, 100, 1], 7));
    assert_eq!(
        left.tcp_connect(elsewhere, LIMIT).unwrap(),
        Reach::Unreachable
    );

    // The far end goes silent: it neither accepts nor refuses.
    left.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev to-right nud permanent")
        .unwrap();
    assert_eq!(
        left.tcp_connect(tcp.address(), LIMIT).unwrap(),
        Reach::Filtered
    );
    assert_eq!(left.ping(right(0).ip(), 1).unwrap().received, 0);
}

#[test]
fn a_stream_over_a_good_link_loses_nothing() {
    let (left, far) = pair();
    let stream = Stream::start(&left, &far, &StreamSpec::to(right(5000))).unwrap();
    stream.flows(500, PATIENCE).unwrap();
    let report = stream.stop();
    assert_eq!((report.lost, report.duplicates), (0, 0), "{report:?}");
    assert!(
        report.longest_gap < Duration::from_millis(500),
        "{report:?}"
    );
}

#[test]
fn a_stream_counts_the_loss_and_the_gap_that_the_test_causes() {
    let (left, far) = pair();
    let stream = Stream::start(&left, &far, &StreamSpec::to(right(5000))).unwrap();
    stream.flows(100, PATIENCE).unwrap();
    // Packets to a hardware address that is nobody's are sent and never arrive.
    left.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev to-right nud permanent")
        .unwrap();
    let sent = stream.sent();
    contiv_testbed::wait_for(PATIENCE, "200 packets to be lost", || {
        if stream.sent() >= sent + 200 {
            Ok(())
        } else {
            Err(stream.sent())
        }
    })
    .unwrap();
    left.ip("neigh del 192.0.2.2 dev to-right").unwrap();
    stream.flows(100, PATIENCE).unwrap();
    let report = stream.stop();
    assert!(
        report.lost >= 150 && report.lost < report.sent,
        "{report:?}"
    );
    assert_eq!(report.received + report.lost, report.sent, "{report:?}");
    assert!(
        report.longest_gap >= Duration::from_millis(150),
        "{report:?}"
    );
}

#[test]
fn raw_frames_are_sent_and_seen() {
    let (left, far) = pair();
    let (from, to) = (left.mac("to-right").unwrap(), far.mac("to-left").unwrap());
    let (sender, receiver) = (
        left.frames("to-right").unwrap(),
        far.frames("to-left").unwrap(),
    );
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2(from, to)
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(1, 2)
        .write(&mut frame, b"hello")
        .unwrap();
    sender.send(&frame).unwrap();
    assert_eq!(
        receiver.receive(PATIENCE, |seen| seen == frame).unwrap(),
        Some(frame)
    );
    assert_eq!(
        receiver
            .receive(LIMIT, |seen| seen.ends_with(b"nothing"))
            .unwrap(),
        None
    );
}
