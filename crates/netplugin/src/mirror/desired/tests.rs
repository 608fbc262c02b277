//! The host's own interfaces, and what stands in their way.

use contiv_datapath::{Cause, Shortfall, Subject};
use contiv_model::agent::{EndpointView, HostObject, Mac, Revision, StreamMessage, TakenPrefix};

use super::*;
use crate::mirror::tests::{network, tenant};

fn infra(of: &str, name: &str, number: u32, subnet: &str) -> HostObject {
    match network(of, name, number, subnet) {
        HostObject::Network(network) => HostObject::Network(NetworkView {
            infra: true,
            ..network
        }),
        other => other,
    }
}

fn foothold(of: &str, network: &str, host: &str, ipv4: &str) -> HostObject {
    let foothold = Foothold {
        tenant: of,
        network,
        host,
    };
    HostObject::Endpoint(EndpointView {
        id: foothold.to_string(),
        tenant: of.into(),
        network: network.into(),
        group: None,
        host: host.into(),
        ipv4: ipv4.parse().unwrap(),
        ipv6: None,
        mac: Mac::default(),
    })
}

fn mirror() -> Mirror {
    let mut mirror = Mirror::default();
    mirror.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects: vec![
            tenant("default", 1),
            tenant("blue", 2),
            network("default", "net", 1, "10.1.0.0/16"),
            infra("default", "contivh1", 2, "10.9.0.0/24"),
            infra("blue", "theirs", 3, "10.8.0.0/24"),
            foothold("default", "contivh1", "h1", "10.9.0.1"),
            foothold("default", "contivh1", "h2", "10.9.0.2"),
            foothold("blue", "theirs", "h1", "10.8.0.1"),
        ],
    });
    mirror
}

fn around(taken: &str) -> Surroundings {
    let taken = TakenPrefix {
        prefix: taken.parse().unwrap(),
        by: "address of eth1".into(),
    };
    Surroundings {
        host: "h1".into(),
        mtu: 1500,
        taken: vec![taken],
        ..Surroundings::default()
    }
}

#[test]
fn the_hosts_interfaces_are_those_of_its_own_name() {
    let wanted = desired(&mirror(), &around("192.0.2.0/24"));
    let made: Vec<_> = wanted.desired.footholds.iter().collect();
    let named = |(id, name): (&String, &String)| format!("{id} {name}");
    let made: Vec<String> = made.into_iter().map(named).collect();
    let expected = ["blue:theirs@h1 theirs", "default:contivh1@h1 contivh1"];
    assert_eq!(made, expected);
    assert_eq!(wanted.desired.local.len(), 2);
    let ways = wanted.desired.networks.iter();
    let ways: Vec<u32> = ways.filter(|(_, n)| n.of_hosts).map(|(n, _)| *n).collect();
    assert_eq!(ways, [2], "the one named so, of the default tenant");
    assert_eq!(wanted.problems, []);
}

#[test]
fn a_prefix_of_the_hosts_own_keeps_its_interface_away() {
    let wanted = desired(&mirror(), &around("10.8.0.128/25"));
    assert!(!wanted.desired.footholds.contains_key("blue:theirs@h1"));
    assert!(!wanted.desired.local.contains_key("blue:theirs@h1"));
    assert_eq!(wanted.problems.len(), 1);
    assert_eq!(wanted.problems[0].object.key, "blue:theirs");
    assert_eq!(wanted.problems[0].reason, "SubnetTaken");
}

#[test]
fn a_network_that_the_host_reaches_already_comes_first() {
    let mut mirror = mirror();
    let late = infra("blue", "late", 4, "10.1.7.0/24");
    mirror.apply(StreamMessage::Change {
        revision: Revision::default(),
        put: vec![late, foothold("blue", "late", "h1", "10.1.7.1")],
        delete: Vec::new(),
    });
    let wanted = desired(&mirror, &around("192.0.2.0/24"));
    assert!(!wanted.desired.footholds.contains_key("blue:late@h1"));
    let [problem] = &wanted.problems[..] else {
        panic!("{:?}", wanted.problems);
    };
    assert!(
        problem.message.contains("network net of tenant default"),
        "{problem:?}"
    );
}

#[test]
fn what_an_interface_lacks_is_the_networks_problem() {
    let shortfall = Shortfall {
        subject: Subject::Endpoint("blue:theirs@h1".into()),
        cause: Cause::Name,
        message: "taken".into(),
    };
    let problem = problem(&mirror(), &shortfall).unwrap();
    let object = (problem.object.kind, problem.object.key.as_str());
    assert_eq!(object, (ObjectKind::Network, "blue:theirs"));
    assert_eq!(problem.reason, "NameTaken");
}
