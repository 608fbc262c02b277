//! First words, strange words, and words to nobody.

use serde_json::{Value, json};

use crate::rig::Rig;

#[test]
fn the_driver_introduces_itself() {
    let rig = Rig::new();
    let introductions = [
        (
            "Plugin.Activate",
            json!({"Implements": ["NetworkDriver", "IpamDriver"]}),
        ),
        (
            "NetworkDriver.GetCapabilities",
            json!({"Scope": "local", "ConnectivityScope": "global"}),
        ),
        ("IpamDriver.GetCapabilities", json!({})),
        (
            "IpamDriver.GetDefaultAddressSpaces",
            json!({"LocalDefaultAddressSpace": "contiv-local",
                "GlobalDefaultAddressSpace": "contiv-global"}),
        ),
    ];
    // Engines send nothing, an empty object, or more than they need to.
    for body in ["", " \n", "{}", "null", r#"{"Unheard": [1, {"of": null}]}"#] {
        for (call, answer) in &introductions {
            let (status, text) = rig.send("POST", call, body);
            assert_eq!(status, 200, "{call} {body:?}: {text}");
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                *answer,
                "{call}"
            );
        }
    }
}

#[test]
fn calls_without_anything_to_do_succeed() {
    let rig = Rig::new();
    let ids = json!({"NetworkID": "n", "EndpointID": "e"});
    let node = json!({"DiscoveryType": 1, "DiscoveryData": {"Address": "192.0.2.1", "self": true}});
    for (call, body) in [
        (
            "IpamDriver.ReleasePool",
            json!({"PoolID": "default/net|v4"}),
        ),
        ("IpamDriver.ReleasePool", json!({"PoolID": "nobody's"})),
        ("IpamDriver.DiscoverNew", node.clone()),
        ("IpamDriver.DiscoverDelete", node.clone()),
        ("NetworkDriver.DiscoverNew", node.clone()),
        ("NetworkDriver.DiscoverDelete", node),
        ("NetworkDriver.ProgramExternalConnectivity", ids.clone()),
        ("NetworkDriver.RevokeExternalConnectivity", ids.clone()),
    ] {
        assert_eq!(rig.ok(call, body), json!({}), "{call}");
    }
    assert_eq!(
        rig.ok("NetworkDriver.EndpointOperInfo", ids),
        json!({"Value": {}})
    );
}

#[test]
fn goodbyes_to_strangers_succeed() {
    let rig = Rig::new();
    let ids = json!({"NetworkID": "unheard", "EndpointID": "of"});
    for (call, body) in [
        ("NetworkDriver.Leave", ids.clone()),
        ("NetworkDriver.Leave", json!({})),
        ("NetworkDriver.DeleteEndpoint", ids.clone()),
        ("NetworkDriver.DeleteEndpoint", json!({})),
        ("NetworkDriver.DeleteNetwork", ids),
        ("NetworkDriver.DeleteNetwork", json!({})),
        ("IpamDriver.ReleaseAddress", json!({})),
        (
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": "nobody's", "Address": "10.1.2.7"}),
        ),
        (
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": "default/net|v4", "Address": "x"}),
        ),
        (
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": "default/net|v4", "Address": "10.1.2.7"}),
        ),
        (
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": "gone/net|v4", "Address": "10.1.2.7"}),
        ),
        (
            "IpamDriver.ReleaseAddress",
            json!({"PoolID": "10.9.0.0/24", "Address": "10.9.0.7"}),
        ),
    ] {
        assert_eq!(rig.ok(call, body), json!({}), "{call}");
    }
}

#[test]
fn unknown_calls_are_not_found_and_gets_are_not_calls() {
    let rig = Rig::new();
    for call in [
        "",
        "Nonsense",
        "NetworkDriver.Nonsense",
        "NetworkDriver.AllocateNetwork",
        "NetworkDriver.FreeNetwork",
        "NetworkDriver.GwAllocCheck",
        "networkdriver.join",
    ] {
        let (status, text) = rig.send("POST", call, "{}");
        assert_eq!(status, 404, "{call}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["Err"], answer["Error"]);
    }
    for method in ["GET", "PUT", "DELETE"] {
        let (status, _) = rig.send(method, "Plugin.Activate", "");
        assert_eq!(status, 405, "{method}");
    }
}

#[test]
fn bodies_that_are_no_json_are_refused_by_every_call() {
    let rig = Rig::new();
    for call in [
        "Plugin.Activate",
        "NetworkDriver.GetCapabilities",
        "NetworkDriver.CreateNetwork",
        "NetworkDriver.DeleteNetwork",
        "NetworkDriver.CreateEndpoint",
        "NetworkDriver.EndpointOperInfo",
        "NetworkDriver.DeleteEndpoint",
        "NetworkDriver.Join",
        "NetworkDriver.Leave",
        "IpamDriver.RequestPool",
        "IpamDriver.ReleasePool",
        "IpamDriver.RequestAddress",
        "IpamDriver.ReleaseAddress",
    ] {
        for body in ["{", "not JSON", "{\"NetworkID\": }", "\u{0}"] {
            let (status, text) = rig.send("POST", call, body);
            assert_eq!(status, 500, "{call} {body:?}: {text}");
            assert!(
                text.contains(call) && text.contains("cannot be read"),
                "{text}"
            );
        }
    }
    // The next call finds a driver that is well.
    rig.ok("Plugin.Activate", json!({}));
}
