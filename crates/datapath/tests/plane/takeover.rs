//! A new agent on what the one before has left.

use std::net::SocketAddr;

use contiv_datapath::spec::link_names;
use contiv_datapath::{Attach, Plane};
use contiv_testbed::{Netns, Reach, Stream, StreamSpec, wait_for};

use crate::both_ways;
use crate::site::{Container, DEFAULT, LONG, Site};

both_ways!(
    packets_flow_while_agents_come_and_go,
    what_was_left_over_is_cleaned_and_the_rest_stays,
    links_without_pins_are_taken_into_use_again,
    programs_of_another_build_are_replaced_under_traffic,
    the_other_way_of_attaching_takes_over,
);

/// A running stream from one container to another.
fn stream(from: &Netns, to: &Netns, target: SocketAddr) -> Stream {
    let stream = Stream::start(from, to, &StreamSpec::to(target)).unwrap();
    stream.flows(50, LONG).unwrap();
    stream
}

fn packets_flow_while_agents_come_and_go(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    let known = |site: &mut Site| {
        [&a, &b].map(|end| {
            let facts = site.facts(end);
            (facts.interface, facts.private_address, facts.detached)
        })
    };
    let before = known(&mut site);
    let streams = [
        stream(&a.netns, &b.netns, b.at(7000)),
        stream(&site.netns, &b.netns, b.at(7001)),
    ];
    for _ in 0..5 {
        site.stop();
        streams[0].flows(50, LONG).unwrap();
        site.start();
        site.apply();
        site.with(Plane::tick).unwrap();
    }
    streams[0].flows(50, LONG).unwrap();
    for stream in streams {
        let report = stream.stop();
        assert_eq!(report.lost, 0, "{report:?}");
    }
    assert_eq!(known(&mut site), before);
}

fn what_was_left_over_is_cleaned_and_the_rest_stays(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b, gone) = (
        site.container(1, 1, 0),
        site.container(1, 2, 0),
        site.container(1, 3, 0),
    );
    let going = stream(&a.netns, &b.netns, b.at(7000));
    site.stop();
    // While no agent runs: one endpoint is no longer wanted, one container ends with its link,
    // and a link comes that nobody knows.
    site.desired.local.remove(&gone.id);
    let ended = site.desired.local.keys().next().cloned();
    assert!(ended.is_some());
    site.netns
        .ip("link add cvfeedfeed type veth peer name ccfeedfeed")
        .unwrap();
    site.start();
    assert_eq!(
        site.with(Plane::endpoints).unwrap().len(),
        3,
        "nothing is torn down yet"
    );
    site.apply();
    let links = site.netns.ip("-br link").unwrap();
    assert!(!links.contains("cvfeedfeed"), "{links}");
    assert!(!links.contains(&link_names(&gone.id).0), "{links}");
    assert_eq!(site.with(Plane::endpoints).unwrap().len(), 2);
    // The address is free again, under a serial of its own.
    let next = site.container(1, 3, 0);
    assert!(a.pings(next.ip()));
    let report = going.stop();
    assert_eq!(report.lost, 0, "{report:?}");
}

fn links_without_pins_are_taken_into_use_again(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    site.stop();
    std::fs::remove_dir_all(&site.options.pin_dir).unwrap();
    site.start();
    site.apply();
    for ip in b.ips() {
        let echo = b.netns.tcp_echo((ip, 8000).into()).unwrap();
        assert_eq!(a.reaches(echo.address()), Reach::Open);
    }
}

fn programs_of_another_build_are_replaced_under_traffic(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    let going = stream(&a.netns, &b.netns, b.at(7000));
    for _ in 0..3 {
        site.stop();
        // As if the pinned ones were of another build.
        let programs = site.options.pin_dir.join("v2/programs");
        let build = std::fs::read_dir(&programs)
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        std::fs::rename(build.path(), programs.join("0123456789abcdef")).unwrap();
        site.start();
        site.apply();
        let builds: Vec<_> = std::fs::read_dir(&programs).unwrap().flatten().collect();
        assert_eq!(builds.len(), 1, "the old build is removed");
        assert_ne!(builds[0].file_name(), "0123456789abcdef");
    }
    going.flows(50, LONG).unwrap();
    let report = going.stop();
    assert_eq!(report.lost, 0, "{report:?}");
}

fn the_other_way_of_attaching_takes_over(attach: Attach) {
    if !crate::site::has_tcx() {
        return;
    }
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    let going = stream(&a.netns, &b.netns, b.at(7000));
    for other in [Attach::Tcx, Attach::Clsact, Attach::Tcx, Attach::Clsact] {
        site.stop();
        site.options.attach = other;
        site.start();
        site.apply();
        going.flows(20, LONG).unwrap();
    }
    let report = going.stop();
    assert_eq!(report.lost, 0, "{report:?}");
}

/// The links that a program runs at by tcx, of both containers' ends.
fn settled(site: &Site) -> usize {
    let pins = std::fs::read_dir(site.options.pin_dir.join("v2/links")).unwrap();
    let names = pins.flatten().map(|pin| pin.file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("cv"))
        .count()
}

#[test]
fn new_endpoints_settle_under_traffic_and_over_a_restart() {
    if !crate::site::has_tcx() {
        return;
    }
    let mut site = Site::new(Attach::Auto);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    let going = stream(&a.netns, &b.netns, b.at(7000));
    assert_eq!(settled(&site), 0, "a start waits for nothing");
    wait_for(LONG, "both ends to settle", || {
        site.with(Plane::tick).unwrap();
        if settled(&site) == 2 {
            Ok(())
        } else {
            Err("not yet")
        }
    })
    .unwrap();
    let filters = |end: &Container| {
        let link = link_names(&end.id).0;
        site.netns
            .run(&format!("tc filter show dev {link} ingress"))
            .unwrap()
    };
    assert!([&a, &b].iter().all(|end| !filters(end).contains("bpf")));
    let c = site.container(1, 3, 0);
    let late = stream(&c.netns, &b.netns, b.at(7001));
    site.stop();
    site.start();
    assert_eq!(settled(&site), 3, "a new agent settles what it finds");
    site.apply();
    for stream in [going, late] {
        stream.flows(20, LONG).unwrap();
        let report = stream.stop();
        assert_eq!(report.lost, 0, "{report:?}");
    }
}
