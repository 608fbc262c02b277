//! Who reaches whom across hosts.

use std::io::{Read, Write};
use std::net::SocketAddr;

use contiv_datapath::Attach;
use contiv_testbed::{Netns, Reach};

use crate::both_ways;
use crate::pair::{A, B, Pair, Underlay};
use crate::site::{BLUE, Container, DEFAULT, LONG};

both_ways!(
    hosts_join_a_network_in_both_families,
    an_underlay_of_ipv6_joins_hosts_as_well,
    networks_meet_across_hosts_when_routed,
    tenants_with_equal_addresses_stay_apart,
    much_comes_through_whole,
);

fn meet(a: &Container, b: &Container) {
    for ip in b.ips() {
        assert!(a.pings(ip), "ping {ip}");
        let echo = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        assert_eq!(a.reaches(echo.address()), Reach::Open, "TCP {ip}");
        let datagrams = b.netns.udp_echo((ip, 8001).into()).unwrap();
        let answer = a.netns.udp_exchange(datagrams.address(), LONG).unwrap();
        assert_eq!(answer, Reach::Open, "UDP {ip}");
        assert_eq!(a.reaches((ip, 9).into()), Reach::Closed, "nobody listens");
    }
}

fn hosts_join_a_network_in_both_families(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    meet(&a, &b);
    meet(&b, &a);
    let near = pair.container(B, 1, 3, 0);
    meet(&near, &b);
}

fn an_underlay_of_ipv6_joins_hosts_as_well(attach: Attach) {
    let mut pair = Pair::over(Underlay::V6, attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    meet(&a, &b);
    meet(&b, &a);
    let echo = b.netns.tcp_echo(b.at(8000)).unwrap();
    echoes_much(&a.netns, echo.address());
}

fn networks_meet_across_hosts_when_routed(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.network(2, DEFAULT, 3);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 2, 1, 0));
    let echo = b.netns.tcp_echo(b.at(8000)).unwrap();
    assert_eq!(a.reaches(echo.address()), Reach::Filtered);
    for site in &mut pair.sites {
        site.desired.routing = true;
    }
    pair.sync();
    assert_eq!(a.reaches(echo.address()), Reach::Open);
    for ip in b.ips() {
        assert!(a.pings(ip), "{ip}");
    }
    echoes_much(&a.netns, echo.address());
    // Each router takes one hop, and the tunnel none.
    let one = a.netns.ping_with(b.ip(), 1, &["-t", "1"]).unwrap();
    assert!(!one.all(), "one hop is not enough");
    assert!(a.netns.ping_with(b.ip(), 1, &["-t", "2"]).unwrap().all());
}

fn tenants_with_equal_addresses_stay_apart(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.network(2, BLUE, 2);
    // Equal addresses and equal link addresses on both hosts.
    let reds = [pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0)];
    let blues = [pair.container(A, 2, 1, 0), pair.container(B, 2, 2, 0)];
    assert_eq!(reds[1].spec.mac, blues[1].spec.mac);
    let red = reds[1].netns.udp_echo(reds[1].at(8000)).unwrap();
    let reached = reds[0].netns.udp_exchange(red.address(), LONG).unwrap();
    assert_eq!(reached, Reach::Open);
    // Only the red one listens at the address.
    assert_eq!(blues[0].reaches(reds[1].at(8001)), Reach::Closed);
    let listener = blues[1].netns.tcp_listen(blues[1].at(8002)).unwrap();
    assert_eq!(blues[0].reaches(blues[1].at(8002)), Reach::Open);
    assert_eq!(reds[0].reaches(reds[1].at(8002)), Reach::Closed);
    drop(listener);
}

/// Sends megabytes in pieces as large as the kernel makes them; every byte comes back.
pub(crate) fn echoes_much(from: &Netns, target: SocketAddr) {
    const MUCH: usize = 4 << 20;
    let sent: Vec<u8> = (0..MUCH).map(|n| ((n * 31) >> 7) as u8).collect();
    let mut stream = from.tcp_open(target, LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut got = vec![0; MUCH];
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent).unwrap());
        stream.read_exact(&mut got).unwrap();
    });
    assert!(got == sent, "bytes to {target} have changed");
}

fn much_comes_through_whole(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    for ip in b.ips() {
        let echo = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        echoes_much(&a.netns, echo.address());
    }
    // Datagrams larger than any link takes go in pieces.
    let large = a.netns.ping_with(b.ip(), 2, &["-s", "6000"]).unwrap();
    assert!(large.all());
}
