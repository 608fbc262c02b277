//! Endpoints that move, agents that come and go, and ends that are in others' way.

use contiv_datapath::{Attach, Plane, Subject, cleanup};
use contiv_testbed::{Netns, Reach, Stream, StreamSpec};

use crate::both_ways;
use crate::pair::{A, B, PORT, Pair};
use crate::site::{Container, DEFAULT, LONG};

both_ways!(
    who_moves_is_found_at_the_new_place,
    an_address_of_this_host_is_this_hosts,
    packets_flow_while_agents_come_and_go,
    a_taken_port_is_named,
    the_port_can_be_another_one,
    nothing_stays_behind,
);

fn stream(from: &Netns, to: &Container, port: u16) -> Stream {
    let stream = Stream::start(from, &to.netns, &StreamSpec::to(to.at(port))).unwrap();
    stream.flows(50, LONG).unwrap();
    stream
}

fn who_moves_is_found_at_the_new_place(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let wanderer = pair.container(B, 1, 3, 0);
    assert!(a.pings(wanderer.ip()) && b.pings(wanderer.ipv6()));

    pair.sites[B].desired.local.remove(&wanderer.id);
    pair.sync();
    assert!(!a.pings(wanderer.ip()), "it is nowhere");
    let moved = pair.container(A, 1, 3, 0);
    assert_eq!(moved.spec.mac, wanderer.spec.mac);
    for from in [&a, &b] {
        for ip in moved.ips() {
            assert!(from.pings(ip), "{ip}");
        }
    }
    let echo = moved.netns.tcp_echo(moved.at(8000)).unwrap();
    assert_eq!(b.reaches(echo.address()), Reach::Open);
    drop(wanderer);
}

fn an_address_of_this_host_is_this_hosts(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let old = pair.container(B, 1, 3, 0);
    assert!(a.pings(old.ip()));
    // It comes here, and masters still say that it is there.
    let site = &mut pair.sites[A];
    let new = site.container(1, 3, 0);
    site.apply();
    let echo = new.netns.tcp_echo(new.at(8000)).unwrap();
    assert_eq!(a.reaches(echo.address()), Reach::Open);
    // When it goes, the other one is found again.
    site.desired.local.remove(&new.id);
    site.apply();
    let echo = old.netns.tcp_echo(old.at(8001)).unwrap();
    assert_eq!(a.reaches(echo.address()), Reach::Open);
    assert!(a.pings(b.ip()));
}

fn packets_flow_while_agents_come_and_go(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let streams = [stream(&a.netns, &b, 7000), stream(&b.netns, &a, 7001)];
    for _ in 0..3 {
        for site in &mut pair.sites {
            site.stop();
        }
        streams[0].flows(50, LONG).unwrap();
        for site in &mut pair.sites {
            site.start();
            site.apply();
            site.with(Plane::tick).unwrap();
        }
        streams[1].flows(50, LONG).unwrap();
    }
    // Programs of another build.
    for site in &mut pair.sites {
        site.stop();
        let programs = site.options.pin_dir.join("v2/programs");
        let build = std::fs::read_dir(&programs).unwrap().next().unwrap();
        let other = programs.join("0123456789abcdef");
        std::fs::rename(build.unwrap().path(), other).unwrap();
        site.start();
        site.apply();
    }
    for stream in streams {
        stream.flows(50, LONG).unwrap();
        let report = stream.stop();
        assert_eq!(report.lost, 0, "{report:?}");
    }
}

fn a_taken_port_is_named(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let site = &mut pair.sites[A];
    let device = format!("link add theirs type vxlan id 7 dstport {PORT} local 198.51.100.11");
    site.netns.ip(&device).unwrap();
    site.netns.ip("link set theirs up").unwrap();
    let lacks = site.try_apply();
    assert_eq!(lacks.len(), 1, "{lacks:?}");
    assert_eq!(lacks[0].subject, Subject::Underlay);
    assert!(
        lacks[0].message.contains("4789") && lacks[0].message.contains("theirs"),
        "{}",
        lacks[0].message
    );
    site.netns.ip("link del theirs").unwrap();
    let any = (std::net::Ipv4Addr::UNSPECIFIED, PORT).into();
    let socket = site.netns.udp_bind(any).unwrap();
    let lacks = site.try_apply();
    assert!(lacks[0].message.contains("socket"), "{lacks:?}");
    drop(socket);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    assert!(a.pings(b.ip()), "all is well when the port is free");
}

fn the_port_can_be_another_one(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let socket = a.netns.udp_bind(a.at(7000)).unwrap();
    let drops = |pair: &mut Pair, port: u16| {
        socket.send_to(b"word", (pair.ends[B], port)).unwrap();
        let drops = pair.sites[A].facts(&a).drops;
        drops.get("tunnel-port").copied().unwrap_or_default()
    };
    assert_eq!(drops(&mut pair, 8472), 0);
    for site in &mut pair.sites {
        site.desired.underlay.as_mut().unwrap().udp_port = 8472;
    }
    pair.sync();
    assert!(a.pings(b.ip()) && b.pings(a.ipv6()));
    assert_eq!(
        drops(&mut pair, 8472),
        1,
        "the flow of before is judged again"
    );
    assert_eq!(drops(&mut pair, PORT), 1);
}

fn nothing_stays_behind(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    assert!(a.pings(b.ip()));
    let site = &mut pair.sites[A];
    site.desired.underlay = None;
    site.apply();
    let links = site.netns.ip("-br link").unwrap();
    assert!(!links.contains("contivvx0"), "{links}");
    assert!(!a.pings(b.ip()));

    let site = &mut pair.sites[B];
    site.stop();
    let options = site.options.clone();
    site.netns.enter(|| cleanup(&options)).unwrap().unwrap();
    let links = site.netns.ip("-br link").unwrap();
    assert!(!links.contains("contiv"), "{links}");
}
