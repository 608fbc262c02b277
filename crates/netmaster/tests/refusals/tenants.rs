//! Names, keys and tenants.

use serde_json::{Value, json};

use crate::master::Master;
use crate::noun::{NETWORK, POLICY, TENANT, network, policy, with};

#[test]
fn names_are_labels_of_letters_and_digits() {
    let master = Master::start();
    let tenant = |name: &str| json!({"tenantName": name});
    for good in [
        "contiv-valid",
        "tenant-valid",
        "7",
        "A.b-c.9",
        &"x".repeat(64),
    ] {
        TENANT.accept_for_a_moment(&master, &tenant(good));
    }
    for bad in [
        "-invalid",
        "invalid-",
        "in|valid",
        "in\\valid",
        "in#valid",
        "in@valid",
        "in!valid",
        "in~valid",
        "in^valid",
        "in*valid",
        "in_valid",
        "in valid",
        "in..valid",
        ".invalid",
        "ünvalid",
        &"x".repeat(65),
    ] {
        TENANT.refuse(&master, &tenant(bad), (422, "tenantName"));
    }
    // A colon makes another object's key of it.
    TENANT.refuse(&master, &tenant("in:valid"), (422, "key"));
    let default_network = json!({"tenantName": "t", "defaultNetwork": "a b"});
    let answer = TENANT.put(&master, &default_network);
    assert_eq!(
        (answer.status, &answer.body["field"]),
        (422, &json!("defaultNetwork"))
    );
}

#[test]
fn the_key_and_the_fields_say_the_same() {
    let master = Master::start();
    let path = "networks/default:n/";
    let mut body = network("n", "10.1.1.0/24");
    for (change, field) in [
        (json!({"tenantName": "blue"}), "key"),
        (json!({"networkName": "m"}), "key"),
    ] {
        let answer = master.call("PUT", path, &with(&body, &change));
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (422, &json!(field)),
            "{answer:?}"
        );
    }
    for key in [
        "networks/n/",
        "networks/default:n:x/",
        "networks/default:/",
        "networks/:n/",
    ] {
        let answer = master.call("PUT", key, &body);
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (422, &json!("key")),
            "{key}"
        );
    }
    // The body's key is not asked for, and its names may be left out.
    body = json!({"key": "x", "encap": "vxlan", "subnet": "10.1.1.0/24"});
    let answer = master.call("PUT", path, &body);
    assert_eq!(
        (answer.status, &answer.body["key"]),
        (200, &json!("default:n")),
        "{answer:?}"
    );
}

#[test]
fn bodies_are_json_of_the_right_types() {
    let master = Master::start();
    let base = network("n", "10.1.1.0/24");
    for (change, field) in [
        (json!({"pktTag": -1}), "pktTag"),
        (json!({"pktTag": "one"}), "pktTag"),
        (json!({"subnet": ["10.1.1.0/24"]}), "subnet"),
        (json!({"gateway": null}), "gateway"),
    ] {
        let answer = NETWORK.put(&master, &with(&base, &change));
        assert_eq!(
            (answer.status, &answer.body["field"]),
            (400, &json!(field)),
            "{answer:?}"
        );
    }
    for nonsense in [json!([]), json!("n"), json!(7), Value::Null] {
        let answer = master.call("PUT", "networks/default:n/", &nonsense);
        assert_eq!(answer.status, 400, "{nonsense}: {answer:?}");
        assert!(answer.body["error"].is_string());
    }
}

#[test]
fn what_does_not_exist_is_not_found() {
    let master = Master::start();
    for path in [
        "tenants/t/",
        "networks/default:n/",
        "endpointGroups/default:g/",
        "policys/default:p/",
        "rules/default:p:1/",
        "globals/other/",
    ] {
        for (method, path) in [
            ("GET", path.to_owned()),
            ("GET", format!("inspect/{path}")),
            ("DELETE", path.to_owned()),
        ] {
            // There is one global object, and it cannot be deleted by any name.
            if method == "DELETE" && path.starts_with("globals") {
                continue;
            }
            let answer = master.call(method, &path, &Value::Null);
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
            assert!(answer.body["error"].is_string());
        }
    }
}

#[test]
fn every_object_needs_its_tenant() {
    let master = Master::start();
    let nowhere = json!({"tenantName": "nowhere"});
    for (noun, object) in [
        (NETWORK, network("n", "10.1.1.0/24")),
        (POLICY, policy("p")),
    ] {
        noun.refuse(&master, &with(&object, &nowhere), (422, "tenantName"));
    }
}

#[test]
fn a_tenant_stays_as_it_was_created() {
    let master = Master::start();
    let tenant = json!({"tenantName": "blue", "defaultNetwork": "n"});
    TENANT.accept(&master, &tenant);
    // The same again is no change.
    TENANT.accept(&master, &tenant);
    let other = with(&tenant, &json!({"defaultNetwork": "m"}));
    let answer = TENANT.put(&master, &other);
    assert_eq!(
        (answer.status, &answer.body["field"]),
        (409, &json!("defaultNetwork"))
    );
}
