use super::*;
use crate::object::Network;

fn group(name: &str, pool: &str) -> EndpointGroup {
    EndpointGroup {
        tenant_name: "blue".into(),
        group_name: name.into(),
        network_name: "n".into(),
        ip_pool: pool.into(),
        ..EndpointGroup::default()
    }
}

fn network(subnet: &str) -> ParsedNetwork {
    let network = Network {
        tenant_name: "blue".into(),
        network_name: "n".into(),
        encap: "vlan".into(),
        subnet: subnet.into(),
        gateway: "10.3.1.254".into(),
        ..Network::default()
    };
    network.parse().unwrap()
}

#[test]
fn a_group_names_its_network_and_each_policy_once() {
    let parsed = EndpointGroup {
        policies: vec!["p".into(), "o".into(), "p".into()],
        ..group("g", "")
    };
    let parsed = parsed.parse().unwrap();
    assert_eq!(parsed.network, "n");
    assert_eq!(parsed.policies.len(), 2);
    assert_eq!(parsed.pool, None);
    assert_eq!(parsed.group_tag(), "g.blue");
}

#[test]
fn a_wrong_field_is_named_with_its_value() {
    let base = || group("g", "");
    for (field, said, wrong) in [
        ("groupName", "\"bridge\"", group("bridge", "")),
        ("groupName", "a_b", group("a_b", "")),
        (
            "networkName",
            "is empty",
            EndpointGroup {
                network_name: String::new(),
                ..base()
            },
        ),
        (
            "policies",
            "p/q",
            EndpointGroup {
                policies: vec!["p/q".into()],
                ..base()
            },
        ),
        (
            "policies",
            "is empty",
            EndpointGroup {
                policies: vec![String::new()],
                ..base()
            },
        ),
        (
            "cfgdTag",
            "a=b",
            EndpointGroup {
                cfgd_tag: "a=b".into(),
                ..base()
            },
        ),
        ("ipPool", "10.3.1.0/28", group("g", "10.3.1.0/28")),
        ("ipPool", "10.3.1.5-9", group("g", "10.3.1.5-9")),
        (
            "ipPool",
            "lower address first",
            group("g", "10.3.1.9-10.3.1.5"),
        ),
        ("ipPool", "fd00::1", group("g", "fd00::1-fd00::2")),
    ] {
        let refused = wrong.parse().unwrap_err();
        assert_eq!(refused.field, field, "{refused}");
        assert!(refused.message.contains(said), "{refused}");
    }
}

#[test]
fn a_pool_is_made_of_addresses_that_the_network_gives() {
    let within = |pool: &str, subnet: &str| {
        let group = group("g", pool).parse().unwrap();
        group.check_pool_within(&network(subnet))
    };
    for good in [
        "",
        "10.3.1.11",
        "10.3.1.11-10.3.1.11",
        "10.3.1.1-10.3.1.253",
    ] {
        assert!(within(good, "10.3.1.0/24").is_ok(), "{good}");
    }
    for bad in [
        "10.3.1.0-10.3.1.5",
        "10.3.1.250-10.3.1.255",
        "10.3.0.250-10.3.1.5",
        "10.3.2.1-10.3.2.5",
        "10.3.1.250-10.3.1.254",
    ] {
        let refused = within(bad, "10.3.1.0/24").unwrap_err();
        assert_eq!(refused.field, "ipPool");
        assert!(refused.message.contains(bad), "{refused}");
    }
    assert!(within("10.3.1.10-10.3.1.20", "10.3.1.10-10.3.1.20/24").is_ok());
    assert!(within("10.3.1.9-10.3.1.20", "10.3.1.10-10.3.1.20/24").is_err());
}

#[test]
fn pools_of_one_network_share_no_address() {
    let parsed = |name: &str, pool: &str| group(name, pool).parse().unwrap();
    let a = parsed("a", "10.3.1.10-10.3.1.20");
    assert!(a.check_apart_from(&parsed("b", "")).is_ok());
    assert!(
        a.check_apart_from(&parsed("b", "10.3.1.21-10.3.1.30"))
            .is_ok()
    );
    let refused = a
        .check_apart_from(&parsed("b", "10.3.1.20-10.3.1.30"))
        .unwrap_err();
    assert!(
        refused.message.contains("10.3.1.20 with group blue:b"),
        "{refused}"
    );
    let elsewhere = EndpointGroup {
        network_name: "m".into(),
        ..group("b", "10.3.1.10")
    };
    assert!(a.check_apart_from(&elsewhere.parse().unwrap()).is_ok());
}
