//! The host's own interfaces in networks: made, kept, and taken away.

use std::time::Duration;

use contiv_datapath::{Attach, Cause, Plane, Subject, cleanup};
use contiv_testbed::{Reach, wait_for};

use crate::both_ways;
use crate::site::{DEFAULT, Site};

both_ways!(
    an_interface_is_made_kept_and_taken_away,
    what_others_take_from_it_is_put_back,
    what_is_answered_by_another_interface_gets_there,
    a_name_that_the_host_has_is_not_taken,
    nobody_sends_through_the_host,
);

const NAME: &str = "contivh1";
const PORT: u16 = 7000;

/// A host with networks 1 and 9 of the default tenant, and an interface in the latter.
fn site(attach: Attach) -> Site {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(9, DEFAULT, 9);
    site.desired.networks.get_mut(&9).unwrap().of_hosts = true;
    site.foothold(NAME, 9, 1);
    site.apply();
    site
}

fn routes(site: &Site) -> String {
    let [v4, v6] = ["route show", "-6 route show"].map(|line| site.netns.ip(line).unwrap());
    let ours = [v4, v6].concat();
    let mut ours: Vec<&str> = ours.lines().filter(|line| line.contains("dev c")).collect();
    ours.sort_unstable();
    ours.join("\n")
}

fn an_interface_is_made_kept_and_taken_away(attach: Attach) {
    let mut site = site(attach);
    let a = site.container(1, 1, 0);
    let shown = site.netns.ip(&format!("addr show {NAME}")).unwrap();
    assert!(
        shown.contains("10.1.9.1/24") && shown.contains("fd00:9::1/64"),
        "{shown}"
    );
    assert!(shown.contains("mtu 1500"), "{shown}");
    let made = routes(&site);
    for route in [
        "10.1.2.0/24 via 169.254.1.1 dev contivh1",
        "10.1.9.0/24 dev contivh1",
    ] {
        assert!(made.contains(route), "{made}");
    }
    assert!(!made.contains("10.1.2.0/24 dev contiv0"), "{made}");
    assert!(site.netns.ping(a.ip(), 2).unwrap().all());
    assert!(site.netns.ping(a.ipv6(), 2).unwrap().all());
    let taken = site.with(Plane::taken_prefixes).unwrap();
    assert!(!taken.iter().any(|t| t.by.contains(NAME)), "{taken:?}");

    // The next agent finds it, and changes nothing.
    let before = site.netns.ip("-o link").unwrap();
    site.stop();
    site.start();
    site.apply();
    assert_eq!(site.netns.ip("-o link").unwrap(), before);
    assert_eq!(routes(&site), made);
    assert!(site.netns.ping(a.ip(), 2).unwrap().all());

    // Without it the door leads to the containers of this host, as before.
    let id = site.desired.footholds.keys().next().unwrap().clone();
    site.desired.footholds.clear();
    site.desired.local.remove(&id);
    site.apply();
    assert!(site.netns.ip(&format!("link show {NAME}")).is_err());
    assert!(routes(&site).contains("10.1.2.0/24 dev contiv0"));
    assert!(site.netns.ping(a.ip(), 2).unwrap().all());

    site.foothold(NAME, 9, 1);
    site.apply();
    site.stop();
    let options = site.options.clone();
    site.netns.enter(|| cleanup(&options)).unwrap().unwrap();
    assert_eq!(routes(&site), "");
    assert!(site.netns.ip(&format!("link show {NAME}")).is_err());
}

fn what_others_take_from_it_is_put_back(attach: Attach) {
    let mut site = site(attach);
    let a = site.container(1, 1, 0);
    let made = routes(&site);
    for harm in [
        "addr del 10.1.9.1/24 dev contivh1",
        "route del 10.1.2.0/24",
        "link set contivh1 down",
        "link del contivh1",
        "link set contivh1 down name mine",
    ] {
        for line in harm.split(" name ").take(1) {
            site.netns.ip(line).unwrap();
        }
        if let Some((_, name)) = harm.split_once(" name ") {
            site.netns
                .ip(&format!("link set contivh1 name {name}"))
                .unwrap();
        }
        let what = format!("what was done by: ip {harm}");
        wait_for(Duration::from_secs(15), &what, || {
            if site.with(Plane::tick).unwrap() {
                site.apply();
            }
            let now = routes(&site);
            match now == made && site.netns.ping(a.ip(), 1).unwrap().all() {
                true => Ok(()),
                false => Err(now),
            }
        })
        .unwrap();
    }
}

fn what_is_answered_by_another_interface_gets_there(attach: Attach) {
    let mut site = site(attach);
    site.network(8, DEFAULT, 8);
    site.foothold("mon", 8, 1);
    site.desired.routing = true;
    site.apply();
    let a = site.container(1, 1, 0);
    let own = site.spec(8, 1, 0);
    // The way back from there is by another interface of the host, or by its door.
    assert!(a.pings(own.ipv4.into()));
    assert!(a.pings(own.ipv6.unwrap().into()));
    let _server = site.netns.tcp_echo((own.ipv4, PORT).into()).unwrap();
    assert_eq!(a.reaches((own.ipv4, PORT).into()), Reach::Open);
    let _bare = site.netns.tcp_echo((site.address, PORT).into()).unwrap();
    assert_eq!(a.reaches((site.address, PORT).into()), Reach::Open);
    let id = site.id_of("contivh1");
    site.desired.footholds.remove(&id);
    site.desired.local.remove(&id);
    site.apply();
    assert!(a.pings(own.ipv4.into()));
    assert_eq!(a.reaches((own.ipv4, PORT).into()), Reach::Open);
    assert_eq!(a.reaches((site.address, PORT).into()), Reach::Open);
}

fn a_name_that_the_host_has_is_not_taken(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(9, DEFAULT, 9);
    site.netns.ip("link add mine type bridge").unwrap();
    site.foothold("mine", 9, 1);
    let lacks = site.try_apply();
    let id = site.id_of("mine");
    assert_eq!(lacks.len(), 1, "{lacks:?}");
    assert_eq!(
        (&lacks[0].subject, lacks[0].cause),
        (&Subject::Endpoint(id), Cause::Name)
    );
    assert!(lacks[0].message.contains("interface mine"), "{lacks:?}");
    assert!(
        site.netns
            .ip("-d link show mine")
            .unwrap()
            .contains("bridge")
    );
    site.netns.ip("link del mine").unwrap();
    site.apply();
    assert!(site.netns.ip("-d link show mine").unwrap().contains("veth"));
}

fn nobody_sends_through_the_host(attach: Attach) {
    let mut site = site(attach);
    let a = site.container(1, 1, 0);
    let _server = a.netns.tcp_echo(a.at(PORT)).unwrap();
    // Somebody on the underlay who takes the host for a router.
    let world = std::sync::Arc::clone(&site.world);
    let world = world.netns();
    world
        .ip(&format!("route add 10.1.0.0/16 via {}", site.address))
        .unwrap();
    let reach = world.tcp_connect(a.at(PORT), crate::site::SHORT).unwrap();
    assert_ne!(reach, Reach::Open);
    let inside = site
        .netns
        .tcp_connect(a.at(PORT), crate::site::LONG)
        .unwrap();
    assert_eq!(inside, Reach::Open);
}
