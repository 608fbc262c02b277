//! Settings of the whole fabric.

use serde_json::{Value, json};

use crate::master::Master;
use crate::noun::{GLOBAL, NETWORK, network, with};

fn global(change: &Value) -> Value {
    with(&json!({"name": "global"}), change)
}

fn vlan(name: &str, subnet: &str, tag: u32) -> Value {
    with(
        &network(name, subnet),
        &json!({"encap": "vlan", "pktTag": tag}),
    )
}

#[test]
fn settings_that_are_accepted() {
    let master = Master::start();
    for change in [
        json!({"vlans": "100-1000"}),
        json!({"vlans": "1-4094"}),
        json!({"vxlans": "1-16000"}),
        json!({"vxlans": "60000-65535"}),
        json!({"fwdMode": "routing"}),
        json!({"fwdMode": "bridge"}),
        json!({"arpMode": "flood"}),
        json!({"pvtSubnet": "172.21.0.0/16"}),
        json!({"networkInfraType": "default"}),
    ] {
        GLOBAL.accept(&master, &global(&change));
    }
    // What is not named stays.
    let stored = GLOBAL.get(&master, &global(&json!({}))).body;
    for (field, value) in [
        ("vlans", "1-4094"),
        ("vxlans", "60000-65535"),
        ("arpMode", "flood"),
        ("pvtSubnet", "172.21.0.0/16"),
    ] {
        assert_eq!(stored[field], value);
    }
}

#[test]
fn settings_that_are_refused() {
    let master = Master::start();
    for (field, value) in [
        ("vlans", "1-5000"),
        ("vlans", "0-4094"),
        ("vlans", "1-4095"),
        ("vlans", "1"),
        ("vlans", "1?2"),
        ("vlans", "abcd"),
        ("vlans", "200-100"),
        ("vxlans", "1-20000"),
        ("vxlans", "1-100000"),
        ("vxlans", "0-100"),
        ("vxlans", "abcd"),
        ("networkInfraType", "xyz"),
        ("fwdMode", "xyz"),
        ("arpMode", "xyz"),
        ("pvtSubnet", "172.19.0.0/24"),
        ("pvtSubnet", "172.19.0.0"),
    ] {
        GLOBAL.refuse(&master, &global(&json!({field: value})), (422, field));
    }
    let answer = master.call("PUT", "globals/other/", &json!({"vlans": "1-10"}));
    assert_eq!(
        (answer.status, &answer.body["field"]),
        (422, &json!("name"))
    );
}

#[test]
fn ranges_keep_the_tags_in_use() {
    let master = Master::start();
    GLOBAL.accept(&master, &global(&json!({"vlans": "100-1000"})));
    for outside in [99, 1001] {
        NETWORK.refuse(&master, &vlan("n", "10.1.1.0/24", outside), (422, "pktTag"));
    }
    NETWORK.accept(&master, &vlan("a", "10.1.1.0/24", 0));
    NETWORK.accept(&master, &vlan("b", "10.1.2.0/24", 1000));
    let oper = NETWORK.inspect(&master, &vlan("a", "", 0))["Oper"].clone();
    assert_eq!(
        (&oper["pktTag"], &oper["externalPktTag"]),
        (&json!(100), &json!(100))
    );
    NETWORK.accept(
        &master,
        &with(&network("c", "10.1.3.0/24"), &json!({"pktTag": 500})),
    );
    for (field, range) in [
        ("vlans", "101-1000"),
        ("vlans", "100-999"),
        ("vlans", "2000-3000"),
        ("vxlans", "1-499"),
        ("vxlans", "501-1000"),
    ] {
        GLOBAL.refuse(&master, &global(&json!({field: range})), (409, field));
    }
    for (field, range) in [
        ("vlans", "100-1000"),
        ("vlans", "99-1001"),
        ("vlans", "1-4094"),
        ("vxlans", "500-500"),
        ("vxlans", "1-16000"),
    ] {
        GLOBAL.accept(&master, &global(&json!({field: range})));
    }
    let oper = GLOBAL.inspect(&master, &global(&json!({})))["Oper"].clone();
    assert_eq!(oper["vlansInUse"], "100, 1000");
    assert_eq!(oper["vxlansInUse"], "500");
}

#[test]
fn what_networks_stand_on_does_not_change_under_them() {
    let master = Master::start();
    NETWORK.accept(&master, &network("a", "10.1.1.0/24"));
    NETWORK.accept(&master, &network("b", "10.1.2.0/24"));
    for (field, value, said) in [
        (
            "fwdMode",
            "routing",
            "Unable to update forwarding mode due to existing 2 vxlans",
        ),
        (
            "pvtSubnet",
            "172.21.0.0/16",
            "Unable to update private subnet due to existing 2 vxlans",
        ),
    ] {
        let change = global(&json!({field: value}));
        GLOBAL.refuse(&master, &change, (409, field));
        let message = GLOBAL.put(&master, &change).body["error"].clone();
        assert!(message.as_str().unwrap().contains(said), "{message}");
    }
    // The same value is no change.
    GLOBAL.accept(
        &master,
        &global(&json!({"fwdMode": "bridge", "pvtSubnet": "172.19.0.0/16"})),
    );
    NETWORK.delete(&master, &network("a", ""));
    NETWORK.delete(&master, &network("b", ""));
    NETWORK.accept(&master, &vlan("c", "10.1.1.0/24", 0));
    let message = GLOBAL
        .put(&master, &global(&json!({"fwdMode": "routing"})))
        .body["error"]
        .clone();
    assert!(
        message.as_str().unwrap().contains("existing 1 vlans"),
        "{message}"
    );
    NETWORK.delete(&master, &vlan("c", "", 0));
    GLOBAL.accept(&master, &global(&json!({"fwdMode": "routing"})));
}
