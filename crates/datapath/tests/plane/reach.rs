//! Who reaches whom, when no policy says otherwise.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use contiv_datapath::Attach;
use contiv_testbed::{Netns, Reach, World};

use crate::both_ways;
use crate::site::{BLUE, Container, DEFAULT, LONG, SHORT, Site};

both_ways!(
    neighbours_meet_in_both_families,
    networks_meet_when_routed_and_not_otherwise,
    host_and_containers_of_the_default_tenant_meet,
    containers_reach_the_world_by_the_hosts_address,
    much_comes_through_whole,
    what_is_for_all_comes_to_the_network_and_nobody_else,
);

fn neighbours_meet_in_both_families(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    for ip in b.ips() {
        assert!(a.pings(ip), "ping {ip}");
        let echo = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        assert_eq!(a.reaches(echo.address()), Reach::Open, "TCP {ip}");
        let datagrams = b.netns.udp_echo((ip, 8001).into()).unwrap();
        let answer = a.netns.udp_exchange(datagrams.address(), LONG).unwrap();
        assert_eq!(answer, Reach::Open, "UDP {ip}");
        assert_eq!(a.reaches((ip, 9).into()), Reach::Closed, "nobody listens");
    }
    let gateways: [IpAddr; 2] = ["10.1.2.254".parse().unwrap(), "fd00:2::fe".parse().unwrap()];
    for gateway in gateways {
        assert!(a.pings(gateway), "the gateway answers: {gateway}");
    }
}

fn networks_meet_when_routed_and_not_otherwise(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, DEFAULT, 3);
    let (a, b) = (site.container(1, 1, 0), site.container(2, 1, 0));
    let echo = b.netns.tcp_echo(b.at(8000)).unwrap();
    assert_eq!(a.reaches(echo.address()), Reach::Filtered);
    assert!(!a.pings(b.ipv6()));
    assert!(site.facts(&a).drops["other-network"] > 0);

    site.desired.routing = true;
    site.apply();
    assert_eq!(a.reaches(echo.address()), Reach::Open);
    assert!(a.pings(b.ipv6()));

    site.desired.routing = false;
    site.apply();
    assert_eq!(a.reaches(echo.address()), Reach::Filtered);
}

fn host_and_containers_of_the_default_tenant_meet(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let a = site.container(1, 1, 0);
    for ip in a.ips() {
        let echo = a.netns.tcp_echo((ip, 8000).into()).unwrap();
        let reach = site.netns.tcp_connect(echo.address(), LONG).unwrap();
        assert_eq!(reach, Reach::Open, "the host reaches {ip}");
        assert!(site.netns.ping(ip, 2).unwrap().all(), "ping {ip}");
    }
    let of_host: SocketAddr = "198.51.100.11:8000".parse().unwrap();
    let echo = site.netns.tcp_echo(of_host).unwrap();
    assert_eq!(a.reaches(echo.address()), Reach::Open);
}

fn containers_reach_the_world_by_the_hosts_address(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, BLUE, 2);
    // Equal addresses, told apart by their private ones.
    let twins = [site.container(1, 1, 0), site.container(2, 1, 0)];
    let world: IpAddr = World::ADDRESS.into();
    let listener = site.world.netns().tcp_listen((world, 8000).into()).unwrap();
    for twin in &twins {
        assert!(twin.pings(world));
        let _open = twin.netns.tcp_open((world, 8000).into(), LONG).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), IpAddr::from(site.address));
    }
    // Nobody comes in from there: neither to a container's address nor to a private one.
    site.world
        .netns()
        .ip("route add 10.1.2.0/24 via 198.51.100.11")
        .unwrap();
    site.world
        .netns()
        .ip("route add 172.19.0.0/16 via 198.51.100.11")
        .unwrap();
    let echo = twins[0].netns.tcp_echo(twins[0].at(8000)).unwrap();
    let private = site.facts(&twins[0]).private_address.unwrap();
    for target in [echo.address(), (private, 8000).into()] {
        let reach = site.world.netns().tcp_connect(target, SHORT).unwrap();
        assert_eq!(reach, Reach::Filtered, "{target}");
    }
}

/// Sends megabytes in pieces as large as the kernel makes them, which are cut, and whose checksums
/// are computed, on the way or never; every byte comes back.
fn echoes_much(from: &Netns, target: SocketAddr) {
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
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, DEFAULT, 3);
    site.network(3, BLUE, 2);
    site.desired.routing = true;
    let (a, b, c) = (
        site.container(1, 1, 0),
        site.container(1, 2, 0),
        site.container(2, 1, 0),
    );
    for end in [&b, &c] {
        for ip in end.ips() {
            let echo = end.netns.tcp_echo((ip, 8000).into()).unwrap();
            echoes_much(&a.netns, echo.address());
            echoes_much(&site.netns, echo.address());
        }
    }
    let world: IpAddr = World::ADDRESS.into();
    let echo = site.world.netns().tcp_echo((world, 8000).into()).unwrap();
    let twin = site.container(3, 1, 0);
    for end in [&a, &twin] {
        echoes_much(&end.netns, echo.address());
    }
}

fn what_is_for_all_comes_to_the_network_and_nobody_else(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, DEFAULT, 3);
    site.network(3, BLUE, 2);
    site.desired.routing = true;
    let from = site.container(1, 1, 0);
    let near = [site.container(1, 2, 0), site.container(1, 3, 0)];
    let far = [site.container(2, 1, 0), site.container(3, 2, 0)];
    let listen = |end: &Container| {
        let any = (Ipv4Addr::UNSPECIFIED, 8000).into();
        let socket = end.netns.udp_bind(any).unwrap();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        socket
    };
    let hears = |socket: &UdpSocket| {
        let mut word = [0; 8];
        socket.recv(&mut word).is_ok_and(|n| &word[..n] == b"all")
    };
    let (near, far) = (near.each_ref().map(listen), far.each_ref().map(listen));
    let sender = from.netns.udp_bind(from.at(7000)).unwrap();
    sender.set_broadcast(true).unwrap();
    for target in ["255.255.255.255:8000", "10.1.2.255:8000"] {
        sender.send_to(b"all", target).unwrap();
        assert!(near.iter().all(hears), "{target}");
        assert!(!far.iter().any(hears), "{target}");
    }
}
