//! Hosts reach containers of other hosts, and each other, by interfaces of their own.

use std::net::IpAddr;

use contiv_datapath::Attach;
use contiv_policy::Action;
use contiv_testbed::Reach;

use crate::both_ways;
use crate::pair::{A, B, Pair};
use crate::site::{BLUE, DEFAULT, LONG, SHORT, incoming};

both_ways!(
    hosts_reach_each_other_and_containers_anywhere,
    policies_of_containers_hold_for_hosts,
    other_tenants_answer_hosts_and_open_nothing,
);

const PORT: u16 = 7000;

/// Both hosts with an interface in network 9 of the default tenant, `contivh1`.
fn with_footholds(attach: Attach) -> Pair {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.network(9, DEFAULT, 9);
    for (site, last) in pair.sites.iter_mut().zip([1, 2]) {
        site.desired.networks.get_mut(&9).unwrap().of_hosts = true;
        site.foothold("contivh1", 9, last);
    }
    pair
}

fn reaches(pair: &Pair, host: usize, target: IpAddr) {
    let pings = pair.sites[host].netns.ping(target, 2).unwrap();
    assert!(pings.all(), "host {host} to {target}: {pings:?}");
}

fn hosts_reach_each_other_and_containers_anywhere(attach: Attach) {
    let mut pair = with_footholds(attach);
    let (here, there) = (pair.container(A, 1, 1, 0), pair.container(B, 1, 2, 0));
    let (a, b) = (pair.sites[A].spec(9, 1, 0), pair.sites[B].spec(9, 2, 0));
    for routing in [false, true] {
        for site in &mut pair.sites {
            site.desired.routing = routing;
        }
        pair.sync();
        for target in [here.ip(), there.ip(), b.ipv4.into()] {
            reaches(&pair, A, target);
        }
        for target in [here.ipv6(), there.ipv6(), b.ipv6.unwrap().into()] {
            reaches(&pair, A, target);
        }
        // The other way round, to every address of the host in the fabric.
        for container in [&here, &there] {
            assert!(container.pings(a.ipv4.into()), "{}", container.ip());
            assert!(container.pings(b.ipv6.unwrap().into()));
        }
    }
    // More than the tunnel takes in one packet, and as a stream.
    let large = pair.sites[A]
        .netns
        .ping_with(there.ip(), 1, &["-s", "4000"]);
    assert!(large.unwrap().all());
    let _server = there.netns.tcp_echo(there.at(PORT)).unwrap();
    let open = pair.sites[A]
        .netns
        .tcp_connect(there.at(PORT), LONG)
        .unwrap();
    assert_eq!(open, Reach::Open);
    let _own = pair.sites[A].netns.tcp_echo((a.ipv4, PORT).into()).unwrap();
    for from in [&here, &there] {
        assert_eq!(from.reaches((a.ipv4, PORT).into()), Reach::Open);
    }
    let other_host = pair.sites[B].netns.tcp_connect((a.ipv4, PORT).into(), LONG);
    assert_eq!(other_host.unwrap(), Reach::Open);
    // An address of the underlay is the host's still, for its own containers.
    let underlay = pair.sites[A].address;
    let _bare = pair.sites[A]
        .netns
        .tcp_echo((underlay, PORT).into())
        .unwrap();
    assert_eq!(here.reaches((underlay, PORT).into()), Reach::Open);
}

fn policies_of_containers_hold_for_hosts(attach: Attach) {
    let mut pair = with_footholds(attach);
    for site in &mut pair.sites {
        site.policy(DEFAULT, &[5], vec![incoming(20, 5, 1, Action::Deny)]);
    }
    let guarded = pair.container(B, 1, 2, 5);
    let free = pair.container(B, 1, 3, 0);
    reaches(&pair, A, free.ip());
    let denied = pair.sites[A].netns.ping(guarded.ip(), 1).unwrap();
    assert_eq!(denied.received, 0, "a policy that lets nobody in");
    let own = pair.sites[B].netns.ping(guarded.ip(), 1).unwrap();
    assert_eq!(own.received, 0, "its own host neither");
}

fn other_tenants_answer_hosts_and_open_nothing(attach: Attach) {
    let mut pair = with_footholds(attach);
    pair.network(2, BLUE, 5);
    pair.network(8, BLUE, 8);
    for (site, last) in pair.sites.iter_mut().zip([1, 2]) {
        site.desired.routing = true;
        site.foothold("blue-hosts", 8, last);
    }
    let theirs = pair.container(B, 2, 1, 0);
    let (a, b) = (pair.sites[A].spec(8, 1, 0), pair.sites[B].spec(8, 2, 0));
    reaches(&pair, A, b.ipv4.into());
    reaches(&pair, A, b.ipv6.unwrap().into());
    let _server = pair.sites[A].netns.tcp_echo((a.ipv4, PORT).into()).unwrap();
    let by_host = pair.sites[B].netns.tcp_connect((a.ipv4, PORT).into(), LONG);
    assert_eq!(by_host.unwrap(), Reach::Open, "hosts speak to each other");
    let by_theirs = theirs.netns.tcp_connect((a.ipv4, PORT).into(), SHORT);
    assert_eq!(by_theirs.unwrap(), Reach::Filtered, "containers do not");
    // Their network is none that the host has a route to.
    let pings = pair.sites[A].netns.ping(theirs.ip(), 1).unwrap();
    assert_eq!(pings.received, 0);
}
