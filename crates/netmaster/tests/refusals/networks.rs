//! Networks: fields, tags, and what two of them may share.

use serde_json::{Value, json};

use crate::master::Master;
use crate::noun::{GROUP, NETWORK, TENANT, group, network, with};

fn base() -> Value {
    with(
        &network("n", "10.1.1.0/24"),
        &json!({"gateway": "10.1.1.254"}),
    )
}

#[test]
fn fields_that_are_accepted() {
    let master = Master::start();
    for change in [
        json!({}),
        json!({"nwType": "data"}),
        json!({"nwType": "infra"}),
        json!({"encap": "vlan"}),
        json!({"encap": "vlan", "pktTag": 4094}),
        json!({"pktTag": 10000}),
        json!({"gateway": ""}),
        json!({"subnet": "10.1.1.1/24"}),
        json!({"subnet": "10.1.1.10-10.1.1.20/24"}),
        json!({"subnet": "10.1.1.10-10.1.5.254/16"}),
        json!({"subnet": "10.0.0.0/8"}),
        json!({"subnet": "10.1.1.0/31", "gateway": ""}),
        json!({"ipv6Subnet": "2001:db8::/64", "ipv6Gateway": "2001:db8::1"}),
        json!({"ipv6Subnet": "2001:db8::/108"}),
        json!({"ipv6Subnet": "2001:db8::/127"}),
        json!({"cfgdTag": "contiv-net"}),
        json!({"cfgdTag": "io.contiv.network.test"}),
    ] {
        NETWORK.accept_for_a_moment(&master, &with(&base(), &change));
    }
}

#[test]
fn fields_that_are_refused() {
    let master = Master::start();
    for (field, change) in [
        ("networkName", json!({"networkName": "in|valid"})),
        ("networkName", json!({"networkName": "-invalid"})),
        ("networkName", json!({"networkName": "host"})),
        ("networkName", json!({"networkName": "bridge"})),
        ("networkName", json!({"networkName": "none"})),
        ("networkName", json!({"networkName": "default"})),
        ("key", json!({"networkName": "in:valid"})),
        ("tenantName", json!({"tenantName": "in|valid"})),
        ("tenantName", json!({"tenantName": "nowhere"})),
        ("nwType", json!({"nwType": "infradata"})),
        ("nwType", json!({"nwType": "Data"})),
        ("encap", json!({"encap": "vvvv"})),
        ("encap", json!({"encap": ""})),
        ("pktTag", json!({"encap": "vlan", "pktTag": 5000})),
        ("pktTag", json!({"encap": "vlan", "pktTag": 4095})),
        ("pktTag", json!({"pktTag": 20000})),
        ("pktTag", json!({"pktTag": 16777217})),
        ("subnet", json!({"subnet": ""})),
        ("subnet", json!({"subnet": "10.1.1.10-20/24"})),
        ("subnet", json!({"subnet": "10.1.1.10-10.1.20/24"})),
        ("subnet", json!({"subnet": "10.1.1.20-10.1.1.10/24"})),
        ("subnet", json!({"subnet": "10.1.1.10-10.1.2.20/24"})),
        ("subnet", json!({"subnet": "10.1.1.1.1/24"})),
        ("subnet", json!({"subnet": "10.1.1/24"})),
        ("subnet", json!({"subnet": "10.1.1.256/24"})),
        ("subnet", json!({"subnet": "10.1.1.0/32"})),
        ("subnet", json!({"subnet": "10.1.1.0/0"})),
        ("subnet", json!({"subnet": "10.1.1.0"})),
        ("subnet", json!({"subnet": "224.1.0.0/16"})),
        ("gateway", json!({"gateway": "10.1.2.254"})),
        ("gateway", json!({"gateway": "10.1.1.0"})),
        ("gateway", json!({"gateway": "10.1.1.255"})),
        ("gateway", json!({"gateway": "10.1.1"})),
        ("ipv6Subnet", json!({"ipv6Subnet": "2001:db8::/128"})),
        ("ipv6Subnet", json!({"ipv6Subnet": "2001:db8::"})),
        ("ipv6Subnet", json!({"ipv6Subnet": "10.1.1.0/24"})),
        ("ipv6Gateway", json!({"ipv6Gateway": "2001:db8::1"})),
        (
            "ipv6Gateway",
            json!({"ipv6Subnet": "2001:db8::/64", "ipv6Gateway": "2001:db9::1"}),
        ),
        ("cfgdTag", json!({"cfgdTag": "a=b"})),
        ("cfgdTag", json!({"cfgdTag": "a/b"})),
    ] {
        NETWORK.refuse(&master, &with(&base(), &change), (422, field));
    }
    NETWORK.refuse(
        &master,
        &with(&base(), &json!({"subnet": "172.19.4.0/24", "gateway": ""})),
        (409, "subnet"),
    );
}

#[test]
fn networks_of_a_tenant_share_no_address() {
    let master = Master::start();
    let six = json!({"ipv6Subnet": "2001:db8:1::/64"});
    NETWORK.accept(&master, &with(&network("a", "10.1.0.0/16"), &six));
    NETWORK.accept(&master, &network("b", "10.2.1.10-10.2.1.20/24"));
    let vlan = json!({"encap": "vlan"});
    for (field, other) in [
        ("subnet", network("x", "10.1.0.0/16")),
        ("subnet", network("x", "10.1.7.0/24")),
        ("subnet", network("x", "10.0.0.0/8")),
        ("subnet", with(&network("x", "10.1.7.0/24"), &vlan)),
        ("subnet", network("x", "10.2.1.20-10.2.1.30/24")),
        ("subnet", network("x", "10.2.1.1-10.2.1.10/24")),
        ("subnet", network("x", "10.2.1.0/24")),
        ("ipv6Subnet", with(&network("x", "10.3.0.0/16"), &six)),
        (
            "ipv6Subnet",
            with(
                &network("x", "10.3.0.0/16"),
                &json!({"ipv6Subnet": "2001:db8::/32"}),
            ),
        ),
    ] {
        NETWORK.refuse(&master, &other, (409, field));
    }
    // Ranges of one subnet that do not meet are apart.
    NETWORK.accept(&master, &network("c", "10.2.1.21-10.2.1.30/24"));
    // Another tenant has addresses of its own.
    TENANT.accept(&master, &json!({"tenantName": "blue"}));
    let blue = with(
        &with(&network("a", "10.1.0.0/16"), &six),
        &json!({"tenantName": "blue"}),
    );
    NETWORK.accept(&master, &blue);
}

#[test]
fn tags_are_lowest_free_first_and_nobodys_twice() {
    let master = Master::start();
    let tag = |object: &Value| NETWORK.inspect(&master, object)["Oper"]["externalPktTag"].clone();
    let make = |name: &str, third: u8, encap: &str, tag: u32| {
        let change = json!({"encap": encap, "pktTag": tag});
        with(&network(name, &format!("10.1.{third}.0/24")), &change)
    };
    for (object, expected) in [
        (make("v1", 1, "vlan", 0), 1),
        (make("x1", 2, "vxlan", 0), 1),
        (make("x2", 3, "vxlan", 0), 2),
        (make("x1000", 4, "vxlan", 1000), 1000),
        (make("v2", 5, "vlan", 0), 2),
        (make("v4", 6, "vlan", 4), 4),
    ] {
        NETWORK.accept(&master, &object);
        assert_eq!(tag(&object), expected, "{object}");
    }
    for taken in [
        make("y", 9, "vxlan", 1000),
        make("y", 9, "vlan", 4),
        make("y", 9, "vlan", 1),
    ] {
        NETWORK.refuse(&master, &taken, (409, "pktTag"));
    }
    // What is given back is the lowest again.
    NETWORK.delete(&master, &make("x1", 2, "vxlan", 0));
    let next = make("x", 7, "vxlan", 0);
    NETWORK.accept(&master, &next);
    assert_eq!(tag(&next), 1);
}

#[test]
fn a_network_stays_as_it_was_created() {
    let master = Master::start();
    NETWORK.accept(&master, &base());
    NETWORK.accept(&master, &base());
    for (field, change) in [
        ("subnet", json!({"subnet": "10.2.1.0/24", "gateway": ""})),
        ("gateway", json!({"gateway": "10.1.1.1"})),
        ("encap", json!({"encap": "vlan"})),
        ("pktTag", json!({"pktTag": 7})),
        ("nwType", json!({"nwType": "infra"})),
        ("ipv6Subnet", json!({"ipv6Subnet": "2001:db8::/64"})),
        ("cfgdTag", json!({"cfgdTag": "other"})),
    ] {
        NETWORK.refuse(&master, &with(&base(), &change), (409, field));
    }
}

#[test]
fn a_network_and_a_group_of_a_tenant_have_different_names() {
    let master = Master::start();
    NETWORK.accept(&master, &network("n", "10.1.1.0/24"));
    GROUP.refuse(&master, &group("n", "n"), (409, "groupName"));
    GROUP.accept(&master, &group("g", "n"));
    NETWORK.refuse(&master, &network("g", "10.2.1.0/24"), (409, "networkName"));
}
