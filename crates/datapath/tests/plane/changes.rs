//! A policy that changes while connections begin: packets see the old one or the new one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use contiv_datapath::{Attach, Plane};
use contiv_policy::strategies::around;
use contiv_policy::{Action, PolicyRule};
use contiv_testbed::Netns;

use crate::both_ways;
use crate::site::{Container, DEFAULT, LONG, Site, incoming};

const DB: u32 = 5;
const UDP: u8 = 17;

/// Both versions let it in.
const OPEN: u16 = 5000;
/// Neither does.
const SHUT: u16 = 5001;

/// The rules that decide about these ports in the first version, and in the second.
const ALLOWS: [u32; 2] = [100, 501];
const DENIES: [u32; 2] = [101, 500];

/// Rules beside these, in each version.
const OTHERS: u8 = 150;

/// How long versions take turns, at least, and how often.
const WHILE: Duration = Duration::from_millis(3_500);
const TURNS: u32 = 12;

/// Nobody waits longer for those turns.
const TOO_LATE: Duration = Duration::from_secs(120);

both_ways!(no_packet_meets_half_a_change);

/// All but one port is open, and many that nobody asks for are not.
fn first() -> Vec<PolicyRule> {
    let near: [IpAddr; 2] = ["10.1.2.0".parse().unwrap(), "fd00:2::".parse().unwrap()];
    let deny = PolicyRule {
        peer_addresses: vec![around(near[0], 24), around(near[1], 64)],
        ..about(DENIES[0], 10, Action::Deny, vec![SHUT])
    };
    let mut rules = vec![about(ALLOWS[0], 5, Action::Allow, vec![]), deny];
    rules.extend(others(200, 8, Action::Deny));
    rules
}

/// All but one port is shut, and many that nobody asks for are not.
fn second() -> Vec<PolicyRule> {
    let near: [IpAddr; 2] = ["10.1.0.0".parse().unwrap(), "fd00::".parse().unwrap()];
    let allow = PolicyRule {
        peer_addresses: vec![around(near[0], 16), around(near[1], 16)],
        ..about(ALLOWS[1], 10, Action::Allow, vec![OPEN])
    };
    let mut rules = vec![incoming(DENIES[1], DB, 5, Action::Deny), allow];
    rules.extend(others(600, 9, Action::Allow));
    rules
}

/// What members receive by UDP at these ports, or at all.
fn about(number: u32, priority: u32, action: Action, ports: Vec<u16>) -> PolicyRule {
    PolicyRule {
        protocol: Some(UDP),
        ports: ports.into_iter().map(Into::into).collect(),
        ..incoming(number, DB, priority, action)
    }
}

/// Rules of ports and peers of their own, so that rows of all tables change with them.
fn others(number: u32, second: u8, action: Action) -> impl Iterator<Item = PolicyRule> {
    (0..OTHERS).map(move |at| {
        let peers = IpAddr::from(Ipv4Addr::new(10, second, at, 0));
        let also = Ipv6Addr::new(0xfd01, second.into(), at.into(), 0, 0, 0, 0, 0);
        let port = 6000 + u16::from(second) * 256 + u16::from(at);
        PolicyRule {
            peer_addresses: vec![around(peers, 24), around(also.into(), 48)],
            ..about(number + u32::from(at), 20, action, vec![port])
        }
    })
}

/// A listener of each family.
fn listen(at: &Container, port: u16) -> [UdpSocket; 2] {
    at.ips().map(|ip| {
        let bind = || UdpSocket::bind((ip, port)).unwrap();
        at.netns.enter(bind).unwrap()
    })
}

/// Begins connections to both ports as fast as it can until it is over. Answers with how many to each, or
/// with what is wrong.
fn begin_connections(
    client: &Netns,
    db: &Container,
    is_over: impl Fn() -> bool + Sync,
) -> Result<u64, String> {
    let (open, shut) = (listen(db, OPEN), listen(db, SHUT));
    for (open, shut) in open.iter().zip(&shut) {
        open.set_read_timeout(Some(LONG)).unwrap();
        shut.set_nonblocking(true).unwrap();
    }
    let families = [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    let send = || {
        // A client's port is used anew only when all others were, by the other family as well: a
        // program that another test starts just then may hold the closed socket until it runs.
        let ports = (10_000..35_000u16).cycle();
        let each = ports.flat_map(|port| [(0, port), (1, port + 25_000)]);
        let mut word = [0; 8];
        for (count, (family, port)) in (1u64..).zip(each) {
            if is_over() {
                return Ok(count - 1);
            }
            let socket = UdpSocket::bind((families[family], port)).unwrap();
            for target in [SHUT, OPEN] {
                let to = SocketAddr::from((db.ips()[family], target));
                socket.send_to(&count.to_be_bytes(), to).unwrap();
            }
            let (length, from) = open[family]
                .recv_from(&mut word)
                .map_err(|error| format!("connection {count} was not let in: {error}"))?;
            if (length, from.port(), u64::from_be_bytes(word)) != (8, port, count) {
                return Err(format!("connection {count} from port {port}: {from} came"));
            }
            // What was sent first would have come first.
            if shut[family].recv_from(&mut word).is_ok() {
                return Err(format!("connection {count} was let in where nobody is"));
            }
        }
        unreachable!("ports are without end")
    };
    client.enter(send).unwrap()
}

fn no_packet_meets_half_a_change(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], first());
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    // Neighbours are found before anything is counted on.
    for ip in db.ips() {
        let echo = db.netns.udp_echo((ip, OPEN).into()).unwrap();
        let answer = client.netns.udp_exchange(echo.address(), LONG).unwrap();
        assert_eq!(answer, contiv_testbed::Reach::Open);
    }
    let before = counts(&mut site);
    let (begin, turns) = (Instant::now(), AtomicU32::new(0));
    let is_over = || {
        let (took, turns) = (begin.elapsed(), turns.load(Ordering::Relaxed));
        took > TOO_LATE || took > WHILE && turns > TURNS
    };
    let (turns, begun) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| begin_connections(&client.netns, &db, is_over));
        let turn = || turns.fetch_add(1, Ordering::Relaxed) + 1;
        let mut turns = 0;
        while !sender.is_finished() {
            turns = turn();
            let next = if turns % 2 == 0 { first() } else { second() };
            site.policy(DEFAULT, &[DB], next);
            site.apply();
        }
        (turns, sender.join().unwrap())
    });
    let begun = begun.unwrap_or_else(|wrong| panic!("at turn {turns}: {wrong}"));
    let after = counts(&mut site);
    let [allowed, denied] = [0, 1].map(|of| [0, 1].map(|at| after[of][at] - before[of][at]));
    println!("{turns} turns, {begun} connections: {allowed:?} let in, {denied:?} not");
    assert!(turns > TURNS, "{turns}");
    // Each connection is one rule's, of either version, and both had their share.
    assert_eq!(allowed.iter().sum::<u64>(), begun);
    // Others than ours may be denied: what machines of IPv6 say to all.
    assert!(denied.iter().sum::<u64>() >= begun, "{denied:?}");
    for count in allowed.iter().chain(&denied) {
        assert!(*count > begun / 50, "{allowed:?} {denied:?}");
    }
}

/// Connections of the rules that allow, and of those that deny, of both versions.
fn counts(site: &mut Site) -> [[u64; 2]; 2] {
    let totals = site.with(Plane::rule_totals).unwrap();
    let of = |rule: u32| totals.get(&rule).map_or(0, |t| t.enforced.packets);
    [ALLOWS.map(of), DENIES.map(of)]
}
