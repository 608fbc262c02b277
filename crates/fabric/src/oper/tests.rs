#![allow(clippy::unwrap_used, reason = "a test")]

use contiv_model::agent::{EndpointRequest, EndpointStatus, ObjectRef, Revision};
use contiv_model::inspect::Condition;
use contiv_model::object::{EndpointGroup, Network, Policy};

use super::*;
use crate::reports::HostReport;
use crate::world::World;

/// Tenant `default` with network `n`, group `g` of policy `p` with a pool, and two
/// endpoints on host `h1`: `plain` in the network, `grouped` in the group.
fn world() -> World {
    let mut world = World::new();
    world.image.set_epoch(1);
    let (stamp, reports) = (world.stamp(), world.reports.clone());
    let network = Network {
        tenant_name: "default".into(),
        network_name: "n".into(),
        encap: "vxlan".into(),
        subnet: "60.1.1.0/28".into(),
        gateway: "60.1.1.14".into(),
        ..Network::default()
    };
    world.grant(crate::put_network(
        &world.image,
        &reports,
        &stamp,
        &network,
        None,
    ));
    let policy = Policy {
        tenant_name: "default".into(),
        policy_name: "p".into(),
        ..Policy::default()
    };
    world.grant(crate::put_policy(&world.image, &stamp, &policy, None));
    let group = EndpointGroup {
        tenant_name: "default".into(),
        group_name: "g".into(),
        network_name: "n".into(),
        ip_pool: "60.1.1.5-60.1.1.7".into(),
        policies: vec!["p".into()],
        ..EndpointGroup::default()
    };
    world.grant(crate::put_group(&world.image, &stamp, &group, None));
    for (id, group) in [("plain", None), ("grouped", Some("g".to_owned()))] {
        let request = EndpointRequest {
            pool: PoolRef {
                tenant: "default".into(),
                network: "n".into(),
                group,
            },
            ipv4: None,
            ipv6: None,
            mac: None,
            replaces: None,
            of_swarm: false,
            begins: false,
        };
        let made = crate::put_endpoint(&world.image, 1, "h1", id, &request);
        world.grant(made);
    }
    world
}

fn object(kind: ObjectKind, key: &str) -> ObjectRef {
    ObjectRef {
        kind,
        key: key.into(),
    }
}

fn report(number: u64, realised: &[ObjectRef]) -> HostReport {
    HostReport {
        live: true,
        applied: Revision { epoch: 1, number },
        realised: realised.to_vec(),
        ..HostReport::default()
    }
}

fn facts(conditions: &[Condition]) -> Vec<(&str, bool, &str)> {
    conditions
        .iter()
        .map(|c| (c.kind.as_str(), c.status, c.host.as_str()))
        .collect()
}

#[test]
fn documents_count_name_and_list() {
    let mut world = world();
    let status = EndpointStatus {
        container_id: "c0ffee".into(),
        container_name: "/web".into(),
        interface: "cv1".into(),
        private_address: Some("172.19.0.9".parse().unwrap()),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        drops: [("policy".to_owned(), 3)].into(),
    };
    let mut host = report(0, &[]);
    host.endpoints.insert("grouped".into(), status);
    world.reports.hosts.insert("h1".into(), host);
    let (image, reports) = (&world.image, &world.reports);

    let network = network(image, reports, "default:n").unwrap();
    assert_eq!((network.pkt_tag, network.external_pkt_tag), (0, 1));
    assert_eq!(
        network.allocated_ip_addresses,
        "60.1.1.1, 60.1.1.5, 60.1.1.14"
    );
    assert_eq!(
        network.available_ip_addresses,
        "60.1.1.2-60.1.1.4, 60.1.1.8-60.1.1.13"
    );
    assert_eq!(
        (network.allocated_addresses_count, network.num_endpoints),
        (3, 2)
    );
    assert_eq!(network.network_tag, "n.default");

    let group = group(image, reports, "default:g").unwrap();
    assert_eq!(group.allocated_ip_addresses, "60.1.1.5");
    assert_eq!(group.available_ip_addresses, "60.1.1.6-60.1.1.7");
    let [endpoint] = group.endpoints.as_slice() else {
        panic!("one endpoint: {:?}", group.endpoints);
    };
    assert_eq!(endpoint.network, "n.default");
    assert_eq!(
        (endpoint.service_name.as_str(), endpoint.endpoint_group_id),
        ("g", 1)
    );
    assert_eq!(endpoint.endpoint_group_key, "g:default");
    assert_eq!(endpoint.ip_address, ["60.1.1.5"]);
    assert_eq!(endpoint.labels, "map[app:web]");
    assert_eq!(endpoint.virtual_port, "vcv1");
    assert_eq!(endpoint.private_address, "172.19.0.9");
    assert_eq!(endpoint.drops["policy"], 3);

    let policy = policy(image, reports, "default:p").unwrap();
    assert_eq!((policy.num_endpoints, policy.endpoints.len()), (1, 1));
    let tenant = tenant(image, reports, "default").unwrap();
    assert_eq!((tenant.total_networks, tenant.total_epgs), (1, 1));
    assert_eq!((tenant.total_policies, tenant.total_endpoints), (1, 2));
    let global = global(image, reports);
    assert_eq!((global.num_networks, global.free_vxlans_start), (1, 2));
    assert_eq!(
        (global.vlans_in_use.as_str(), global.vxlans_in_use.as_str()),
        ("", "1")
    );

    for text in ["group", "grouped", "c0f", "web"] {
        assert_eq!(
            find_endpoint(image, reports, text).unwrap().id,
            "grouped",
            "{text}"
        );
    }
    assert!(find_endpoint(image, reports, "nothing").is_none());
}

#[test]
fn conditions_say_on_which_host_what_is_missing() {
    let mut world = world();
    let network_ref = object(ObjectKind::Network, "default:n");
    let conditions = |world: &World| {
        network(&world.image, &world.reports, "default:n")
            .unwrap()
            .conditions
    };
    assert_eq!(facts(&conditions(&world)), [("Ready", true, "")]);

    let now = world.image.number();
    let hosts = &mut world.reports.hosts;
    hosts.insert("h1".into(), report(now, std::slice::from_ref(&network_ref)));
    hosts.insert("h2".into(), report(now, &[]));
    hosts.insert("h3".into(), HostReport::default());
    let expected = [
        ("Ready", false, ""),
        ("Realised", true, "h1"),
        ("Realised", false, "h2"),
    ];
    assert_eq!(facts(&conditions(&world)), expected);

    let problem = Problem {
        object: network_ref.clone(),
        reason: "NameTaken".into(),
        message: "another network is called n".into(),
    };
    world
        .reports
        .hosts
        .get_mut("h2")
        .unwrap()
        .problems
        .push(problem);
    let with_problem = conditions(&world);
    assert_eq!(
        facts(&with_problem)[2..],
        [("Realised", false, "h2"), ("NameTaken", true, "h2")]
    );
    assert_eq!(with_problem[2].reason, "NameTaken");
    assert!(
        with_problem[0]
            .message
            .contains("h2: another network is called n")
    );

    world
        .reports
        .hosts
        .insert("h2".into(), report(0, &[network_ref]));
    let late = conditions(&world);
    assert!(
        late[0].message.contains("h2 has not applied it yet"),
        "{late:?}"
    );
    world.reports.hosts.get_mut("h2").unwrap().applied.number = now;
    assert!(conditions(&world)[0].status);
}

#[test]
fn an_endpoint_is_ready_when_its_own_host_has_it() {
    let mut world = world();
    let ready = |world: &World| {
        let record = world.image.endpoint("plain").unwrap();
        let conditions = endpoint(&world.image, &world.reports, record).conditions;
        assert_eq!(conditions.len(), 1);
        conditions[0].status
    };
    world.reports.hosts.insert("h2".into(), report(0, &[]));
    assert!(!ready(&world), "its host is away");
    world
        .reports
        .hosts
        .insert("h1".into(), report(world.image.number(), &[]));
    assert!(ready(&world));
    assert!(rule(&world.image, &world.reports, "default:p:1").is_none());
}

fn problem(kind: ObjectKind, key: &str, reason: &str) -> Problem {
    Problem {
        object: object(kind, key),
        reason: reason.into(),
        message: format!("{reason} of {key}"),
    }
}

#[test]
fn a_host_that_could_not_put_a_policy_in_force_refuses_it() {
    let mut world = world();
    let now = world.image.number();
    let mut refusing = report(now, &[]);
    refusing.problems = vec![
        problem(ObjectKind::Network, "default:n", "NameTaken"),
        problem(ObjectKind::Tenant, "other", "PolicyRefused"),
        problem(ObjectKind::Tenant, "default", "TablesFull"),
    ];
    let behind = HostReport {
        applied: Revision {
            epoch: 1,
            number: 0,
        },
        ..refusing.clone()
    };
    let hosts = [("h1", report(now, &[])), ("h2", refusing), ("h3", behind)];
    let hosts = hosts.map(|(name, report)| (name.to_owned(), report));
    world.reports.hosts.extend(hosts);
    let oper = policy(&world.image, &world.reports, "default:p").unwrap();
    let states: Vec<_> = oper
        .hosts
        .iter()
        .map(|h| (&*h.host, &*h.state, &*h.reason, &*h.message))
        .collect();
    let expected = [
        ("h1", "current", "", ""),
        ("h2", "refused", "TablesFull", "TablesFull of default"),
        ("h3", "behind", "", ""),
    ];
    assert_eq!(states, expected);
    let expected = [
        ("Ready", false, ""),
        ("TablesFull", true, "h2"),
        ("TablesFull", true, "h3"),
    ];
    assert_eq!(facts(&oper.conditions), expected);
    let ready = &oper.conditions[0].message;
    assert!(ready.contains("h2: TablesFull of default"), "{ready}");
}

#[test]
fn what_a_host_applied_before_a_restore_is_not_what_there_is_now() {
    let mut world = world();
    let number = world.image.number();
    let network_ref = object(ObjectKind::Network, "default:n");
    let host = report(number + 100, std::slice::from_ref(&network_ref));
    world.reports.hosts.insert("h1".into(), host);
    let look = |world: &World| {
        let policy = policy(&world.image, &world.reports, "default:p").unwrap();
        let network = network(&world.image, &world.reports, "default:n").unwrap();
        let conditions = [&policy.conditions[0], &network.conditions[0]];
        let ready = conditions.map(|condition| condition.status);
        (policy.revision, policy.hosts[0].state.clone(), ready)
    };
    let own = world.image.policy_number("default:p");
    let state =
        |epoch: u64, state: &str, ready| (format!("{epoch}.{own}"), state.to_owned(), ready);
    assert_eq!(look(&world), state(1, "current", [true; 2]));
    world.image.set_epoch(2);
    assert_eq!(look(&world), state(2, "behind", [false; 2]));
    world.reports.hosts.get_mut("h1").unwrap().applied.epoch = 2;
    assert_eq!(look(&world), state(2, "current", [true; 2]));
}
