//! Many endpoints on other hosts: known at once, and left alone by a new agent.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{Array, Map, MapData};
use contiv_datapath::Attach;
use contiv_datapath::program::Row;
use contiv_datapath::spec::{HostSpec, RemoteSpec};
use contiv_datapath_abi::tunnel::Remote;

use crate::both_ways;
use crate::pair::{A, NAMES, Pair};
use crate::site::{DEFAULT, Site};

both_ways!(ten_thousand_are_known_at_once_and_kept_as_they_are);

const MANY: u32 = 10_000;

fn remote(number: u32) -> RemoteSpec {
    let bytes = number.to_be_bytes();
    RemoteSpec {
        tenant: DEFAULT,
        network: 1,
        group: 0,
        ipv4: Ipv4Addr::new(10, 1, bytes[2], bytes[3]),
        ipv6: Some(Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 1, number as u16)),
        mac: [2, 2, 10, 1, bytes[2], bytes[3]],
        host: format!("h{}", number % 100),
    }
}

/// The rows of the table, as they are pinned.
fn rows(site: &Site) -> Vec<Remote> {
    let pin = site.options.pin_dir.join("v2/maps/remotes");
    let map = Map::Array(MapData::from_pin(pin).unwrap());
    let table: Array<MapData, Row<Remote>> = map.try_into().unwrap();
    let rows = table.iter().map(|row| row.unwrap().0);
    rows.filter(|row| *row != Remote::default()).collect()
}

fn timed(what: &str, act: impl FnOnce()) {
    let begun = Instant::now();
    act();
    let taken = begun.elapsed();
    println!("{what}: {} ms", taken.as_millis());
    assert!(taken < Duration::from_secs(5), "{what}: {taken:?}");
}

fn ten_thousand_are_known_at_once_and_kept_as_they_are(attach: Attach) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    let network = pair.sites[A].desired.networks.get_mut(&1).unwrap();
    network.subnet = "10.1.0.0/16".parse().unwrap();
    let a = pair.container(A, 1, 250, 0);
    let site = &mut pair.sites[A];
    let hosts = (0..100_u8).map(|n| {
        let address = Ipv4Addr::new(192, 0, 2, n).into();
        (format!("h{n}"), HostSpec { address })
    });
    site.desired.hosts.extend(hosts);
    assert!(site.desired.hosts.contains_key(NAMES[1]));
    let all = (1..=MANY).map(|n| (format!("{n:064x}"), remote(n)));
    let mut all: BTreeMap<String, RemoteSpec> = all.collect();
    // One of them would have the address of an endpoint of this host.
    let own = a.spec.ipv4;
    all.retain(|_, remote| remote.ipv4 != own);
    site.desired.remote = Arc::new(all);
    timed("ten thousand that are new", || site.apply());
    timed("nothing that is new", || site.apply());
    let before = rows(site);
    assert_eq!(before.len(), site.desired.remote.len());

    site.stop();
    timed("a new agent", || {
        site.start();
        site.apply();
    });
    assert!(rows(site) == before, "not a serial has changed");
    let mut fewer = site.desired.remote.as_ref().clone();
    let (first, _) = fewer.pop_first().unwrap();
    let mut last = fewer.last_entry().unwrap();
    last.get_mut().host = "h7".to_owned();
    site.desired.remote = Arc::new(fewer);
    timed("one that goes and one that moves", || site.apply());
    let after = rows(site);
    let kept = before.iter().filter(|row| after.contains(row)).count();
    assert_eq!(
        (after.len(), kept),
        (before.len() - 1, before.len() - 2),
        "{first}"
    );
    site.desired.remote = Arc::default();
    timed("none of them", || site.apply());
    assert_eq!(rows(site), []);
}
