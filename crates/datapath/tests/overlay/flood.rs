//! What is for all of a network, across hosts.

use std::net::{Ipv4Addr, UdpSocket};

use contiv_datapath::Attach;

use crate::both_ways;
use crate::pair::{A, B, Pair};
use crate::site::{BLUE, Container, DEFAULT, SHORT};

both_ways!(what_is_for_all_crosses_hosts_only_when_the_fabric_floods,);

fn listen(end: &Container) -> UdpSocket {
    let any = (Ipv4Addr::UNSPECIFIED, 8000).into();
    let socket = end.netns.udp_bind(any).unwrap();
    socket.set_read_timeout(Some(SHORT)).unwrap();
    socket
}

/// How often it was said within a while.
fn hears(socket: &UdpSocket) -> usize {
    let mut word = [0; 8];
    let heard = std::iter::from_fn(|| socket.recv(&mut word).ok());
    heard.count()
}

fn what_is_for_all_crosses_hosts_only_when_the_fabric_floods(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.network(2, DEFAULT, 3);
    pair.network(3, BLUE, 2);
    for site in &mut pair.sites {
        site.desired.routing = true;
    }
    let from = pair.container(A, 1, 1, 0);
    let near = pair.container(A, 1, 2, 0);
    let far = [pair.container(B, 1, 3, 0), pair.container(B, 1, 4, 0)];
    let others = [pair.container(B, 2, 1, 0), pair.container(B, 3, 3, 0)];
    let (near, far, others) = (
        listen(&near),
        far.each_ref().map(listen),
        others.each_ref().map(listen),
    );
    let sender = from.netns.udp_bind(from.at(7000)).unwrap();
    sender.set_broadcast(true).unwrap();
    for floods in [false, true, false] {
        for site in &mut pair.sites {
            site.desired.flood = floods;
        }
        pair.sync();
        for target in ["255.255.255.255:8000", "10.1.2.255:8000"] {
            sender.send_to(b"all", target).unwrap();
            assert_eq!(hears(&near), 1, "{target}");
            for socket in &far {
                assert_eq!(hears(socket), usize::from(floods), "{target}");
            }
            for socket in &others {
                assert_eq!(hears(socket), 0, "{target}");
            }
        }
    }
}
