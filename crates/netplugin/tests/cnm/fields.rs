//! Fields that are missing, of another type, or make no sense.

use serde_json::{Value, json};

use crate::rig::{Rig, endpoint};

#[test]
fn calls_with_missing_or_strange_fields_are_refused_with_a_reason() {
    let rig = Rig::new();
    rig.docker_network("dn", json!({"network": "net"}));
    let ask = |pool: &str, address: &str| json!({"PoolID": pool, "Address": address});
    let generic = |options: Value| json!({"com.docker.network.generic": options});
    let network = |options: Value, v4: Value| json!({"NetworkID": "dx", "Options": options, "IPv4Data": v4, "IPv6Data": null});
    let pool = json!([{"Pool": "10.1.2.0/24", "Gateway": "10.1.2.254/24"}]);
    let mut ports = endpoint("dn", "e1", "10.1.2.7/24");
    ports["Options"]["com.docker.network.portmap"] =
        json!([{"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080}]);
    let mut mac = endpoint("dn", "e1", "10.1.2.7/24");
    mac["Interface"]["MacAddress"] = "not a mac".into();
    let mut six = endpoint("dn", "e1", "10.1.2.7/24");
    six["Interface"]["AddressIPv6"] = "10.1.2.8/24".into();
    let table: Vec<(&str, Value, &str)> = vec![
        ("IpamDriver.RequestAddress", json!({}), "PoolID"),
        ("IpamDriver.RequestAddress", ask("nobody's", ""), "nobody's"),
        (
            "IpamDriver.RequestAddress",
            ask("default/gone|v4", ""),
            "gone",
        ),
        ("IpamDriver.RequestAddress", ask("gone/net|v4", ""), "gone"),
        (
            "IpamDriver.RequestAddress",
            ask("default/net/gone|v4", ""),
            "gone",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/bare/web|v4", ""),
            "belongs to network net",
        ),
        ("IpamDriver.RequestAddress", ask("default/net|v6", ""), ""),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "not an address"),
            "not an address",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "10.9.9.9"),
            "10.9.9.9",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "10.1.2.254"),
            "10.1.2.254",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "10.1.2.0"),
            "10.1.2.0",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "10.1.2.255"),
            "10.1.2.255",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("default/net|v4", "2001:db8::1"),
            "2001:db8::1",
        ),
        (
            "IpamDriver.RequestAddress",
            ask("10.9.0.0/24", ""),
            "10.9.0.0/24",
        ),
        (
            "IpamDriver.RequestAddress",
            json!({"PoolID": 7}),
            "cannot be read",
        ),
        (
            "IpamDriver.RequestPool",
            json!({"Options": "none"}),
            "cannot be read",
        ),
        ("NetworkDriver.CreateNetwork", json!({}), "NetworkID"),
        ("NetworkDriver.CreateNetwork", json!([1]), "cannot be read"),
        (
            "NetworkDriver.CreateNetwork",
            network(json!({}), json!(null)),
            "IPv4 pool",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(json!({}), json!([{"Pool": "x"}])),
            "subnet",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(generic(json!({"network": "gone"})), pool.clone()),
            "gone",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(generic(json!({"network": "bare"})), pool.clone()),
            "10.1.2.0/24",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(generic(json!({"group": "gone"})), pool.clone()),
            "gone",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(generic(json!({"tenant": "blue"})), pool.clone()),
            "without network",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(generic(json!({"colour": "red"})), pool.clone()),
            "colour",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(json!({"com.docker.network.internal": true}), pool.clone()),
            "--internal",
        ),
        (
            "NetworkDriver.CreateNetwork",
            network(json!({}), json!([pool[0], pool[0]])),
            "one subnet",
        ),
        ("NetworkDriver.CreateEndpoint", json!({}), "EndpointID"),
        (
            "NetworkDriver.CreateEndpoint",
            json!({"EndpointID": "e1"}),
            "NetworkID",
        ),
        (
            "NetworkDriver.CreateEndpoint",
            endpoint("unheard-of", "e1", "10.1.2.7/24"),
            "unheard-of",
        ),
        (
            "NetworkDriver.CreateEndpoint",
            endpoint("dn", "e1", "not an address"),
            "not an address",
        ),
        (
            "NetworkDriver.CreateEndpoint",
            endpoint("dn", "e1", "10.9.9.9/24"),
            "10.9.9.9",
        ),
        (
            "NetworkDriver.CreateEndpoint",
            endpoint("dn", "e1", "10.1.2.254/24"),
            "10.1.2.254",
        ),
        (
            "NetworkDriver.CreateEndpoint",
            ports,
            "an address of its own",
        ),
        ("NetworkDriver.CreateEndpoint", mac, "MAC"),
        ("NetworkDriver.CreateEndpoint", six, "not IPv6"),
        ("NetworkDriver.Join", json!({}), ""),
        (
            "NetworkDriver.Join",
            json!({"NetworkID": "dn", "EndpointID": "unheard-of"}),
            "unheard-of",
        ),
    ];
    for (call, body, reason) in table {
        rig.refused(call, body, reason);
    }
    // None of it has left a trace.
    assert_eq!(rig.in_kernel(), [""; 0]);
    rig.soon_held(&[]);
    let bindings = rig.api("GET", "/agent/v1/hosts/h1/docker-networks/dx", None);
    assert_eq!(bindings.status, 404, "{}", bindings.text);
}

#[test]
fn null_and_absent_read_as_empty() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    for interface in [json!(null), json!({}), json!({"Address": address})] {
        let id = format!("e-{interface}").replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let body =
            json!({"NetworkID": "dn", "EndpointID": id, "Interface": interface, "Options": null});
        let answer = rig.ok("NetworkDriver.CreateEndpoint", body);
        let given = interface["Address"].is_string();
        assert_eq!(answer["Interface"]["Address"].is_null(), given, "{answer}");
        assert!(answer["Interface"]["MacAddress"].is_string(), "{answer}");
        rig.ok(
            "NetworkDriver.DeleteEndpoint",
            json!({"NetworkID": "dn", "EndpointID": id}),
        );
    }
    rig.soon_held(&[]);
}
