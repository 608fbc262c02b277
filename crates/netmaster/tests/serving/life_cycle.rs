//! Objects from their creation to their end, over plain HTTP.

use serde_json::{Value, json};

use crate::master::{Master, Reply};

#[test]
fn objects_are_made_changed_shown_and_deleted_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make("/api/v1/tenants/blue/", &json!({}));
    let network = master.make(
        "/api/v1/networks/blue:web/",
        &json!({"key": "", "encap": "vlan", "subnet": "10.1.1.0/24", "gateway": "10.1.1.254", "links": {}}),
    );
    assert_eq!(network.body["tenantName"], "blue");
    assert_eq!(network.body["key"], "blue:web");
    assert_eq!(network.body["links"]["tenant"]["key"], "blue");
    master.make("/api/v1/policys/blue:p/", &json!({}));
    let group = json!({"networkName": "web", "policies": ["p"]});
    master.make("/api/v1/endpointGroups/blue:g/", &group);
    let rule = json!({"direction": "in", "action": "allow", "protocol": "tcp", "port": 80});
    master.make("/api/v1/rules/blue:p:1/", &rule);

    // Lists are in the order of keys; every path works without its last slash.
    let tenants = master.get("/api/v1/tenants");
    assert_eq!(names(&tenants.body, "tenantName"), ["blue", "default"]);
    let shown = master.get("/api/v1/rules/blue:p:1");
    assert_eq!(shown.body["port"], 80);
    let inspected = master.get("/api/v1/inspect/endpointGroups/blue:g/");
    assert_eq!(inspected.body["Config"]["networkName"], "web");
    assert_eq!(inspected.body["Oper"]["externalPktTag"], 1);
    let policy = master.get("/api/v1/policys/blue:p/");
    assert!(policy.body["link-sets"]["rules"]["blue:p:1"].is_object());

    // What others hang on stays.
    for (path, field) in [
        ("/api/v1/tenants/blue/", "group"),
        ("/api/v1/networks/blue:web/", "group"),
        ("/api/v1/policys/blue:p/", "group"),
        ("/api/v1/globals/global/", "global"),
        ("/api/v1/tenants/default/", "default"),
    ] {
        let refused = master.delete(path);
        assert_eq!(refused.status, 409, "{path}: {}", refused.body);
        let error = refused.body["error"].as_str().unwrap();
        assert!(error.contains(field), "{path}: {error}");
    }
    let again = master.post(
        "/api/v1/rules/blue:p:1/",
        &json!({"direction": "out", "action": "deny"}),
    );
    assert_eq!(
        (again.status, &again.body["direction"]),
        (200, &json!("out"))
    );

    for path in [
        "/api/v1/endpointGroups/blue:g/",
        "/api/v1/policys/blue:p/",
        "/api/v1/networks/blue:web/",
        "/api/v1/tenants/blue/",
    ] {
        let gone = master.delete(path);
        assert_eq!(gone.status, 200, "{path}: {}", gone.body);
        assert!(path.contains(gone.body.as_str().unwrap()));
        assert_eq!(master.get(path).status, 404);
    }
    assert_eq!(master.get("/api/v1/rules/").body, json!([]));
}

#[test]
fn refusals_are_json_with_the_right_status_and_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let network = |body: &str| master.call("PUT", "/api/v1/networks/default:n/", &[], body);
    let refused = |reply: Reply, status: u16, field: &str| {
        assert_eq!(reply.status, status, "{}", reply.body);
        assert!(reply.body["error"].is_string(), "{}", reply.body);
        assert_eq!(reply.body["field"].as_str().unwrap_or(""), field);
    };
    refused(network(""), 400, "");
    refused(network("[]"), 400, "");
    refused(network("{\"pktTag\": \"x\"}"), 400, "pktTag");
    refused(
        network("{\"encap\": \"vlan\", \"subnet\": \"10.1.1.0/33\"}"),
        422,
        "subnet",
    );
    refused(
        network("{\"encap\": \"\", \"subnet\": \"10.1.1.0/24\"}"),
        422,
        "encap",
    );
    refused(network("{\"tenantName\": \"x\"}"), 422, "key");
    refused(network(&"x".repeat(2 << 20)), 413, "");
    refused(master.get("/api/v1/networks/default:none/"), 404, "");
    refused(master.get("/api/v1/volumes/"), 404, "");
    refused(master.call("PATCH", "/api/v1/networks/", &[], ""), 405, "");
    refused(master.get("/api/v1/networks/?limit=0"), 400, "limit");
    let allow = master.call("PATCH", "/api/v1/networks/", &[], "").headers["allow"].clone();
    assert!(allow.contains("GET"), "{allow}");
}

#[test]
fn lists_come_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    for i in 0..7 {
        master.make(&format!("/api/v1/tenants/t{i}/"), &json!({}));
    }
    let mut path = "/api/v1/tenants/?limit=3".to_owned();
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = master.get(&path);
        all.extend(names(&page.body, "tenantName"));
        pages += 1;
        assert!(page.headers.contains_key("contiv-revision"));
        let Some(link) = page.headers.get("link") else {
            break;
        };
        path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(pages, 3);
    assert_eq!(all, ["default", "t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
}

#[test]
fn flags_say_how_a_fabric_begins_and_not_how_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start_with(dir.path(), &["--fwdmode=routing", "--netmode=vlan"]);
    let global = || master.get("/api/v1/globals/global/").body;
    assert_eq!(global()["fwdMode"], "routing");
    let network = master.make(
        "/api/v1/networks/default:n/",
        &json!({"subnet": "10.1.1.0/24"}),
    );
    assert_eq!(network.body["encap"], "vlan");
    drop(master);
    let master = Master::start_with(dir.path(), &["--fwdmode=bridge"]);
    let global = master.get("/api/v1/globals/global/").body;
    assert_eq!(global["fwdMode"], "routing");
    let version = master.get("/version").body;
    assert_eq!(version["Version"], env!("CARGO_PKG_VERSION"));
    let health = master.get("/healthz").body;
    assert_eq!(health["status"], "ok");
    assert!(
        master
            .get("/metrics")
            .body
            .as_str()
            .unwrap()
            .contains("contiv_netmaster_objects")
    );
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|o| o[field].as_str().unwrap().to_owned())
        .collect()
}
