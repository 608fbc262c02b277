use contiv_ipam::AddressState;
use contiv_model::agent::{EndpointRequest, ObjectKind, ObjectRef, Problem};
use contiv_model::doctor::Severity;
use contiv_store::{Compare, Transaction, Write};

use super::*;
use crate::key::Key;
use crate::world::{World, register};
use crate::{mend, put_endpoint, register_host};

const NOW: u64 = 1_000_000;

fn examiner(world: &World) -> Examiner<'static> {
    Examiner {
        now: NOW,
        version: "1",
        revision: Revision {
            epoch: 1,
            number: world.image.number(),
        },
    }
}

/// Tenants, networks, and host `h1`, which is live and has applied all.
fn world() -> World {
    let mut world = World::furnished();
    join(&mut world, "h1", Some("192.0.2.1"));
    world
}

fn join(world: &mut World, host: &str, tunnel: Option<&str>) {
    let tunnel = tunnel.map(|text| text.parse().unwrap());
    let first = register_host(
        &world.image,
        &world.reports,
        NOW,
        host,
        &register("b", tunnel),
    );
    world.grant(first);
    let report = HostReport {
        live: true,
        applied: examiner(world).revision,
        ..HostReport::default()
    };
    world.reports.hosts.insert(host.into(), report);
}

fn endpoint(world: &mut World, host: &str, id: &str) {
    let request: EndpointRequest = serde_json::from_value(serde_json::json!({
        "pool": {"tenant": "default", "network": "n1", "group": null},
    }))
    .unwrap();
    let made = put_endpoint(&world.image, NOW, host, id, &request);
    world.grant(made);
}

fn open(world: &World) -> Vec<Finding> {
    let mut found = examine(&world.image, &world.reports, examiner(world));
    found.extend(
        leaks(&world.image, &world.reports)
            .iter()
            .map(|l| l.finding(&world.image)),
    );
    found.retain(Finding::is_open);
    assert!(found.iter().all(|f| !f.remedy.is_empty()), "{found:?}");
    found
}

fn checks(world: &World) -> Vec<String> {
    open(world).into_iter().map(|f| f.check).collect()
}

#[test]
fn a_healthy_fabric_has_nothing_open() {
    let mut world = world();
    endpoint(&mut world, "h1", "e1");
    world.reports.hosts.get_mut("h1").unwrap().applied = examiner(&world).revision;
    assert_eq!(open(&world), []);
}

#[test]
fn each_fault_of_a_host_is_named() {
    type Change = fn(&mut HostReport);
    let faults: [(&str, Severity, Change); 3] = [
        ("host-away", Severity::Error, |report| report.live = false),
        ("host-behind", Severity::Warning, |report| {
            report.applied.epoch = 0;
        }),
        ("object-problem", Severity::Warning, |report| {
            report.problems.push(Problem {
                object: ObjectRef {
                    kind: ObjectKind::Network,
                    key: "default:n1".into(),
                },
                reason: "SubnetTaken".into(),
                message: "it overlaps".into(),
            });
        }),
    ];
    for (check, severity, change) in faults {
        let mut world = world();
        change(world.reports.hosts.get_mut("h1").unwrap());
        let mut by = examiner(&world);
        by.revision.number += BEHIND + 1;
        if check == "object-problem" {
            by = examiner(&world);
        }
        let mut found = examine(&world.image, &world.reports, by);
        found.retain(Finding::is_open);
        let found: Vec<_> = found
            .iter()
            .map(|f| (&*f.check, f.severity, &*f.host))
            .collect();
        assert_eq!(found, [(check, severity, "h1")]);
    }
    let world = world();
    let other = Examiner {
        version: "2",
        ..examiner(&world)
    };
    let mut found = examine(&world.image, &world.reports, other);
    found.retain(Finding::is_open);
    assert_eq!(found[0].check, "version");
}

#[test]
fn a_tunnel_within_a_network_is_named() {
    let mut world = world();
    let networks = world.image.networks_of(DEFAULT_TENANT);
    let subnets: Vec<_> = networks.map(|(_, n)| n.parsed.subnet.claimed()).collect();
    let within = subnets[0].last.to_string();
    join(&mut world, "h2", Some(&within));
    let found = open(&world);
    assert!(
        found
            .iter()
            .any(|f| f.check == "address-conflict" && f.host == "h2"),
        "{found:?}"
    );
}

/// Writes what no decision would.
fn forge(world: &mut World, key: &Key, state: &AddressState) {
    let key = key.to_string();
    let number = world.image.number_of(&key);
    let transaction = Transaction {
        compares: vec![Compare {
            key: key.clone(),
            number,
        }],
        writes: vec![Write::Put {
            key,
            value: serde_json::to_vec(state).unwrap().into(),
        }],
        ..Transaction::default()
    };
    world.commit(transaction).unwrap();
}

#[test]
fn what_leaks_is_named_and_freed_and_the_rest_stays() {
    let mut world = world();
    endpoint(&mut world, "h1", "living");
    endpoint(&mut world, "ghost", "lost");
    let number = world.image.network("default:n1").unwrap().record.number;
    let of = |last: u8| {
        Key::Address(
            number,
            std::net::Ipv4Addr::from_bits(
                world.image.endpoint("living").unwrap().ipv4.to_bits() + u32::from(last),
            )
            .into(),
        )
    };
    let keys = [of(20), of(21), of(22), of(23)];
    let states = [
        AddressState::Bound {
            endpoint: "nobody".into(),
            host: "h1".into(),
            reserved: None,
        },
        AddressState::Auxiliary {
            docker_network: "none".into(),
            host: "h1".into(),
        },
        AddressState::Draining {
            endpoint: "old".into(),
            host: None,
            awaited: ["gone".to_owned()].into(),
            reserved: None,
        },
        AddressState::Draining {
            endpoint: "old".into(),
            host: None,
            awaited: ["h1".to_owned()].into(),
            reserved: None,
        },
    ];
    for (key, state) in keys.iter().zip(&states) {
        forge(&mut world, key, state);
    }
    assert_eq!(checks(&world), ["leaked-address"; 4]);
    let mut freed = 0;
    loop {
        let mended = mend(&world.image, &world.reports);
        let some = world.grant(mended).len();
        if some == 0 {
            break;
        }
        freed += some;
    }
    // The lost endpoint's own address drained at its host for a moment.
    assert_eq!((freed, checks(&world).len()), (5, 0));
    assert!(world.image.endpoint("living").is_some());
    assert!(world.image.endpoint("lost").is_none());
    assert!(world.image.number_of(&keys[3].to_string()) > 0);
}
