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

#[test]
fn a_tenant_whose_policy_is_refused_keeps_nobody_else_from_joining() {
    let rig = Rig::new();
    let blue = rig.docker_network("bn", json!({"tenant": "blue", "network": "net"}));
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("bn", "theirs", &rig.address(&blue));
    let number = rig.plane.state().endpoints["theirs"].tenant;
    rig.plane.state().refused_tenant = Some(number);
    // Made after the refusal: the kernel must hold their revision before they join.
    rig.endpoint("bn", "late", &rig.address(&blue));
    rig.endpoint("dn", "ours", &rig.address(&pool));
    let join = |network: &str, id: &str| json!({"NetworkID": network, "EndpointID": id, "SandboxKey": format!("/netns/{id}")});
    rig.ok("NetworkDriver.Join", join("dn", "ours"));
    let why = "rule 7 of policy web: the kernel refuses it";
    rig.refused("NetworkDriver.Join", join("bn", "late"), why);
    let problems = || {
        let hosts = rig.api("GET", "/api/v1/hosts/", None);
        let told = hosts.text.contains("PolicyRefused") && hosts.text.contains(why);
        if told { Ok(()) } else { Err(hosts.text) }
    };
    wait_for(Duration::from_secs(10), "the tenant's problem", problems).unwrap();
    rig.plane.state().refused_tenant = None;
    // Any change has the kernel filled anew.
    rig.endpoint("dn", "next", &rig.address(&pool));
    wait_for(Duration::from_secs(10), "the endpoint to be let in", || {
        let body = join("bn", "late").to_string();
        let (status, text) = rig.send("POST", "NetworkDriver.Join", &body);
        if status == 200 { Ok(()) } else { Err(text) }
    })
    .unwrap();
}
