//! A kernel that refuses: the engine is told why, and nothing is left half-made.

use std::time::{Duration, Instant};

use contiv_testbed::wait_for;
use serde_json::json;

use crate::rig::{Rig, endpoint};

#[test]
fn an_endpoint_that_the_kernel_refuses_is_undone() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.plane.state().refuse_to_add = true;
    let body = endpoint("dn", "e1", &address);
    rig.refused("NetworkDriver.CreateEndpoint", body, "the kernel refuses");
    rig.plane.state().refuse_to_add = false;
    rig.soon_held(&[]);
    assert_eq!(rig.in_kernel(), [""; 0]);
    rig.endpoint("dn", "e2", &rig.address(&pool));
}

#[test]
fn an_endpoint_that_the_kernel_keeps_goes_later_and_its_address_with_it() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "e1", &rig.address(&pool));
    rig.plane.state().refuse_to_remove = true;
    let ids = json!({"NetworkID": "dn", "EndpointID": "e1"});
    rig.ok("NetworkDriver.DeleteEndpoint", ids);
    let release = json!({"PoolID": pool, "Address": "10.1.2.1"});
    rig.ok("IpamDriver.ReleaseAddress", release);
    // Whatever still answers to the address keeps it.
    assert_eq!(rig.address(&pool), "10.1.2.2/24");
    rig.plane.state().refuse_to_remove = false;
    rig.soon_held(&["10.1.2.2"]);
    assert_eq!(rig.in_kernel(), [""; 0]);
}

#[test]
fn nobody_joins_before_the_kernel_holds_the_policy() {
    let mut rig = Rig::new();
    rig.patience = Duration::from_secs(1);
    rig.start_agent();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.plane.state().refuse_to_apply = true;
    rig.endpoint("dn", "e1", &rig.address(&pool));
    let join = json!({"NetworkID": "dn", "EndpointID": "e1", "SandboxKey": "/netns/1"});
    let started = Instant::now();
    rig.refused("NetworkDriver.Join", join.clone(), "no result within 1 s");
    assert!(started.elapsed() < Duration::from_secs(3));
    rig.plane.state().refuse_to_apply = false;
    wait_for(Duration::from_secs(10), "the endpoint to be let in", || {
        let (status, text) = rig.send("POST", "NetworkDriver.Join", &join.to_string());
        if status == 200 { Ok(()) } else { Err(text) }
    })
    .unwrap();
}
