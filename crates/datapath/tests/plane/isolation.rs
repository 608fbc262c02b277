//! Who does not reach whom.

use std::net::{IpAddr, SocketAddr};

use contiv_datapath::Attach;
use contiv_testbed::{Reach, TcpEcho, World, wait_for};

use crate::both_ways;
use crate::site::{BLUE, DEFAULT, LONG, SHORT, Site};

both_ways!(
    tenants_with_equal_addresses_never_meet,
    guests_do_not_reach_the_hosts_listeners,
    nobody_sends_by_anothers_name,
    other_bridges_of_the_host_stay_apart,
);

fn tenants_with_equal_addresses_never_meet(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, BLUE, 2);
    let ours = [site.container(1, 1, 0), site.container(1, 2, 0)];
    let theirs = [site.container(2, 1, 0), site.container(2, 2, 0)];
    let (mine, other) = (
        ours[1].netns.tcp_echo(ours[1].at(8000)).unwrap(),
        theirs[1].netns.tcp_echo(theirs[1].at(8000)).unwrap(),
    );
    assert_eq!(ours[0].reaches(mine.address()), Reach::Open);
    assert!(accepts(&mine) && other.accepted() == 0);
    let before = mine.accepted();
    assert_eq!(theirs[0].reaches(other.address()), Reach::Open);
    assert!(accepts(&other));
    assert_eq!(mine.accepted(), before);
    // By private addresses neither.
    let private = site.facts(&ours[1]).private_address.unwrap();
    assert_eq!(theirs[0].reaches((private, 8000).into()), Reach::Filtered);
    assert_eq!(ours[0].reaches((private, 8000).into()), Reach::Filtered);
}

/// Whether the server has met somebody; it may be slower than who connected.
fn accepts(server: &TcpEcho) -> bool {
    let seen = || {
        if server.accepted() > 0 {
            Ok(())
        } else {
            Err("nobody")
        }
    };
    wait_for(LONG, "a connection", seen).is_ok()
}

fn guests_do_not_reach_the_hosts_listeners(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, BLUE, 3);
    let guest = site.container(2, 1, 0);
    let of_host: SocketAddr = "198.51.100.11:8000".parse().unwrap();
    let _echo = site.netns.tcp_echo(of_host).unwrap();
    assert_eq!(guest.reaches(of_host), Reach::Filtered);
    let private: SocketAddr = "172.19.0.1:8001".parse().unwrap();
    let _private = site.netns.tcp_echo(private).unwrap();
    assert_eq!(guest.reaches(private), Reach::Filtered);
    // An address that the programs have not heard of yet is guarded all the same.
    site.netns.ip("addr add 198.51.100.77/32 dev eth0").unwrap();
    let new: SocketAddr = "198.51.100.77:8000".parse().unwrap();
    let _new = site.netns.tcp_echo(new).unwrap();
    assert_eq!(guest.reaches(new), Reach::Filtered);
    // The world beyond is open, and so is the way from the host to the guest.
    assert!(guest.pings(World::ADDRESS.into()));
    let echo = guest.netns.tcp_echo(guest.at(8000)).unwrap();
    let by_private = site.facts(&guest).private_address.unwrap();
    let target = (by_private, echo.address().port()).into();
    let reach = site.netns.tcp_connect(target, LONG).unwrap();
    assert_eq!(
        reach,
        Reach::Open,
        "the host reaches it by its private address"
    );
}

fn nobody_sends_by_anothers_name(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (liar, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    liar.netns.ip("addr add 10.1.2.9/24 dev eth0").unwrap();
    let from: SocketAddr = "10.1.2.9:7000".parse().unwrap();
    let sender = liar.netns.udp_bind(from).unwrap();
    let receiver = b.netns.udp_bind(b.at(8000)).unwrap();
    receiver.set_read_timeout(Some(SHORT)).unwrap();
    sender.send_to(b"it is me", b.at(8000)).unwrap();
    assert!(receiver.recv(&mut [0; 16]).is_err());
    assert!(site.facts(&liar).drops["spoofed-address"] > 0);

    liar.netns
        .ip("link set eth0 address 02:02:0a:01:02:63")
        .unwrap();
    assert!(!liar.pings(b.ip()));
    assert!(site.facts(&liar).drops["spoofed-mac"] > 0);
}

fn other_bridges_of_the_host_stay_apart(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.netns.ip("link add docker9 type bridge").unwrap();
    site.netns.ip("addr add 172.28.0.1/24 dev docker9").unwrap();
    site.netns.ip("link set docker9 up").unwrap();
    let other = contiv_testbed::Netns::new().unwrap();
    site.netns.veth("dock0", &other, "eth0").unwrap();
    site.netns.ip("link set dock0 master docker9").unwrap();
    other.ip("addr add 172.28.0.2/24 dev eth0").unwrap();
    other.ip("route add default via 172.28.0.1").unwrap();
    let a = site.container(1, 1, 0);
    let inside: IpAddr = "172.28.0.2".parse().unwrap();
    assert!(site.netns.ping(inside, 1).unwrap().all());
    let echo = a.netns.tcp_echo(a.at(8000)).unwrap();
    let reach = other.tcp_connect(echo.address(), SHORT).unwrap();
    assert_eq!(
        reach,
        Reach::Filtered,
        "from another bridge into a container"
    );
    let server = other.tcp_echo((inside, 8000).into()).unwrap();
    assert_eq!(
        a.reaches(server.address()),
        Reach::Filtered,
        "and the other way"
    );
}
