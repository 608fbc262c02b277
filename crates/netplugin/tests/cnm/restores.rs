//! A master restored from a snapshot that is older than what lives on hosts.

use std::time::Duration;

use contiv_testbed::wait_for;
use serde_json::{Value, json};

use crate::rig::Rig;

/// Longer than an agent takes to tell masters, and they to believe it.
const LIMIT: Duration = Duration::from_secs(15);

const SNAPSHOT: &str = "/var/lib/contiv/snapshot";

/// Asks for any address of the network for another host; the address, or why there is none.
fn ask(rig: &Rig) -> Result<String, String> {
    let ask = json!({"pool": {"tenant": "default", "network": "net"}, "ipv6": false});
    let reply = rig.api("POST", "/agent/v1/hosts/h2/addresses", Some(&ask));
    match reply.status {
        200 => Ok(reply.body["address"].as_str().unwrap().to_owned()),
        _ => Err(reply.text),
    }
}

/// The endpoints that the master knows, by id, with their addresses.
fn known(rig: &Rig) -> Vec<(String, String)> {
    let listed = rig.api("GET", "/api/v1/endpoints/", None).body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let endpoints = listed.as_array().unwrap().iter();
    endpoints
        .map(|e| (text(&e["endpointID"]), text(&e["ipAddress"][0])))
        .collect()
}

/// A host with two endpoints of which a snapshot knows one; the master is gone.
fn saved_between() -> Rig {
    let mut rig = Rig::new();
    let pool = rig.docker_network("dn", json!({"network": "net"}));
    rig.endpoint("dn", "e1", &rig.address(&pool));
    rig.netmaster(&["snapshot", "save", SNAPSHOT]);
    let late = rig.address(&pool);
    assert_eq!(late, "10.1.2.2/24");
    rig.endpoint("dn", "e2", &late);
    rig.kill_master();
    rig
}

#[test]
fn no_address_is_given_before_the_host_has_said_what_lives_on_it() {
    let mut rig = saved_between();
    rig.stop_agent();
    let said = rig.netmaster(&["snapshot", "restore", "--force", SNAPSHOT]);
    assert!(said.contains("before 1 hosts"), "{said}");
    rig.start_master();
    let before = known(&rig);
    assert_eq!(before.len(), 1, "the snapshot knows but one: {before:?}");
    let why = ask(&rig).unwrap_err();
    assert!(why.contains("h1"), "{why}");

    rig.start_agent();
    let given = wait_for(LIMIT, "an address to be given again", || ask(&rig)).unwrap();
    // At that very moment everything that lives is known.
    let after = known(&rig);
    let address = |id: &str| {
        let found = after.iter().find(|(known, _)| known == id);
        found.map(|(_, address)| address.as_str())
    };
    assert_eq!(
        (address("e1"), address("e2")),
        (Some("10.1.2.1"), Some("10.1.2.2"))
    );
    assert_eq!(given, "10.1.2.3");
    assert_eq!(rig.in_kernel(), ["e1", "e2"], "nothing was taken down");
}

#[test]
fn an_agent_that_runs_on_tells_the_restored_master_by_itself() {
    let mut rig = saved_between();
    rig.netmaster(&["snapshot", "restore", "--force", SNAPSHOT]);
    rig.start_master();
    let mut given = Vec::new();
    let enough = || {
        given.extend(ask(&rig));
        if given.is_empty() {
            Err("none yet")
        } else {
            Ok(())
        }
    };
    wait_for(LIMIT, "an address to be given again", enough).unwrap();
    assert_eq!(given, ["10.1.2.3"]);
    assert_eq!(rig.in_kernel(), ["e1", "e2"], "nothing was taken down");
}
