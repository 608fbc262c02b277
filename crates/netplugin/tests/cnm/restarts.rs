//! Engine, agent and master start again, in the middle of things.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::{Rig, endpoint};

#[test]
fn an_engine_that_starts_again_asks_for_capabilities_and_goes_on() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "old", &rig.address(&pool));
    for _ in 0..2 {
        for call in [
            "Plugin.Activate",
            "NetworkDriver.GetCapabilities",
            "IpamDriver.GetCapabilities",
            "IpamDriver.GetDefaultAddressSpaces",
        ] {
            rig.ok(call, json!({}));
        }
        // No CreateNetwork comes again; an engine that replays pools gets the same ones.
        let replay = json!({"Pool": "10.1.2.0/24", "Options": {"network": "net"}});
        assert_eq!(rig.ok("IpamDriver.RequestPool", replay)["PoolID"], *pool);
    }
    // What the dead engine had left is deleted first, then the container starts anew.
    rig.ok(
        "NetworkDriver.DeleteEndpoint",
        json!({"NetworkID": "dn", "EndpointID": "old"}),
    );
    rig.ok(
        "IpamDriver.ReleaseAddress",
        json!({"PoolID": pool, "Address": "10.1.2.1"}),
    );
    rig.endpoint("dn", "new", &rig.address(&pool));
    assert_eq!(rig.in_kernel(), ["new"]);
}

#[test]
fn an_agent_that_starts_again_knows_networks_and_endpoints() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    rig.start_agent();
    assert_eq!(rig.in_kernel(), ["e1"], "nothing is torn down");
    // Between CreateEndpoint and Join, and between an address and its endpoint.
    let join = json!({"NetworkID": "dn", "EndpointID": "e1", "SandboxKey": "/netns/1"});
    rig.ok("NetworkDriver.Join", join);
    let second = rig.address(&pool);
    assert_ne!(second, address);
    rig.start_agent();
    rig.endpoint("dn", "e2", &second);
    rig.start_agent();
    for id in ["e1", "e2"] {
        rig.ok(
            "NetworkDriver.DeleteEndpoint",
            json!({"NetworkID": "dn", "EndpointID": id}),
        );
    }
    assert_eq!(rig.in_kernel(), [""; 0]);
    rig.soon_held(&[]);
    rig.ok("NetworkDriver.DeleteNetwork", json!({"NetworkID": "dn"}));
}

#[test]
fn the_socket_of_an_agent_that_is_away_stays_in_its_place() {
    let mut rig = Rig::new();
    rig.stop_agent();
    // The file is there, so that an engine waits for the agent instead of forgetting it.
    rig.start_agent();
    rig.ok("Plugin.Activate", json!({}));
}

#[test]
fn without_a_master_calls_fail_in_time_and_name_it() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    rig.kill_master();
    let started = Instant::now();
    let ask = json!({"PoolID": pool, "Address": "", "Options": null});
    rig.refused("IpamDriver.RequestAddress", ask, "127.0.0.1:9999");
    let late = endpoint("dn", "e2", "10.1.2.9/24");
    rig.refused("NetworkDriver.CreateEndpoint", late, "127.0.0.1:9999");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    // What needs no master goes on: this endpoint's grant is known, and a deletion is remembered.
    let ids = json!({"NetworkID": "dn", "EndpointID": "e1"});
    rig.ok("NetworkDriver.Leave", ids.clone());
    rig.ok("NetworkDriver.DeleteEndpoint", ids);
    assert_eq!(rig.in_kernel(), [""; 0]);
    rig.start_master();
    rig.soon_held(&[]);
    rig.endpoint("dn", "e3", &rig.address(&pool));
}
