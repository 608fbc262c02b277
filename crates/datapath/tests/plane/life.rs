//! Endpoints come and go, and leave nothing.

use std::collections::BTreeMap;
use std::fs;

use aya::maps::{HashMap, Map, MapData, PerCpuHashMap};
use contiv_datapath::{Attach, EndpointFacts, Plane};

use crate::both_ways;
use crate::site::{DEFAULT, Site};

both_ways!(
    two_hundred_come_and_go_without_a_trace,
    an_endpoint_is_closed_until_its_tenant_is_known,
    again_is_fine,
    an_ended_container_takes_its_link_along,
);

/// Pins and links of endpoints.
fn inventory(site: &Site) -> (usize, usize) {
    let pins = fs::read_dir(site.options.pin_dir.join("v2/links")).unwrap();
    let pins = pins
        .flatten()
        .map(|pin| pin.file_name().to_string_lossy().into_owned());
    let links = site.netns.ip("-br link").unwrap();
    let ours = |name: &str| name.starts_with("cv") || name.starts_with("cc");
    (
        pins.filter(|name| ours(name)).count(),
        links.lines().filter(|line| ours(line)).count(),
    )
}

fn two_hundred_come_and_go_without_a_trace(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.apply();
    assert_eq!(inventory(&site), (0, 0));
    let ids: Vec<(String, u8)> = (1..=200).map(|last| (site.fresh_id(), last)).collect();
    for (id, last) in &ids {
        let spec = site.spec(1, *last, 0);
        site.with(|plane| plane.add_endpoint(id, &spec)).unwrap();
        site.desired.local.insert(id.clone(), spec);
    }
    site.apply();
    let facts = site.with(Plane::endpoints).unwrap();
    assert_eq!(facts.len(), 200);
    let mut private: Vec<_> = facts.values().map(|f| f.private_address.unwrap()).collect();
    private.sort();
    private.dedup();
    assert_eq!(private.len(), 200, "private addresses are unique");
    assert!(
        facts.values().all(|f| f.detached),
        "no container holds them"
    );
    for (id, _) in &ids {
        site.desired.local.remove(id);
        site.with(|plane| plane.remove_endpoint(id)).unwrap();
    }
    site.apply();
    assert_eq!(inventory(&site), (0, 0));
    let rows = (
        rows_of::<4, 4>(&site, "interfaces"),
        rows_of::<20, 24>(&site, "addresses"),
        rows_of::<4, 256>(&site, "members"),
        counters_of(&site),
    );
    assert_eq!(rows, (0, 0, 0, 0), "rows left");
}

/// Rows of a pinned hash map with keys and values of so many bytes.
fn rows_of<const K: usize, const V: usize>(site: &Site, map: &str) -> usize {
    let data = MapData::from_pin(site.options.pin_dir.join("v2/maps").join(map)).unwrap();
    let map = HashMap::<_, [u8; K], [u8; V]>::try_from(Map::HashMap(data)).unwrap();
    map.keys().count()
}

/// Rows of counters that name an endpoint.
fn counters_of(site: &Site) -> usize {
    let data = MapData::from_pin(site.options.pin_dir.join("v2/maps/drops")).unwrap();
    let map = PerCpuHashMap::<_, [u8; 8], u64>::try_from(Map::PerCpuHashMap(data)).unwrap();
    let named = |key: &[u8; 8]| key[..4] != [0; 4];
    map.keys().flatten().filter(named).count()
}

fn an_endpoint_is_closed_until_its_tenant_is_known(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let a = site.container(1, 1, 0);
    // A network that the kernel has not heard of.
    site.network(2, DEFAULT, 3);
    let (id, spec) = (site.fresh_id(), site.spec(2, 1, 0));
    site.with(|plane| plane.add_endpoint(&id, &spec)).unwrap();
    let facts = site.with(Plane::endpoints).unwrap();
    assert!(facts.contains_key(&id), "it is there already");
    site.desired.local.insert(id, spec);
    site.apply();
    let b = site.container(2, 2, 0);
    assert!(a.pings("10.1.2.254".parse().unwrap()));
    assert!(b.pings("10.1.3.254".parse().unwrap()));
}

fn again_is_fine(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    // Counters go on.
    let known = |site: &mut Site| EndpointFacts {
        drops: BTreeMap::new(),
        ..site.facts(&a)
    };
    let before = known(&mut site);
    for _ in 0..3 {
        site.with(|plane| plane.add_endpoint(&a.id, &a.spec))
            .unwrap();
        site.apply();
    }
    assert_eq!(known(&mut site), before);
    assert!(a.pings(b.ip()));
    // Nobody else gets the address meanwhile.
    let thief = site.fresh_id();
    let refused = site.with(|plane| plane.add_endpoint(&thief, &a.spec));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains(&a.id), "{error}");
    for _ in 0..2 {
        site.with(|plane| plane.remove_endpoint(&a.id)).unwrap();
    }
    site.with(|plane| plane.remove_endpoint("never there"))
        .unwrap();
    assert!(!b.pings(a.ip()));
}

fn an_ended_container_takes_its_link_along(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    let id = b.id.clone();
    let spec = b.spec.clone();
    drop(b);
    contiv_testbed::wait_for(std::time::Duration::from_secs(10), "the link to go", || {
        let facts = site.with(Plane::endpoints).unwrap();
        if facts.contains_key(&id) {
            Err("still there")
        } else {
            Ok(())
        }
    })
    .unwrap();
    // Wanted nevertheless, so it is made again, and another container may take it.
    site.apply();
    let facts = site.with(Plane::endpoints).unwrap();
    assert!(facts[&id].detached);
    site.with(|plane| plane.remove_endpoint(&id)).unwrap();
    site.desired.local.remove(&id);
    let next = site.container(1, spec.ipv4.octets()[3], 0);
    assert!(a.pings(next.ip()));
}
