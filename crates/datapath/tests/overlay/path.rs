//! What the way takes: endpoints hear of it, and connections go on.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use contiv_datapath::{Attach, Plane};
use contiv_testbed::wait_for;

use crate::both_ways;
use crate::pair::{A, B, NAMES, Pair};
use crate::site::{Container, DEFAULT, LONG, SHORT};

both_ways!(
    endpoints_get_what_the_underlay_leaves,
    a_narrower_path_is_told_and_connections_go_on,
    paths_are_found_out,
);

fn mtu(container: &Container) -> String {
    let link = container.netns.ip("-o link show eth0").unwrap();
    let after = link.split("mtu ").nth(1).unwrap();
    after.split(' ').next().unwrap().to_owned()
}

fn endpoints_get_what_the_underlay_leaves(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let a = pair.container(A, 1, 1, 0);
    assert_eq!(mtu(&a), "1450");
    let underlay = pair.sites[A].desired.underlay.as_mut().unwrap();
    underlay.mtu = Some(1400);
    pair.sync();
    let late = pair.container(A, 1, 3, 0);
    assert_eq!(mtu(&late), "1350", "the lowest that anybody knows");
    // What was there before still sends what it was told it may.
    let b = pair.container(B, 1, 2, 0);
    let echo = b.netns.udp_echo(b.at(8000)).unwrap();
    assert!(answers(&a, echo.address(), 1422));
}

/// Whether a datagram of so many bytes comes back.
fn answers(from: &Container, target: SocketAddr, bytes: usize) -> bool {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = from.netns.udp_bind((any, 0).into()).unwrap();
    socket.set_read_timeout(Some(SHORT)).unwrap();
    // Of a path that it has heard of meanwhile, the kernel reminds the next sender.
    let sent = vec![7; bytes];
    if socket.send_to(&sent, target).is_err() {
        return false;
    }
    let mut got = vec![0; 2 * bytes];
    socket.recv(&mut got).is_ok_and(|n| got[..n] == sent)
}

fn a_narrower_path_is_told_and_connections_go_on(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    for (ip, full) in [(b.ip(), 1422), (b.ipv6(), 1402)] {
        let set = |pair: &mut Pair, mtu: u32| {
            let set = pair.sites[A].with(|plane| plane.set_path_mtu(NAMES[B], mtu));
            set.unwrap();
        };
        let learnt = || a.netns.ip(&format!("route get {ip}")).unwrap();
        set(&mut pair, 1500);
        let datagrams = b.netns.udp_echo((ip, 8001).into()).unwrap();
        let target = datagrams.address();
        assert!(answers(&a, target, full), "{ip}");
        let echo = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        let mut stream = a.netns.tcp_open(echo.address(), LONG).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        exchange(&mut stream);
        assert!(!learnt().contains("mtu"), "{}", learnt());

        set(&mut pair, 1400);
        assert!(!answers(&a, target, full), "{ip}");
        assert!(learnt().contains("mtu 1350"), "{}", learnt());
        assert!(answers(&a, target, full), "in pieces that pass: {ip}");
        exchange(&mut stream);
        let drops = pair.sites[A].facts(&a).drops;
        assert!(
            !drops.contains_key("too-big"),
            "who sends too much is told so"
        );
        // A new agent keeps what was known of the path.
        pair.sites[A].stop();
        pair.sites[A].start();
        pair.sites[A].apply();
        a.netns.ip("route flush cache").unwrap();
        a.netns.ip("-6 route flush cache").unwrap();
        assert!(!learnt().contains("mtu"), "{}", learnt());
        assert!(!answers(&a, target, full), "{ip}");
        assert!(learnt().contains("mtu 1350"), "{}", learnt());
    }
}

/// Waits until a datagram that fills the link is answered, or no more.
fn settles(pair: &mut Pair, from: &Container, target: SocketAddr, bytes: usize, passes: bool) {
    wait_for(4 * LONG, "the path to be found out", || {
        pair.sites[A].with(Plane::tick).unwrap();
        from.netns.ip("route flush cache").unwrap();
        match answers(from, target, bytes) == passes {
            true => Ok(()),
            false => Err(format!("{bytes} bytes")),
        }
    })
    .unwrap();
}

fn paths_are_found_out(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let (a, b) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let echo = b.netns.udp_echo(b.at(8001)).unwrap();
    settles(&mut pair, &a, echo.address(), 1422, true);
    // From now on a router stands between, behind which there is less room. What the tunnel sends
    // is cut by it meanwhile, so that nothing is lost.
    let end = pair.ends[B];
    let world = pair.world.netns();
    world.run("sysctl -qw net.ipv4.ip_forward=1").unwrap();
    world
        .run("sysctl -qw net.ipv4.conf.all.send_redirects=0")
        .unwrap();
    world
        .run("sysctl -qw net.ipv4.conf.underlay.send_redirects=0")
        .unwrap();
    world
        .ip(&format!("route add {end}/32 dev underlay mtu lock 1400"))
        .unwrap();
    let by_router = format!("route add {end}/32 via 198.51.100.1");
    pair.sites[A].netns.ip(&by_router).unwrap();
    assert!(
        answers(&a, echo.address(), 1422),
        "nothing is lost meanwhile"
    );
    // A new agent begins a new round.
    pair.sites[A].stop();
    pair.sites[A].start();
    pair.sites[A].apply();
    settles(&mut pair, &a, echo.address(), 1422, false);
    let learnt = a.netns.ip(&format!("route get {}", b.ip())).unwrap();
    assert!(learnt.contains("mtu 1350"), "{learnt}");
}

/// Sends a megabyte, and awaits it back.
fn exchange(stream: &mut std::net::TcpStream) {
    let sent = vec![7; 1 << 20];
    let mut got = vec![0; sent.len()];
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent).unwrap());
        stream.read_exact(&mut got).unwrap();
    });
    assert!(got == sent);
}
