//! Whatever was wanted before, the kernel comes to hold what is wanted now.

use std::collections::BTreeMap;
use std::time::Duration;

use contiv_datapath::{Attach, Plane};
use contiv_policy::Action;
use contiv_testbed::{Reach, wait_for};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::both_ways;
use crate::site::{BLUE, DEFAULT, Site, incoming};

both_ways!(any_order_of_wishes_converges);

/// What is wanted of a host, in few words.
#[derive(Clone, Debug)]
struct Wish {
    routing: bool,
    /// Which of the networks 1 to 4 there are; odd ones are of the default tenant.
    networks: [bool; 4],
    /// Last bytes of addresses, by network.
    endpoints: BTreeMap<u32, Vec<u8>>,
    rules: u32,
    restart: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let last = prop::collection::btree_set(1..6_u8, 0..4);
    let endpoints = prop::collection::btree_map(1..=4_u32, last, 0..4);
    (
        any::<bool>(),
        any::<[bool; 4]>(),
        endpoints,
        0..4_u32,
        any::<bool>(),
    )
        .prop_map(|(routing, networks, endpoints, rules, restart)| Wish {
            routing,
            networks,
            endpoints: endpoints
                .into_iter()
                .map(|(n, last)| (n, last.into_iter().collect()))
                .collect(),
            rules,
            restart,
        })
}

fn any_order_of_wishes_converges(attach: Attach) {
    let mut runner = TestRunner::new(Config {
        cases: 4,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..Config::default()
    });
    let wishes = prop::collection::vec(wish(), 1..6);
    let outcome = runner.run(&wishes, |wishes| {
        let mut site = Site::new(attach);
        for wish in &wishes {
            grant(&mut site, wish);
        }
        check(&mut site);
        Ok(())
    });
    outcome.unwrap();
}

fn grant(site: &mut Site, wish: &Wish) {
    site.desired.routing = wish.routing;
    site.desired.networks.clear();
    site.desired.local.clear();
    for (index, wanted) in wish.networks.iter().enumerate() {
        let number = index as u32 + 1;
        if !wanted {
            continue;
        }
        let tenant = if number % 2 == 1 { DEFAULT } else { BLUE };
        site.network(number, tenant, 2 + index as u8 / 2);
        for last in wish.endpoints.get(&number).into_iter().flatten() {
            let id = format!("{number:04x}{last:04x}{:056x}", 7);
            let spec = site.spec(number, *last, u32::from(*last % 2) * 5);
            site.desired.local.insert(id, spec);
        }
    }
    let rules = (0..wish.rules).map(|n| incoming(16 + n, 5, 1 + n, Action::Allow));
    site.policy(DEFAULT, &[5], rules.collect());
    if wish.restart {
        site.stop();
        site.start();
    }
    site.apply();
}

/// The kernel holds the wish: exactly these endpoints, and a pair of new ones meets.
fn check(site: &mut Site) {
    let facts = site.with(Plane::endpoints).unwrap();
    let wanted: Vec<&String> = site.desired.local.keys().collect();
    assert_eq!(facts.keys().collect::<Vec<_>>(), wanted);
    let links = site.netns.ip("-o link").unwrap();
    let ours = links.lines().filter(|line| line.contains(": cv")).count();
    assert_eq!(ours, wanted.len(), "{links}");
    site.network(9, DEFAULT, 9);
    let (a, b) = (site.container(9, 1, 0), site.container(9, 2, 5));
    let echo = b.netns.tcp_echo(b.at(8000)).unwrap();
    // The kernel brings up a link's queues a moment after the link.
    let met = wait_for(Duration::from_secs(10), "the new pair to meet", || match a
        .reaches(echo.address())
    {
        Reach::Open => Ok(()),
        other => Err(format!("{other:?}")),
    });
    met.unwrap();
}
