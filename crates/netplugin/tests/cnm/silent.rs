//! A master that falls silent and closes nothing, beside one that answers.

use std::time::Duration;

use contiv_testbed::wait_for;
use serde_json::json;

use crate::rig::Rig;

/// What the agent may need to miss a master that it has no reason to call.
const MISSED: Duration = Duration::from_secs(20);

/// A rig whose agent listens to a master that can be silenced.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.masters = "http://127.0.0.1:9998,http://127.0.0.1:9999";
    rig.start_agent();
    rig
}

#[test]
fn a_container_starts_while_the_master_that_its_host_listens_to_is_silent() {
    let rig = rig();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.way.block();
    // The other master makes the endpoint, and nobody but it tells of that.
    rig.endpoint("dn", "e1", &rig.address(&pool));
    let join = json!({"NetworkID": "dn", "EndpointID": "e1", "SandboxKey": "/netns/1"});
    rig.ok("NetworkDriver.Join", join);
    assert_eq!(rig.in_kernel(), ["e1"]);
}

#[test]
fn a_silent_master_is_left_even_if_nobody_calls_it() {
    let rig = rig();
    rig.way.block();
    let late = json!({"tenantName": "default", "networkName": "late", "encap": "vxlan",
        "subnet": "10.1.7.0/24"});
    rig.put("networks", "default:late", late);
    let pool = json!({"Pool": "10.1.7.0/24", "Options": {"network": "late"}}).to_string();
    wait_for(MISSED, "the host to hear of a new network", || {
        let (status, text) = rig.send("POST", "IpamDriver.RequestPool", &pool);
        if status == 200 { Ok(()) } else { Err(text) }
    })
    .unwrap();
}
