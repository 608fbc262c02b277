//! Groups and their pools.

use serde_json::{Value, json};

use crate::master::Master;
use crate::noun::{GROUP, NETWORK, POLICY, RULE, group, network, policy, with};

fn stage() -> Master {
    let master = Master::start();
    NETWORK.accept(
        &master,
        &with(
            &network("n", "10.3.1.0/24"),
            &json!({"gateway": "10.3.1.254"}),
        ),
    );
    NETWORK.accept(&master, &network("m", "10.4.1.0/24"));
    POLICY.accept(&master, &policy("p"));
    POLICY.accept(&master, &policy("q"));
    master
}

fn pooled(name: &str, pool: &str) -> Value {
    with(&group(name, "n"), &json!({"ipPool": pool}))
}

#[test]
fn fields_that_are_refused() {
    let master = stage();
    let base = group("g", "n");
    for (field, change) in [
        ("groupName", json!({"groupName": "in|valid"})),
        ("groupName", json!({"groupName": "host"})),
        ("tenantName", json!({"tenantName": "nowhere"})),
        ("networkName", json!({"networkName": "nowhere"})),
        ("networkName", json!({"networkName": "in|valid"})),
        ("policies", json!({"policies": ["nowhere"]})),
        ("policies", json!({"policies": ["p", "nowhere"]})),
        ("policies", json!({"policies": ["in|valid"]})),
        ("cfgdTag", json!({"cfgdTag": "a=b"})),
        ("ipPool", json!({"ipPool": "10.3.1.0/28"})),
        ("ipPool", json!({"ipPool": "10.3.1.10-20"})),
        ("ipPool", json!({"ipPool": "10.3.1.20-10.3.1.10"})),
        ("ipPool", json!({"ipPool": "10.3.1.0-10.3.1.10"})),
        ("ipPool", json!({"ipPool": "10.3.1.200-10.3.1.255"})),
        ("ipPool", json!({"ipPool": "10.3.1.200-10.3.1.254"})),
        ("ipPool", json!({"ipPool": "10.3.2.10-10.3.2.20"})),
        ("ipPool", json!({"ipPool": "10.3.1.250-10.3.2.20"})),
    ] {
        GROUP.refuse(&master, &with(&base, &change), (422, field));
    }
}

#[test]
fn pools_share_no_address() {
    let master = stage();
    GROUP.accept(&master, &pooled("a", "10.3.1.11-10.3.1.20"));
    for taken in [
        "10.3.1.20-10.3.1.30",
        "10.3.1.1-10.3.1.11",
        "10.3.1.15-10.3.1.15",
    ] {
        GROUP.refuse(&master, &pooled("b", taken), (409, "ipPool"));
    }
    GROUP.accept(&master, &pooled("b", "10.3.1.21-10.3.1.30"));
    // An endpoint's address is nobody's pool.
    let address = master.endpoint("e1", "n", None);
    assert_eq!(address, "10.3.1.1");
    GROUP.refuse(&master, &pooled("c", "10.3.1.1-10.3.1.5"), (409, "ipPool"));
}

#[test]
fn the_pools_addresses_are_the_groups_own() {
    let master = stage();
    GROUP.accept(&master, &pooled("a", "10.3.1.1-10.3.1.2"));
    GROUP.accept(&master, &pooled("one", "10.3.1.3-10.3.1.3"));
    assert_eq!(master.endpoint("e1", "n", None), "10.3.1.4");
    assert_eq!(master.endpoint("e2", "n", Some("a")), "10.3.1.1");
    assert_eq!(master.endpoint("e3", "n", Some("one")), "10.3.1.3");
    let oper = GROUP.inspect(&master, &group("a", "n"))["Oper"].clone();
    assert_eq!(oper["allocatedIPAddresses"], "10.3.1.1");
    assert_eq!(oper["availableIPAddresses"], "10.3.1.2");
    assert_eq!(oper["numEndpoints"], 1);
}

#[test]
fn a_group_stays_in_its_network_and_changes_its_policies() {
    let master = stage();
    let base = pooled("g", "10.3.1.11-10.3.1.20");
    GROUP.accept(&master, &base);
    GROUP.refuse(
        &master,
        &with(&base, &json!({"networkName": "m"})),
        (409, "networkName"),
    );
    for pool in ["", "10.3.1.11-10.3.1.21"] {
        GROUP.refuse(
            &master,
            &with(&base, &json!({"ipPool": pool})),
            (409, "ipPool"),
        );
    }
    for policies in [json!(["p"]), json!(["p", "q"]), json!(["q"]), json!([])] {
        GROUP.accept(&master, &with(&base, &json!({"policies": policies})));
        assert_eq!(GROUP.get(&master, &base).body["policies"], policies);
    }
}

#[test]
fn a_rule_may_outlive_the_group_that_it_names() {
    let master = stage();
    GROUP.accept(&master, &group("g", "n"));
    let rule = json!({
        "tenantName": "default", "policyName": "p", "ruleId": "1", "direction": "in",
        "fromEndpointGroup": "g", "action": "deny",
    });
    RULE.accept(&master, &rule);
    GROUP.delete(&master, &group("g", "n"));
    assert_eq!(RULE.get(&master, &rule).status, 200);
}
