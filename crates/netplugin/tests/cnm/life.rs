//! The lives of containers, in the calls that engine 20.10 makes for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rig::{Rig, endpoint};

fn ids(network: &str, endpoint: &str) -> Value {
    json!({"NetworkID": network, "EndpointID": endpoint})
}

fn join(network: &str, endpoint: &str, sandbox: &str) -> Value {
    json!({"NetworkID": network, "EndpointID": endpoint, "SandboxKey": sandbox, "Options": {}})
}

#[test]
fn a_container_starts_stops_starts_and_goes() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"tenant": "default", "network": "net"}));
    for round in ["first", "second"] {
        let address = rig.address(&pool);
        assert_eq!(address, "10.1.2.1/24", "the lowest free one comes first");
        let made = rig.endpoint("dn", round, &address);
        assert_eq!(
            made,
            json!({"Interface": {"MacAddress": "02:02:0a:01:02:01"}})
        );
        rig.ok("NetworkDriver.EndpointOperInfo", ids("dn", round));
        assert_eq!(rig.in_kernel(), [round]);
        let joined = rig.ok(
            "NetworkDriver.Join",
            join("dn", round, "/var/run/docker/netns/1"),
        );
        let source = joined["InterfaceName"]["SrcName"].as_str().unwrap();
        assert!(!source.is_empty() && source.len() < 16, "{joined}");
        assert_eq!(joined["InterfaceName"]["DstPrefix"], "eth");
        assert_eq!(joined["Gateway"], "10.1.2.254");
        assert_eq!(joined["DisableGatewayService"], false);
        rig.ok(
            "NetworkDriver.ProgramExternalConnectivity",
            ids("dn", round),
        );
        rig.soon_held(&["10.1.2.1"]);
        rig.ok("NetworkDriver.RevokeExternalConnectivity", ids("dn", round));
        rig.ok("NetworkDriver.Leave", ids("dn", round));
        rig.ok("NetworkDriver.DeleteEndpoint", ids("dn", round));
        assert_eq!(
            rig.in_kernel(),
            [""; 0],
            "it is closed before the engine goes on"
        );
        rig.ok(
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": pool, "Address": "10.1.2.1"}),
        );
        rig.soon_held(&[]);
    }
    rig.ok(
        "IpamDriver.ReleaseAddress",
        json!({"PoolID": pool, "Address": "10.1.2.254"}),
    );
    rig.ok("IpamDriver.ReleasePool", json!({"PoolID": pool}));
    rig.ok("NetworkDriver.DeleteNetwork", json!({"NetworkID": "dn"}));
    rig.refused(
        "NetworkDriver.CreateEndpoint",
        endpoint("dn", "late", ""),
        "dn",
    );
}

#[test]
fn a_network_without_a_gateway_keeps_dockers_own_away() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "bare"}));
    rig.endpoint("dn", "e1", &rig.address(&pool));
    let joined = rig.ok("NetworkDriver.Join", join("dn", "e1", "/netns/1"));
    assert!(joined["Gateway"].is_null(), "{joined}");
    assert_eq!(joined["DisableGatewayService"], true);
}

#[test]
fn a_dual_stack_container_has_both_addresses_and_gateways() {
    let rig = Rig::new();
    let options = json!({"network": "six"});
    let pool = rig.docker_network("dn", options);
    let six = json!({"PoolID": "default/six|v6", "Address": "", "Options": null});
    let six = rig.ok("IpamDriver.RequestAddress", six);
    let mut body = endpoint("dn", "e1", &rig.address(&pool));
    body["Interface"]["AddressIPv6"] = six["Address"].clone();
    body["Interface"]["MacAddress"] = "02:42:0a:00:00:07".into();
    let made = rig.ok("NetworkDriver.CreateEndpoint", body);
    assert_eq!(
        made,
        json!({"Interface": {}}),
        "an engine takes more for an error"
    );
    let spec = rig.plane.state().endpoints["e1"].clone();
    assert_eq!(spec.mac, [2, 0x42, 10, 0, 0, 7]);
    assert_eq!(
        format!("{}/64", spec.ipv6.unwrap()),
        six["Address"].as_str().unwrap()
    );
    let joined = rig.ok("NetworkDriver.Join", join("dn", "e1", "/netns/1"));
    assert_eq!(joined["Gateway"], "10.1.4.254");
    assert_eq!(joined["GatewayIPv6"], "2001:db8:4::fe");
}

#[test]
fn equal_addresses_of_two_tenants_are_two_endpoints() {
    let rig = Rig::new();
    let ours = rig.docker_network("d1", json!({"network": "net"}));
    let theirs = rig.docker_network("d2", json!({"tenant": "blue", "network": "net"}));
    let (one, two) = (rig.address(&ours), rig.address(&theirs));
    assert_eq!(one, two);
    rig.endpoint("d1", "e1", &one);
    rig.endpoint("d2", "e2", &two);
    let state = rig.plane.state();
    assert_ne!(state.endpoints["e1"].tenant, state.endpoints["e2"].tenant);
}

#[test]
fn one_sandbox_is_in_several_networks_but_in_none_twice() {
    let rig = Rig::new();
    let net = rig.docker_network("d1", json!({"network": "net"}));
    let bare = rig.docker_network("d2", json!({"network": "bare"}));
    let web = rig.docker_network("d3", json!({"group": "web"}));
    rig.endpoint("d1", "e1", &rig.address(&net));
    rig.endpoint("d2", "e2", &rig.address(&bare));
    rig.endpoint("d3", "e3", &rig.address(&web));
    rig.ok("NetworkDriver.Join", join("d1", "e1", "/netns/1"));
    rig.ok("NetworkDriver.Join", join("d2", "e2", "/netns/1"));
    rig.refused(
        "NetworkDriver.Join",
        join("d3", "e3", "/netns/1"),
        "network net",
    );
    rig.ok("NetworkDriver.Join", join("d3", "e3", "/netns/2"));
    // Once it has left, the other is welcome.
    rig.ok("NetworkDriver.Leave", ids("d3", "e3"));
    rig.ok("NetworkDriver.Leave", ids("d1", "e1"));
    rig.ok("NetworkDriver.Join", join("d3", "e3", "/netns/1"));
}

#[test]
fn an_address_that_was_asked_for_and_never_used_is_given_back_by_release() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    assert_eq!(rig.address(&pool), "10.1.2.1/24");
    assert_eq!(rig.address(&pool), "10.1.2.2/24");
    rig.ok(
        "IpamDriver.ReleaseAddress",
        json!({"PoolID": pool, "Address": "10.1.2.1"}),
    );
    assert_eq!(rig.address(&pool), "10.1.2.1/24");
    let wish = json!({"PoolID": pool, "Address": "10.1.2.99", "Options": null});
    assert_eq!(
        rig.ok("IpamDriver.RequestAddress", wish),
        json!({"Address": "10.1.2.99/24"})
    );
}

#[test]
fn a_live_endpoint_keeps_its_address_whatever_is_released() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    for text in ["10.1.2.1", "10.1.2.1/24"] {
        rig.ok(
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": pool, "Address": text}),
        );
    }
    assert_eq!(rig.address(&pool), "10.1.2.2/24");
    // Its own host may ask for it again, as an engine that restores does; nobody else gets it.
    let wish = json!({"PoolID": pool, "Address": "10.1.2.1", "Options": null});
    rig.ok("IpamDriver.RequestAddress", wish);
    let taken = endpoint("dn", "e2", "10.1.2.1/24");
    rig.refused("NetworkDriver.CreateEndpoint", taken, "10.1.2.1");
    assert_eq!(rig.in_kernel(), ["e1"]);
}

#[test]
fn starts_at_the_same_time_get_different_addresses() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let start = |number: usize| {
        let (id, address) = (format!("e{number}"), rig.address(&pool));
        rig.endpoint("dn", &id, &address);
        rig.ok(
            "NetworkDriver.Join",
            join("dn", &id, &format!("/netns/{number}")),
        );
        address
    };
    let addresses: BTreeSet<String> = std::thread::scope(|scope| {
        let start = &start;
        let threads: Vec<_> = (0..40).map(|n| scope.spawn(move || start(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(addresses.len(), 40);
    assert_eq!(rig.in_kernel().len(), 40);
    let lowest = (1..=40).map(|n| format!("10.1.2.{n}/24")).collect();
    assert_eq!(addresses, lowest, "nothing was skipped");
}
