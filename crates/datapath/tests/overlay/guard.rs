//! What must not come through: what others claim to be, what policy forbids at either end, and
//! what containers make up themselves.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use contiv_datapath::Attach;
use contiv_policy::{Action, PolicyRule};
use contiv_testbed::{Netns, Reach, wait_for};
use etherparse::PacketBuilder;

use crate::both_ways;
use crate::pair::{A, B, PORT, Pair};
use crate::site::{Container, DEFAULT, LONG, SHORT, incoming};

both_ways!(
    only_the_host_that_holds_an_endpoint_speaks_for_it,
    containers_do_not_reach_the_tunnel,
    policy_holds_at_the_sender,
    policy_holds_at_the_receiver_whatever_the_sender_thinks,
    a_revoked_rule_cuts_a_connection_between_hosts,
);

const DB: u32 = 5;
const WORD: &[u8] = b"forged";

/// A packet of the tunnel: a datagram between two endpoints' addresses.
fn forged(vni: u32, from: Ipv4Addr, to: &Container, port: u16) -> Vec<u8> {
    let mut packet = vec![8, 0, 0, 0];
    packet.extend((vni << 8).to_be_bytes());
    let inner = PacketBuilder::ethernet2([2; 6], to.spec.mac)
        .ipv4(from.octets(), to.spec.ipv4.octets(), 64)
        .udp(7000, port);
    inner.write(&mut packet, WORD).unwrap();
    packet
}

fn hears(socket: &UdpSocket) -> bool {
    let mut word = [0; 16];
    socket.recv(&mut word).is_ok_and(|n| &word[..n] == WORD)
}

fn strays(pair: &mut Pair, host: usize, reason: &str) -> u64 {
    let drops = pair.sites[host].with(|plane| plane.stray_drops()).unwrap();
    drops.get(reason).copied().unwrap_or_default()
}

fn only_the_host_that_holds_an_endpoint_speaks_for_it(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.network(2, DEFAULT, 3);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let near = pair.container(B, 1, 3, 0);
    let ears = b.netns.udp_bind(b.at(8000)).unwrap();
    ears.set_read_timeout(Some(SHORT)).unwrap();
    let end: SocketAddr = (pair.ends[B], PORT).into();
    let any = (Ipv4Addr::UNSPECIFIED, 0).into();
    let of_host = pair.sites[A].netns.udp_bind(any).unwrap();
    let of_world = pair.world.netns().udp_bind(any).unwrap();
    let (of_a, of_near, nobody) = (a.spec.ipv4, near.spec.ipv4, Ipv4Addr::new(10, 1, 2, 77));

    let genuine = forged(10_001, of_a, &b, 8000);
    of_host.send_to(&genuine, end).unwrap();
    assert!(hears(&ears), "the host that holds it speaks for it");
    for (socket, vni, source, reason) in [
        (&of_world, 10_001, of_a, "tunnel-source"),
        (&of_host, 10_001, of_near, "tunnel-source"),
        (&of_host, 10_001, nobody, "tunnel-source"),
        (&of_host, 99, of_a, "unknown-vni"),
    ] {
        let before = strays(&mut pair, B, reason);
        socket.send_to(&forged(vni, source, &b, 8000), end).unwrap();
        assert!(!hears(&ears), "{vni} {source}");
        assert_eq!(strays(&mut pair, B, reason), before + 1, "{vni} {source}");
    }
    // In the number of another network of the tenant.
    of_host
        .send_to(&forged(10_002, of_a, &b, 8000), end)
        .unwrap();
    assert!(!hears(&ears));
    assert!(pair.sites[B].facts(&b).drops["other-network"] > 0);
    // Along a flow that the genuine one has opened.
    of_world.send_to(&genuine, end).unwrap();
    assert!(!hears(&ears));
    of_host.send_to(&genuine, end).unwrap();
    assert!(hears(&ears), "the flow is still there");
}

fn containers_do_not_reach_the_tunnel(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let socket = a.netns.udp_bind(a.at(7000)).unwrap();
    let packet = forged(10_001, a.spec.ipv4, &b, 8000);
    let world = IpAddr::from(contiv_testbed::World::ADDRESS);
    for (count, end) in (1..).zip([pair.ends[B], pair.ends[A], world]) {
        socket.send_to(&packet, (end, PORT)).unwrap();
        let drops = pair.sites[A].facts(&a).drops;
        assert_eq!(drops.get("tunnel-port"), Some(&count), "{end}");
    }
    // Among containers it is a port like any other.
    let echo = b.netns.udp_echo(b.at(PORT)).unwrap();
    let reach = a.netns.udp_exchange(echo.address(), LONG).unwrap();
    assert_eq!(reach, Reach::Open);

    // Containers of others on this host, which leave by the host's own address.
    let site = &pair.sites[A];
    let other = Netns::new().unwrap();
    for line in [
        "link add br-other type bridge",
        "addr add 172.31.0.1/24 dev br-other",
        "link set br-other up",
    ] {
        site.netns.ip(line).unwrap();
    }
    site.netns.veth("other0", &other, "eth0").unwrap();
    site.netns.ip("link set other0 master br-other").unwrap();
    other.ip("addr add 172.31.0.2/24 dev eth0").unwrap();
    other.ip("route add default via 172.31.0.1").unwrap();
    for line in [
        "nft add table ip other",
        "nft add chain ip other post { type nat hook postrouting priority srcnat ; }",
        "nft add rule ip other post ip saddr 172.31.0.0/24 masquerade",
    ] {
        site.netns.run(line).unwrap();
    }
    pair.sync();
    let ears = b.netns.udp_bind(b.at(8000)).unwrap();
    ears.set_read_timeout(Some(SHORT)).unwrap();
    let socket = other.udp_bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    socket.send_to(&packet, (pair.ends[B], PORT)).unwrap();
    assert!(!hears(&ears));
    assert!(other.ping(pair.ends[B], 1).unwrap().all());
}

/// Members of the group receive TCP at this port and nothing else.
fn only_port(port: u16) -> Vec<PolicyRule> {
    let allow = PolicyRule {
        protocol: Some(6),
        ports: vec![port.into()],
        ..incoming(17, DB, 10, Action::Allow)
    };
    vec![incoming(16, DB, 1, Action::Deny), allow]
}

fn policy_holds_at_the_sender(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    for site in &mut pair.sites {
        site.policy(DEFAULT, &[DB], only_port(8000));
    }
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, DB));
    for ip in b.ips() {
        let open = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        let shut = b.netns.tcp_echo((ip, 8001).into()).unwrap();
        assert_eq!(a.reaches(open.address()), Reach::Open, "{ip}");
        assert_eq!(a.reaches(shut.address()), Reach::Filtered, "{ip}");
        assert!(!a.pings(ip), "{ip}");
    }
    assert!(pair.sites[A].facts(&a).drops["policy-in"] > 0);
    let drops = pair.sites[B].facts(&b).drops;
    assert!(!drops.contains_key("policy-in"), "nothing was sent");
    // Answers need no rule.
    let echo = a.netns.tcp_echo(a.at(9000)).unwrap();
    assert_eq!(b.reaches(echo.address()), Reach::Open);
}

fn policy_holds_at_the_receiver_whatever_the_sender_thinks(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.sites[A].policy(DEFAULT, &[DB], Vec::new());
    pair.sites[B].policy(DEFAULT, &[DB], only_port(8000));
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, DB));
    let open = b.netns.tcp_echo(b.at(8000)).unwrap();
    let shut = b.netns.tcp_echo(b.at(8001)).unwrap();
    assert_eq!(a.reaches(open.address()), Reach::Open);
    assert_eq!(a.reaches(shut.address()), Reach::Filtered);
    assert!(!pair.sites[A].facts(&a).drops.contains_key("policy-in"));
    assert!(pair.sites[B].facts(&b).drops["policy-in"] > 0);
}

/// Sends a word and awaits it back.
fn speaks(stream: &mut std::net::TcpStream) -> bool {
    let mut word = [0; 4];
    stream.write_all(b"word").is_ok() && stream.read_exact(&mut word).is_ok()
}

fn a_revoked_rule_cuts_a_connection_between_hosts(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    for site in &mut pair.sites {
        site.policy(DEFAULT, &[DB], only_port(8000));
    }
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, DB));
    let echo = b.netns.tcp_echo(b.at(8000)).unwrap();
    for first in [A, B] {
        let mut stream = a.netns.tcp_open(echo.address(), LONG).unwrap();
        stream.set_read_timeout(Some(SHORT)).unwrap();
        assert!(speaks(&mut stream));
        // One host hears of it; the other one has not yet.
        pair.sites[first].policy(DEFAULT, &[DB], only_port(9000));
        pair.sites[first].apply();
        assert!(!speaks(&mut stream), "cut at {first}");
        pair.sites[first].policy(DEFAULT, &[DB], only_port(8000));
        pair.sites[first].apply();
        wait_for(LONG, "a new connection", || {
            match a.reaches(echo.address()) {
                Reach::Open => Ok(()),
                reach => Err(format!("{reach:?}")),
            }
        })
        .unwrap();
    }
}
