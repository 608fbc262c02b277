//! Names of fields: those that there are not, and those that only clients of the original send.

use serde_json::{Value, json};

use crate::noun::{
    GLOBAL, GROUP, NETWORK, Noun, POLICY, RULE, TENANT, group, network, policy, with,
};
use crate::rules::{self, stage};

fn rule() -> Value {
    rules::rule("in", &json!({}))
}

#[test]
fn a_misspelt_field_is_refused_with_what_was_probably_meant() {
    let master = stage();
    let global = json!({"name": "global"});
    let tenant = json!({"tenantName": "blue"});
    for (noun, object, change, meant) in [
        (
            &RULE,
            rule(),
            json!({"fromEndPointGroup": "g"}),
            "of a rule; did you mean fromEndpointGroup?",
        ),
        (
            &RULE,
            rule(),
            json!({"ToEndpointGroup": "g"}),
            "toEndpointGroup?",
        ),
        (&RULE, rule(), json!({"prot": "tcp"}), "protocol?"),
        (&RULE, rule(), json!({"Log": true}), "log?"),
        (
            &RULE,
            rule(),
            json!({"colour": "red"}),
            "it has tenantName, ",
        ),
        (
            &GROUP,
            group("h", "n"),
            json!({"polices": ["p"]}),
            "policies?",
        ),
        (&POLICY, policy("q"), json!({"stagd": true}), "staged?"),
        (
            &NETWORK,
            network("m", "10.2.1.0/24"),
            json!({"gatway": "10.2.1.1"}),
            "gateway?",
        ),
        (&TENANT, tenant, json!({"tenant": "red"}), "tenantName?"),
        (&GLOBAL, global, json!({"vlan": "1-9"}), "vlans?"),
    ] {
        let object = with(&object, &change);
        let field = change.as_object().unwrap().keys().next().unwrap();
        let before = noun.get(&master, &object).body;
        for method in ["POST", "PUT"] {
            let answer = master.call(method, &noun.path(&object), &object);
            let seen = (answer.status, answer.body["field"].as_str());
            assert_eq!(seen, (400, Some(field.as_str())), "{object}: {answer:?}");
            let message = answer.body["error"].as_str().unwrap();
            assert!(
                message.starts_with(field) && message.contains(meant),
                "{message}"
            );
        }
        assert_eq!(noun.get(&master, &object).body, before, "{object}");
    }
}

#[test]
fn so_it_is_where_many_objects_are_declared() {
    let master = stage();
    let declared = |change: Value| with(&with(&rule(), &json!({"kind": "rule"})), &change);
    for (change, field, said) in [
        (
            json!({"fromEndPointGroup": "g"}),
            "objects[1].fromEndPointGroup",
            "did you mean fromEndpointGroup?",
        ),
        (json!({"port": "x"}), "objects[1].port", "invalid type"),
        (json!({"kind": "volume"}), "objects[1].kind", "is not known"),
    ] {
        let objects = [
            json!({"kind": "tenant", "tenantName": "blue"}),
            declared(change),
        ];
        for path in ["apply/", "diff/"] {
            let answer = master.call("POST", path, &json!({"objects": objects}));
            let seen = (answer.status, answer.body["field"].as_str());
            assert_eq!(seen, (400, Some(field)), "{answer:?}");
            let message = answer.body["error"].as_str().unwrap();
            assert!(
                message.starts_with(field) && message.contains(said),
                "{message}"
            );
        }
    }
    let answer = master.call("GET", "tenants/blue/", &Value::Null);
    assert_eq!(answer.status, 404, "{answer:?}");
}

/// What the original's clients send: in Go with links, in Python with every field, on web pages
/// with a field that they misspell themselves.
#[test]
fn documents_of_old_clients_are_taken() {
    let master = stage();
    let links = json!({"link-sets": {"rules": {"x": {"type": "rule", "key": "x"}}}, "links": {}});
    let outgoing = json!({
        "key": "default:p:1", "direction": "out", "priority": 1, "protocol": "tcp", "port": 0,
        "toEndpointGroup": "", "toNetwork": "n", "toIpAddress": "", "ToEndpointGroup": "",
    });
    let profiled = json!({
        "netProfile": "gold", "extContractsGrps": ["c"], "cfgdTag": "", "policies": [],
    });
    for (noun, object) in [
        (&TENANT, json!({"tenantName": "blue", "defaultNetwork": ""})),
        (
            &NETWORK,
            with(
                &network("m", "10.2.1.0/24"),
                &json!({"nwType": "", "pktTag": 0}),
            ),
        ),
        (&POLICY, policy("q")),
        (&GROUP, with(&group("h", "n"), &profiled)),
        (&RULE, rule()),
        (&RULE, with(&rule(), &outgoing)),
        (&GLOBAL, json!({"name": "global", "key": "global"})),
    ] {
        noun.accept(&master, &with(&object, &links));
    }
}

#[test]
fn what_was_shown_is_taken_back() {
    let master = stage();
    let member = with(&group("g", "n"), &json!({"policies": ["p"]}));
    GROUP.accept(&master, &member);
    let from = with(
        &rule(),
        &json!({"fromEndpointGroup": "g", "icmpType": 8, "protocol": "icmp"}),
    );
    RULE.accept(&master, &from);
    let all: [(&Noun, Value); 6] = [
        (&TENANT, json!({"tenantName": "default"})),
        (&NETWORK, network("n", "")),
        (&POLICY, policy("p")),
        (&GROUP, member),
        (&RULE, from),
        (&GLOBAL, json!({"name": "global"})),
    ];
    for (noun, object) in &all {
        let shown = noun.get(&master, object).body;
        let inspected = noun.inspect(&master, object);
        assert_eq!(inspected["Config"], shown);
        for document in [&shown, &inspected] {
            let answer = master.call("PUT", &noun.path(object), document);
            assert_eq!((answer.status, &answer.body), (200, &shown), "{document}");
        }
    }
}
