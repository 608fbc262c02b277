//! What the host itself keeps, and what Contiv leaves on it.

use contiv_datapath::{Attach, Plane, STAND_INS, cleanup};

use crate::both_ways;
use crate::site::{BLUE, DEFAULT, Site};

both_ways!(
    what_the_host_uses_is_taken,
    a_taken_private_subnet_gives_way_to_a_stand_in,
    a_route_of_the_hosts_own_is_never_covered,
    a_flushed_firewall_comes_back,
    cleanup_leaves_nothing_also_of_halves,
    forwarding_keeps_announced_routes,
);

fn what_the_host_uses_is_taken(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let _a = site.container(1, 1, 0);
    site.netns
        .ip("route add 10.8.0.0/16 via 198.51.100.1")
        .unwrap();
    let taken = site.with(Plane::taken_prefixes).unwrap();
    let said = |prefix: &str| {
        let of = taken.iter().find(|t| t.prefix == prefix.parse().unwrap());
        of.map(|taken| taken.by.clone())
    };
    assert_eq!(said("198.51.100.0/24").unwrap(), "address of eth0");
    assert_eq!(said("10.8.0.0/16").unwrap(), "route by eth0");
    assert!(said("172.19.0.0/16").unwrap().contains("private"));
    assert_eq!(said("10.1.2.0/24"), None, "a network of ours takes nothing");
    assert_eq!(said("0.0.0.0/0"), None);
}

fn a_taken_private_subnet_gives_way_to_a_stand_in(attach: Attach) {
    let mut site = Site::new(attach);
    site.netns.ip("addr add 172.19.7.1/24 dev eth0").unwrap();
    site.network(1, DEFAULT, 2);
    let a = site.container(1, 1, 0);
    let private = site.facts(&a).private_address.unwrap();
    let stand_in: ipnet::Ipv4Net = STAND_INS[0].parse().unwrap();
    assert!(stand_in.contains(&private), "{private}");
    assert!(a.pings(contiv_testbed::World::ADDRESS.into()));
    // It stays while it is in use, whatever becomes of the reason.
    site.netns.ip("addr del 172.19.7.1/24 dev eth0").unwrap();
    site.stop();
    site.start();
    site.apply();
    assert_eq!(site.facts(&a).private_address, Some(private));
}

fn a_route_of_the_hosts_own_is_never_covered(attach: Attach) {
    let mut site = Site::new(attach);
    site.netns
        .ip("route add 10.1.2.128/25 via 198.51.100.1")
        .unwrap();
    site.network(1, DEFAULT, 2);
    site.network(2, DEFAULT, 3);
    site.network(3, BLUE, 4);
    site.apply();
    let by_door = site.netns.ip("route show dev contiv0").unwrap();
    assert!(!by_door.contains("10.1.2.0/24"), "{by_door}");
    assert!(by_door.contains("10.1.3.0/24"), "{by_door}");
    assert!(
        !by_door.contains("10.1.4.0/24"),
        "not of other tenants: {by_door}"
    );

    site.desired
        .networks
        .get_mut(&2)
        .unwrap()
        .unreachable_from_host = true;
    site.apply();
    let by_door = site.netns.ip("route show dev contiv0").unwrap();
    assert!(!by_door.contains("10.1.3.0/24"), "{by_door}");
}

fn a_flushed_firewall_comes_back(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.apply();
    site.netns.run("nft flush ruleset").unwrap();
    contiv_testbed::wait_for(std::time::Duration::from_secs(15), "our table", || {
        site.with(Plane::tick).unwrap();
        site.netns.run("nft list table inet contiv").map(drop)
    })
    .unwrap();
}

/// Everything of ours that can be seen on the host.
fn traces(site: &Site) -> Vec<String> {
    let mut left = Vec::new();
    for line in site.netns.ip("-br link").unwrap().lines() {
        if line.starts_with("cv") || line.starts_with("cc") || line.starts_with("contiv") {
            left.push(line.to_owned());
        }
    }
    if site.netns.run("nft list table inet contiv").is_ok() {
        left.push("nft".into());
    }
    if site.options.pin_dir.exists() {
        left.push("pins".into());
    }
    if site
        .netns
        .run("iptables -S DOCKER-USER")
        .is_ok_and(|rules| rules.contains("contiv"))
    {
        left.push("iptables".into());
    }
    left
}

fn cleanup_leaves_nothing_also_of_halves(attach: Attach) {
    let mut site = Site::new(attach);
    site.netns.run("iptables -N DOCKER-USER").unwrap();
    site.netns
        .run("iptables -I FORWARD -j DOCKER-USER")
        .unwrap();
    site.network(1, DEFAULT, 2);
    let containers = [site.container(1, 1, 0), site.container(1, 2, 0)];
    assert!(traces(&site).contains(&"iptables".to_owned()));
    site.stop();
    let options = site.options.clone();
    let clean = || site.netns.enter(|| cleanup(&options)).unwrap();
    clean().unwrap();
    assert_eq!(traces(&site), [""; 0]);
    clean().unwrap();
    drop(containers);

    site.start();
    site.apply();
    site.netns.ip("link del contiv0").unwrap();
    std::fs::remove_dir_all(site.options.pin_dir.join("v2/links")).unwrap();
    site.netns.run("nft delete table inet contiv").unwrap();
    site.stop();
    site.netns.enter(|| cleanup(&options)).unwrap().unwrap();
    assert_eq!(traces(&site), [""; 0]);
}

fn forwarding_keeps_announced_routes(attach: Attach) {
    let mut site = Site::new(attach);
    let read = |name: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/{name}");
        let text = site.netns.enter(|| std::fs::read_to_string(path)).unwrap();
        text.unwrap().trim().to_owned()
    };
    assert_eq!(read("eth0/accept_ra"), "1");
    let before = read("all/forwarding");
    assert_eq!(before, "0");
    site.network(1, DEFAULT, 2);
    site.apply();
    let read = |name: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/{name}");
        let text = site.netns.enter(|| std::fs::read_to_string(path)).unwrap();
        text.unwrap().trim().to_owned()
    };
    assert_eq!(read("all/forwarding"), "1");
    assert_eq!(read("eth0/accept_ra"), "2");
    assert_eq!(read("contiv0/accept_ra"), "0");
}
