//! Rules.

use serde_json::{Value, json};

use crate::master::Master;
use crate::noun::{GROUP, NETWORK, POLICY, RULE, group, network, policy, with};

pub(crate) fn stage() -> Master {
    let master = Master::start();
    NETWORK.accept(&master, &network("n", "10.1.1.0/24"));
    POLICY.accept(&master, &policy("p"));
    GROUP.accept(&master, &group("g", "n"));
    master
}

pub(crate) fn rule(direction: &str, change: &Value) -> Value {
    let base = json!({
        "tenantName": "default", "policyName": "p", "ruleId": "1", "direction": direction,
        "action": "allow",
    });
    with(&base, change)
}

#[test]
fn rules_that_are_accepted() {
    let master = stage();
    for (direction, change) in [
        ("in", json!({})),
        ("out", json!({"action": "deny"})),
        (
            "in",
            json!({"priority": 100, "protocol": "tcp", "port": 80}),
        ),
        ("in", json!({"protocol": "icmp"})),
        ("in", json!({"protocol": "icmpv6"})),
        ("in", json!({"protocol": "255"})),
        ("in", json!({"protocol": "udp", "port": 65535})),
        ("in", json!({"fromEndpointGroup": "g"})),
        ("in", json!({"fromNetwork": "n"})),
        ("in", json!({"fromIpAddress": "10.1.1.1"})),
        ("in", json!({"fromIpAddress": "10.1.1.0/24"})),
        ("in", json!({"fromIpAddress": "10.1.1.1/32"})),
        ("in", json!({"fromIpAddress": "10.1.1.1-9"})),
        ("in", json!({"fromIpAddress": "10.1.1.1-10.1.2.9"})),
        ("in", json!({"fromIpAddress": "2001:db8::/119"})),
        (
            "in",
            json!({"fromEndpointGroup": "g", "fromIpAddress": "10.1.1.0/28"}),
        ),
        ("out", json!({"toEndpointGroup": "g"})),
        ("out", json!({"toNetwork": "n"})),
        ("out", json!({"toIpAddress": "10.1.1.0/24"})),
        (
            "out",
            json!({"toEndpointGroup": "g", "toIpAddress": "10.1.1.0/28"}),
        ),
    ] {
        RULE.accept_for_a_moment(&master, &rule(direction, &change));
    }
}

#[test]
fn rules_that_are_refused() {
    let master = stage();
    for (field, direction, change) in [
        ("direction", "both", json!({})),
        ("direction", "xyz", json!({})),
        ("direction", "", json!({})),
        ("action", "in", json!({"action": "xyz"})),
        ("action", "in", json!({"action": "accept"})),
        ("action", "in", json!({"action": ""})),
        ("protocol", "in", json!({"protocol": "xyz"})),
        ("protocol", "in", json!({"protocol": "256"})),
        ("priority", "in", json!({"priority": 101})),
        ("port", "in", json!({"protocol": "tcp", "port": 65536})),
        ("port", "in", json!({"protocol": "icmp", "port": 80})),
        ("tenantName", "in", json!({"tenantName": "nowhere"})),
        ("policyName", "in", json!({"policyName": "nowhere"})),
        ("policyName", "in", json!({"policyName": "in|valid"})),
        ("ruleId", "in", json!({"ruleId": "1/2"})),
        ("toNetwork", "in", json!({"toNetwork": "n"})),
        ("toEndpointGroup", "in", json!({"toEndpointGroup": "g"})),
        ("fromNetwork", "out", json!({"fromNetwork": "n"})),
        (
            "fromEndpointGroup",
            "out",
            json!({"fromEndpointGroup": "g"}),
        ),
        ("fromIpAddress", "out", json!({"fromIpAddress": "10.1.1.1"})),
        (
            "fromNetwork",
            "in",
            json!({"fromNetwork": "n", "fromIpAddress": "10.1.1.1"}),
        ),
        (
            "fromNetwork",
            "in",
            json!({"fromNetwork": "n", "fromEndpointGroup": "g"}),
        ),
        (
            "toNetwork",
            "out",
            json!({"toNetwork": "n", "toIpAddress": "10.1.1.1"}),
        ),
        (
            "toNetwork",
            "out",
            json!({"toNetwork": "n", "toEndpointGroup": "g"}),
        ),
        ("fromNetwork", "in", json!({"fromNetwork": "nowhere"})),
        (
            "fromEndpointGroup",
            "in",
            json!({"fromEndpointGroup": "nowhere"}),
        ),
        ("toNetwork", "out", json!({"toNetwork": "nowhere"})),
        (
            "toEndpointGroup",
            "out",
            json!({"toEndpointGroup": "nowhere"}),
        ),
        (
            "fromIpAddress",
            "in",
            json!({"fromIpAddress": "10.1.1.256"}),
        ),
        (
            "fromIpAddress",
            "in",
            json!({"fromIpAddress": "10.1.1.0/33"}),
        ),
        (
            "fromIpAddress",
            "in",
            json!({"fromIpAddress": "10.1.1.9-1"}),
        ),
        (
            "fromIpAddress",
            "in",
            json!({"fromIpAddress": "2001:db8::/129"}),
        ),
        ("toIpAddress", "out", json!({"toIpAddress": "10.1.1"})),
    ] {
        RULE.refuse(&master, &rule(direction, &change), (422, field));
    }
}

#[test]
fn the_own_address_of_an_incoming_rule_is_that_of_an_endpoint() {
    let master = stage();
    let to = |address: &str| rule("in", &json!({"toIpAddress": address}));
    // No group has the policy.
    RULE.refuse(&master, &to("10.1.1.1"), (422, "toIpAddress"));
    let member = with(&group("g", "n"), &json!({"policies": ["p"]}));
    GROUP.accept(&master, &member);
    RULE.refuse(&master, &to("10.1.1.1"), (422, "toIpAddress"));
    let address = master.endpoint("e1", "n", Some("g"));
    RULE.refuse(&master, &to("10.1.1.200"), (422, "toIpAddress"));
    RULE.refuse(&master, &to("10.1.1.0/24"), (422, "toIpAddress"));
    RULE.accept_for_a_moment(&master, &to(&address));
    // Two groups have the policy.
    GROUP.accept(&master, &with(&member, &json!({"groupName": "h"})));
    RULE.refuse(&master, &to(&address), (422, "toIpAddress"));
}

#[test]
fn an_id_that_is_known_is_an_edit_and_netctl_refuses_it() {
    let master = stage();
    RULE.accept(&master, &rule("in", &json!({})));
    let edited = rule("out", &json!({"action": "deny", "priority": 7}));
    RULE.accept(&master, &edited);
    let stored = RULE.get(&master, &edited).body;
    assert_eq!(
        (&stored["direction"], &stored["priority"]),
        (&json!("out"), &json!(7))
    );
    let words = ["policy", "rule-add", "p", "1"].map(str::to_owned);
    let run = master.netctl(&words);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.complaint.contains("RULE_ID"), "{run:?}");
    assert_eq!(RULE.get(&master, &edited).body, stored);
}
