//! Tasks of a Swarm on a host that masters have forgotten.

use std::time::Duration;

use contiv_testbed::wait_for;
use serde_json::json;

use crate::rig::Rig;

/// Longer than an agent takes to give up an address.
const LIMIT: Duration = Duration::from_secs(15);

fn ok(rig: &Rig, method: &str, target: &str, body: serde_json::Value) {
    let reply = rig.api(method, target, Some(&body));
    assert_eq!(reply.status, 200, "{method} {target}: {}", reply.text);
}

#[test]
fn a_task_that_lives_on_a_host_that_was_removed_keeps_its_address() {
    let rig = Rig::new();
    let pool = json!({"tenant": "default", "network": "net", "group": null});
    let binding = json!({"id": "sn", "host": "h1", "tenant": "default", "network": "net",
        "group": null, "swarm": {"life": "one"}});
    ok(
        &rig,
        "PUT",
        "/agent/v1/hosts/h1/docker-networks/sn",
        binding,
    );
    let reserve = json!({"pool": pool, "ipv6": false, "address": "10.1.2.7",
        "by": {"manager": {"life": "one"}}});
    ok(&rig, "POST", "/agent/v1/hosts/h1/addresses", reserve);
    rig.endpoint("sn", "task", "10.1.2.7/24");
    let removed = rig.api("DELETE", "/api/v1/hosts/h1/?force=true", None);
    assert_eq!(removed.status, 200, "{}", removed.text);

    let known = || {
        let listed = rig.api("GET", "/api/v1/endpoints/", None).body;
        let ids = listed.as_array().unwrap().iter().map(|e| &e["endpointID"]);
        match ids.eq(["task"]) {
            true => Ok(()),
            false => Err(format!("{listed}")),
        }
    };
    wait_for(LIMIT, "the master to know the task again", known).unwrap();
    assert_eq!(rig.in_kernel(), ["task"]);
    rig.soon_held(&["10.1.2.7"]);
}
