//! What stands in the way of a deletion.

use serde_json::json;

use crate::master::Master;
use crate::noun::{GLOBAL, GROUP, NETWORK, POLICY, RULE, TENANT, group, network, policy, with};

#[test]
fn a_tenant_goes_when_nothing_of_it_is_left() {
    let master = Master::start();
    let blue = json!({"tenantName": "blue"});
    let of_blue = |object| with(&object, &blue);
    let (network, group) = (
        of_blue(network("n", "10.1.1.0/24")),
        of_blue(group("g", "n")),
    );
    let policy = of_blue(policy("p"));
    TENANT.accept(&master, &blue);
    NETWORK.accept(&master, &network);
    GROUP.accept(&master, &group);
    POLICY.accept(&master, &policy);
    TENANT.refuse_deletion(&master, &blue, "1 group");
    GROUP.delete(&master, &group);
    TENANT.refuse_deletion(&master, &blue, "1 policy");
    POLICY.delete(&master, &policy);
    TENANT.refuse_deletion(&master, &blue, "1 network");
    NETWORK.delete(&master, &network);
    TENANT.delete(&master, &blue);
    assert_eq!(TENANT.try_delete(&master, &blue).status, 404);
}

#[test]
fn what_belongs_to_the_fabric_stays() {
    let master = Master::start();
    TENANT.refuse_deletion(&master, &json!({"tenantName": "default"}), "default");
    let answer = GLOBAL.try_delete(&master, &json!({"name": "global"}));
    assert_eq!(answer.status, 409, "{answer:?}");
}

#[test]
fn a_network_goes_after_its_groups_and_endpoints() {
    let master = Master::start();
    let n = network("n", "10.1.1.0/24");
    NETWORK.accept(&master, &n);
    GROUP.accept(&master, &group("g", "n"));
    NETWORK.refuse_deletion(&master, &n, "1 group");
    master.endpoint("e1", "n", Some("g"));
    GROUP.refuse_deletion(&master, &group("g", "n"), "1 endpoint");
    master.end_endpoint("e1");
    GROUP.delete(&master, &group("g", "n"));
    master.endpoint("e2", "n", None);
    NETWORK.refuse_deletion(&master, &n, "1 endpoint");
    master.end_endpoint("e2");
    NETWORK.delete(&master, &n);
}

#[test]
fn a_policy_goes_when_no_group_has_it_and_its_rules_go_along() {
    let master = Master::start();
    let rule = json!({
        "tenantName": "default", "policyName": "p", "ruleId": "1", "direction": "in",
        "action": "deny",
    });
    NETWORK.accept(&master, &network("n", "10.1.1.0/24"));
    POLICY.accept(&master, &policy("p"));
    RULE.accept(&master, &rule);
    let member = with(&group("g", "n"), &json!({"policies": ["p"]}));
    GROUP.accept(&master, &member);
    POLICY.refuse_deletion(&master, &policy("p"), "1 group");
    // The rule of a policy in use may go at any time.
    RULE.delete(&master, &rule);
    RULE.accept(&master, &rule);
    GROUP.accept(&master, &group("g", "n"));
    POLICY.delete(&master, &policy("p"));
    assert_eq!(RULE.get(&master, &rule).status, 404);
}
