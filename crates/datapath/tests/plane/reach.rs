//! Who reaches whom, when no policy says otherwise.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use contiv_datapath::Attach;
use contiv_testbed::{Reach, World};

use crate::both_ways;
use crate::site::{BLUE, DEFAULT, LONG, SHORT, Site};

both_ways!(
    neighbours_meet_in_both_families,
    networks_meet_when_routed_and_not_otherwise,
    host_and_containers_of_the_default_tenant_meet,
    containers_reach_the_world_by_the_hosts_address,
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
        assert_eq!(peer.ip(), IpAddr::from(Ipv4Addr::new(198, 51, 100, 11)));
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
