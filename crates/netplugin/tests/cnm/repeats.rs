//! The engine says things twice: the second answer is the first one.

use serde_json::{Value, json};

use crate::rig::{Rig, endpoint};

#[test]
fn calls_that_are_repeated_are_answered_again() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    assert_eq!(rig.docker_network("dn", json!({"network": "net"})), pool);
    let address = rig.address(&pool);
    let join = json!({"NetworkID": "dn", "EndpointID": "e1", "SandboxKey": "/netns/1"});
    let ids = json!({"NetworkID": "dn", "EndpointID": "e1"});
    let twice = |call: &str, body: Value| {
        let first = rig.ok(call, body.clone());
        assert_eq!(rig.ok(call, body), first, "{call}");
    };
    twice(
        "NetworkDriver.CreateEndpoint",
        endpoint("dn", "e1", &address),
    );
    twice("NetworkDriver.Join", join);
    assert_eq!(rig.in_kernel(), ["e1"]);
    rig.soon_held(&["10.1.2.1"]);
    twice("NetworkDriver.Leave", ids.clone());
    twice("NetworkDriver.DeleteEndpoint", ids);
    twice(
        "IpamDriver.ReleaseAddress",
        json!({"PoolID": pool, "Address": "10.1.2.1"}),
    );
    twice("IpamDriver.ReleasePool", json!({"PoolID": pool}));
    twice("NetworkDriver.DeleteNetwork", json!({"NetworkID": "dn"}));
    assert_eq!(rig.in_kernel(), [""; 0]);
    rig.soon_held(&[]);
}

#[test]
fn an_endpoint_is_not_made_anew_with_another_address() {
    let rig = Rig::new();
    rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "e1", "10.1.2.7/24");
    let other = endpoint("dn", "e1", "10.1.2.8/24");
    rig.refused("NetworkDriver.CreateEndpoint", other, "");
    assert_eq!(
        rig.plane.state().endpoints["e1"].ipv4.to_string(),
        "10.1.2.7"
    );
    rig.soon_held(&["10.1.2.7"]);
}

#[test]
fn a_docker_network_is_not_bound_anew_to_another_network() {
    let rig = Rig::new();
    rig.docker_network("dn", json!({"network": "net"}));
    let pool = json!([{"Pool": "10.1.3.0/24", "Gateway": "10.1.3.0/24"}]);
    let other = json!({"NetworkID": "dn", "IPv4Data": pool,
        "Options": {"com.docker.network.generic": {"network": "bare"}}});
    rig.refused(
        "NetworkDriver.CreateNetwork",
        other,
        "stands for network net",
    );
    rig.endpoint("dn", "e1", "10.1.2.7/24");
}

#[test]
fn two_docker_networks_on_one_pool_go_in_either_order() {
    for [first, last] in [["d1", "d2"], ["d2", "d1"]] {
        let rig = Rig::new();
        for id in ["d1", "d2"] {
            rig.docker_network(id, json!({"network": "net"}));
        }
        for id in [first, last] {
            rig.endpoint(id, "e1", &rig.address("default/net|v4"));
            let ids = json!({"NetworkID": id, "EndpointID": "e1"});
            rig.ok("NetworkDriver.DeleteEndpoint", ids);
            let gateway = json!({"PoolID": "default/net|v4", "Address": "10.1.2.254"});
            rig.ok("IpamDriver.ReleaseAddress", gateway.clone());
            rig.ok(
                "IpamDriver.ReleasePool",
                json!({"PoolID": "default/net|v4"}),
            );
            rig.ok("NetworkDriver.DeleteNetwork", json!({"NetworkID": id}));
            rig.refused("IpamDriver.RequestAddress", gateway, "10.1.2.254");
            rig.soon_held(&[]);
        }
        rig.refused(
            "NetworkDriver.CreateEndpoint",
            endpoint(last, "e1", ""),
            last,
        );
    }
}
