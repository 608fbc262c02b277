//! What others take away comes back and is told, and what they add is found.

use std::path::PathBuf;

use contiv_datapath::{Attach, Hook, Lost, Plane, Repair};
use contiv_datapath_abi::maps;
use contiv_testbed::wait_for;

use crate::both_ways;
use crate::site::{Container, DEFAULT, LONG, Site};

both_ways!(
    a_program_that_is_detached_comes_back_and_is_told,
    links_and_routes_that_are_deleted_come_back_and_are_told,
    what_data_planes_take_away_themselves_is_not_told,
    programs_of_others_are_found,
    stray_links_are_found_and_swept,
);

fn pair(site: &mut Site) -> [Container; 2] {
    site.network(1, DEFAULT, 2);
    let pair = [site.container(1, 1, 0), site.container(1, 2, 0)];
    site.apply();
    pair
}

/// Where everything of this build's layout is pinned.
fn pins(site: &Site) -> PathBuf {
    site.options.pin_dir.join(format!("v{}", maps::LAYOUT))
}

/// Ticks until new endpoints' programs are attached for good.
fn settle(site: &mut Site) {
    for _ in 0..12 {
        site.with(Plane::tick).unwrap();
    }
}

/// Takes programs away from a link, whichever way they came.
fn detach(site: &Site, link: &str) {
    std::fs::remove_file(site.options.pin_dir.join("v2/links").join(link)).ok();
    site.netns
        .ip(&format!("link show {link}"))
        .expect("the link is there");
    site.netns
        .run(&format!("tc qdisc del dev {link} clsact"))
        .ok();
}

/// Ticks until something was put back.
fn repairs(site: &mut Site) -> Vec<Repair> {
    let mut all = Vec::new();
    wait_for(LONG, "a repair", || {
        if site.with(Plane::tick).unwrap() {
            site.apply();
        }
        all.extend(site.with(Plane::repairs));
        match all.is_empty() {
            false => Ok(()),
            true => Err("nothing was put back"),
        }
    })
    .unwrap();
    all
}

fn a_program_that_is_detached_comes_back_and_is_told(attach: Attach) {
    let mut site = Site::new(attach);
    let [a, b] = pair(&mut site);
    settle(&mut site);
    assert!(a.pings(b.ip()));
    let link = site.facts(&a).interface;
    for (name, endpoint) in [(link.as_str(), a.id.as_str()), ("contiv1", "")] {
        detach(&site, name);
        let bare = site.with(Plane::inspect).unwrap().bare;
        assert_eq!(bare, [name]);
        let told = repairs(&mut site);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].lost, &*told[0].endpoint),
            (Lost::Program, endpoint)
        );
        assert!(told[0].message.contains(name), "{told:?}");
        assert!(site.with(Plane::inspect).unwrap().bare.is_empty());
    }
    assert!(a.pings(b.ip()));
}

fn links_and_routes_that_are_deleted_come_back_and_are_told(attach: Attach) {
    let mut site = Site::new(attach);
    let [a, _b] = pair(&mut site);
    let reaches = |site: &Site| site.netns.ping(a.ip(), 2).unwrap().all();
    assert!(reaches(&site));

    site.netns.ip("route del 10.1.2.0/24 dev contiv0").unwrap();
    let told = repairs(&mut site);
    assert_eq!((told.len(), told[0].lost), (1, Lost::Route), "{told:?}");
    assert!(told[0].message.contains("10.1.2.0/24"), "{told:?}");
    assert!(reaches(&site));

    site.netns.ip("link del contiv0").unwrap();
    let told = repairs(&mut site);
    let kinds: Vec<Lost> = told.iter().map(|repair| repair.lost).collect();
    assert_eq!(kinds, [Lost::Link, Lost::Link], "{told:?}");
    assert!(reaches(&site));

    site.netns.run("nft delete table inet contiv").unwrap();
    let told = repairs(&mut site);
    assert_eq!((told.len(), told[0].lost), (1, Lost::Firewall), "{told:?}");
    site.netns.run("nft list table inet contiv").unwrap();
}

fn what_data_planes_take_away_themselves_is_not_told(attach: Attach) {
    let mut site = Site::new(attach);
    let [a, b] = pair(&mut site);
    site.network(2, DEFAULT, 3);
    site.apply();
    site.desired.networks.remove(&2);
    site.desired.local.remove(&a.id);
    site.apply();
    for _ in 0..12 {
        assert!(!site.with(Plane::tick).unwrap());
    }
    // A container that ends takes its link along: the link is missed and made anew, and whoever asks
    // the engine tells whether somebody deleted it.
    let link = site.facts(&b).interface;
    site.netns.ip(&format!("link del {link}")).unwrap();
    assert!((0..12).any(|_| site.with(Plane::tick).unwrap()));
    site.apply();
    assert!(site.facts(&b).detached);
    for _ in 0..12 {
        assert!(!site.with(Plane::tick).unwrap());
    }
    assert_eq!(site.with(Plane::repairs), []);
}

fn programs_of_others_are_found(attach: Attach) {
    let mut site = Site::new(attach);
    let [a, _b] = pair(&mut site);
    settle(&mut site);
    assert_eq!(site.with(Plane::inspect).unwrap().foreign, []);
    let link = site.facts(&a).interface;
    site.netns
        .run(&format!("tc qdisc add dev {link} clsact"))
        .ok();
    let build = std::fs::read_dir(pins(&site).join("programs"))
        .unwrap()
        .next()
        .unwrap();
    let program = build.unwrap().path().join("from_host");
    let line = format!(
        "tc filter add dev {link} egress bpf da object-pinned {}",
        program.display()
    );
    site.netns.run(&line).unwrap();
    let found = site.with(Plane::inspect).unwrap();
    assert_eq!(found.foreign.len(), 1, "{:?}", found.foreign);
    let foreign = &found.foreign[0];
    assert_eq!((&foreign.link, foreign.hook), (&link, Hook::TcEgress));
    assert!(foreign.program.contains("from_host"), "{foreign:?}");
    assert!(found.bare.is_empty());
}

fn stray_links_are_found_and_swept(attach: Attach) {
    let mut site = Site::new(attach);
    let _pair = pair(&mut site);
    site.netns
        .ip("link add cvdead type veth peer name ccdead")
        .unwrap();
    assert_eq!(site.with(Plane::inspect).unwrap().stray, ["cvdead"]);
    assert_eq!(site.with(Plane::sweep).unwrap(), ["cvdead"]);
    assert!(site.with(Plane::inspect).unwrap().stray.is_empty());
    assert_eq!(site.with(Plane::endpoints).unwrap().len(), 2);
}
