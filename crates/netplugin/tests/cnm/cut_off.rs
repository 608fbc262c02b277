//! A host that no master answers, and masters that have forgotten a host.

use std::time::Duration;

use contiv_testbed::wait_for;
use serde_json::{Value, json};

use crate::rig::{Rig, endpoint};

/// Longer than an agent takes to tell masters, or to give up an address.
const LIMIT: Duration = Duration::from_secs(15);

/// The endpoints that the master knows, by id.
fn known(rig: &Rig) -> Vec<String> {
    let listed = rig.api("GET", "/api/v1/endpoints/", None).body;
    let ids = listed.as_array().unwrap().iter().map(|e| &e["endpointID"]);
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn soon_known(rig: &Rig, wanted: &[&str]) {
    let look = || match known(rig) {
        known if known == wanted => Ok(()),
        known => Err(format!("{known:?}")),
    };
    wait_for(LIMIT, &format!("the master to know {wanted:?}"), look).unwrap();
}

/// What an engine does when a container starts anew; the address that it got.
fn restart(rig: &Rig, pool: &str, old: &str, new: &str, address: &str) -> String {
    let ids = json!({"NetworkID": "dn", "EndpointID": old});
    rig.ok("NetworkDriver.Leave", ids.clone());
    rig.ok("NetworkDriver.DeleteEndpoint", ids);
    let release = json!({"PoolID": pool, "Address": address});
    rig.ok("IpamDriver.ReleaseAddress", release);
    let again = rig.address(pool);
    rig.endpoint("dn", new, &again);
    let join = json!({"NetworkID": "dn", "EndpointID": new, "SandboxKey": "/netns/1"});
    rig.ok("NetworkDriver.Join", join);
    again
}

#[test]
fn a_container_starts_anew_on_its_address_and_masters_hear_of_it_later() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    rig.kill_master();
    assert_eq!(restart(&rig, &pool, "e1", "e2", &address), address);
    assert_eq!(rig.in_kernel(), ["e2"]);
    // There is but the one; and it may start once more.
    let ask = json!({"PoolID": pool, "Address": "", "Options": null});
    rig.refused("IpamDriver.RequestAddress", ask, "127.0.0.1:9999");
    rig.refused(
        "NetworkDriver.CreateEndpoint",
        endpoint("dn", "late", "10.1.2.9/24"),
        "127.0.0.1:9999",
    );
    assert_eq!(restart(&rig, &pool, "e2", "e3", &address), address);
    rig.start_master();
    soon_known(&rig, &["e3"]);
    rig.soon_held(&["10.1.2.1"]);
    assert_eq!(rig.in_kernel(), ["e3"]);
}

#[test]
fn an_agent_that_has_heard_nothing_says_whom_it_asks() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    rig.kill_master();
    drop(rig.launch_agent());
    let why = "no master has told this host anything since netplugin started; asking \
        http://127.0.0.1:9999";
    for options in [
        json!({"network": "net"}),
        json!({"group": "web"}),
        json!({"contiv-tag": "t"}),
    ] {
        let ask = json!({"Pool": "10.1.2.0/24", "Options": options});
        rig.refused("IpamDriver.RequestPool", ask, why);
    }
    for pool in [&*pool, "10.1.2.0/24"] {
        let ask = json!({"PoolID": pool, "Address": "", "Options": null});
        rig.refused("IpamDriver.RequestAddress", ask, why);
    }
    let join = json!({"NetworkID": "dn", "EndpointID": "e1", "SandboxKey": "/netns/1"});
    rig.refused("NetworkDriver.Join", join.clone(), why);
    rig.start_master();
    let joined = || match rig.send("POST", "NetworkDriver.Join", &join.to_string()) {
        (200, _) => Ok(()),
        (_, text) => Err(text),
    };
    wait_for(LIMIT, "the endpoint to be known again", joined).unwrap();
}

#[test]
fn an_agent_that_starts_meanwhile_finds_it_in_the_kernel() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    let address = rig.address(&pool);
    rig.endpoint("dn", "e1", &address);
    rig.kill_master();
    restart(&rig, &pool, "e1", "e2", &address);
    rig.stop_agent();
    rig.start_master();
    rig.start_agent();
    soon_known(&rig, &["e2"]);
    assert_eq!(rig.in_kernel(), ["e2"], "the old one is not made again");
}

#[test]
fn a_master_that_has_forgotten_the_host_is_told_what_lives_on_it() {
    let rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "e1", &rig.address(&pool));
    let removed = rig.api("DELETE", "/api/v1/hosts/h1/?force=true", None);
    assert_eq!(removed.status, 200, "{}", removed.text);
    soon_known(&rig, &["e1"]);
    assert_eq!(rig.in_kernel(), ["e1"]);
    rig.soon_held(&["10.1.2.1"]);
}

#[test]
fn an_address_that_is_anothers_by_now_is_fenced_and_said_so() {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "e1", &rig.address(&pool));
    rig.stop_agent();
    let gone = || match rig.api("DELETE", "/api/v1/hosts/h1/", None).status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    };
    wait_for(LIMIT, "the host to be removed", gone).unwrap();
    let wish = json!({"pool": {"tenant": "default", "network": "net"}, "ipv4": "10.1.2.1"});
    let taken = rig.api("PUT", "/agent/v1/hosts/h2/endpoints/theirs", Some(&wish));
    assert_eq!(taken.status, 200, "{}", taken.text);

    rig.start_agent();
    let problem = || {
        let host = rig.api("GET", "/api/v1/hosts/h1/", None).body;
        let problems: Vec<Value> = host["problems"].as_array().cloned().unwrap_or_default();
        let lost = problems.iter().find(|p| p["reason"] == "AddressLost");
        lost.map(|p| p["message"].to_string()).ok_or("no problem")
    };
    let message = wait_for(LIMIT, "the loss to be told", problem).unwrap();
    assert!(message.contains("endpoint theirs on host h2"), "{message}");
    assert_eq!(rig.in_kernel(), [""; 0]);
    assert_eq!(known(&rig), ["theirs"]);
}
