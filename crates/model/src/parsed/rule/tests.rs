mod more;

use super::*;

fn rule(direction: &str) -> Rule {
    Rule {
        tenant_name: "blue".into(),
        policy_name: "p".into(),
        rule_id: "1".into(),
        direction: direction.into(),
        action: "allow".into(),
        ..Rule::default()
    }
}

fn printed(rule: Rule) -> String {
    rule.parse().unwrap().ports.to_string()
}

fn range(text: &str) -> AddressRange {
    let (first, last) = text.split_once(' ').unwrap_or((text, text));
    AddressRange {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
    }
}

#[test]
fn what_is_left_out_is_any() {
    let parsed = rule("in").parse().unwrap();
    assert_eq!(
        (parsed.priority, parsed.protocol, parsed.ports.ranges()),
        (1, None, &[][..])
    );
    assert_eq!((parsed.icmp_type, parsed.icmp_code), (None, None));
    assert!(!parsed.log && !parsed.keep_established);
    assert_eq!((parsed.peer_group, parsed.peer_network), (None, None));
    assert!(parsed.peer_addresses.is_empty() && parsed.own_addresses.is_empty());
}

#[test]
fn the_peer_is_the_other_side() {
    let incoming = Rule {
        from_endpoint_group: "web".into(),
        from_ip_address: "10.1.1.1".into(),
        to_ip_address: "10.1.1.2".into(),
        ..rule("in")
    };
    let incoming = incoming.parse().unwrap();
    assert_eq!(incoming.peer_group.unwrap(), "web");
    assert_eq!(incoming.peer_addresses, [range("10.1.1.1")]);
    assert_eq!(incoming.own_addresses, [range("10.1.1.2")]);
    let outgoing = Rule {
        to_endpoint_group: "db".into(),
        to_ip_address: "10.1.1.2".into(),
        ..rule("out")
    };
    let outgoing = outgoing.parse().unwrap();
    assert_eq!(outgoing.peer_group.unwrap(), "db");
    assert_eq!(outgoing.peer_addresses, [range("10.1.1.2")]);
    assert!(outgoing.own_addresses.is_empty());
    let network = Rule {
        to_network: "n".into(),
        ..rule("out")
    };
    assert_eq!(network.parse().unwrap().peer_network.unwrap(), "n");
}

#[test]
fn addresses_have_many_forms() {
    for (text, expected) in [
        ("10.1.1.7", "10.1.1.7"),
        ("10.1.1.7/32", "10.1.1.7"),
        ("10.1.1.7/24", "10.1.1.0 10.1.1.255"),
        ("10.1.1.7/31", "10.1.1.6 10.1.1.7"),
        ("0.0.0.0/0", "0.0.0.0 255.255.255.255"),
        ("10.1.1.7-9", "10.1.1.7 10.1.1.9"),
        ("10.1.1.7-7", "10.1.1.7"),
        ("10.1.1.7-10.2.0.1", "10.1.1.7 10.2.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("2001:db8::/108", "2001:db8:: 2001:db8::f:ffff"),
        ("::/0", ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::1-2001:db8::9", "2001:db8::1 2001:db8::9"),
    ] {
        let rule = Rule {
            from_ip_address: text.into(),
            ..rule("in")
        };
        assert_eq!(
            rule.parse().unwrap().peer_addresses,
            [range(expected)],
            "{text}"
        );
    }
}

#[test]
fn other_addresses_are_refused() {
    for bad in [
        "10.1.1",
        "10.1.1.256",
        "10.1.1.1/33",
        "10.1.1.1/",
        "10.1.1.1/024",
        "10.1.1.1-256",
        "10.1.1.1-10.1.2",
        "10.1.1.9-7",
        "10.1.2.1-10.1.1.1",
        "10.1.1.1-fd00::1",
        "fd00::1-9",
        "fd00::/129",
        "10.1.1.1-10.1.1.2/24",
        "web",
        "-7",
    ] {
        let rule = Rule {
            from_ip_address: bad.into(),
            ..rule("in")
        };
        let refused = rule.parse().unwrap_err();
        assert_eq!(refused.field, "fromIpAddress");
        assert!(refused.message.contains(bad), "{refused}");
    }
}

#[test]
fn protocols_are_words_or_numbers() {
    for (text, number) in [
        ("tcp", 6),
        ("udp", 17),
        ("icmp", 1),
        ("icmpv6", 58),
        ("icmp6", 58),
        ("igmp", 2),
        ("sctp", 132),
        ("esp", 50),
        ("ah", 51),
        ("gre", 47),
        ("0", 0),
        ("47", 47),
        ("255", 255),
    ] {
        let rule = Rule {
            protocol: text.into(),
            ..rule("in")
        };
        assert_eq!(rule.parse().unwrap().protocol, Some(number), "{text}");
    }
    for bad in ["xyz", "TCP", "256", "-1", "1.5", "06", "+6"] {
        let rule = Rule {
            protocol: bad.into(),
            ..rule("in")
        };
        assert_eq!(rule.parse().unwrap_err().field, "protocol", "{bad}");
    }
}

#[test]
fn ports_are_those_of_tcp_and_udp() {
    let with = |port, protocol: &str| Rule {
        port,
        protocol: protocol.into(),
        ..rule("in")
    };
    for protocol in ["tcp", "udp", "", "6", "17"] {
        assert_eq!(printed(with(65535, protocol)), "65535");
        assert_eq!(printed(with(0, protocol)), "");
    }
    assert_eq!(printed(with(0, "icmp")), "");
    for (port, protocol) in [(65536, "tcp"), (80, "icmp"), (80, "47")] {
        assert_eq!(with(port, protocol).parse().unwrap_err().field, "port");
    }
}

#[test]
fn a_wrong_field_is_named() {
    let given = String::from;
    for (field, wrong) in [
        (
            "key",
            Rule {
                key: given("blue:p:2"),
                ..rule("in")
            },
        ),
        (
            "tenantName",
            Rule {
                tenant_name: given("b@"),
                ..rule("in")
            },
        ),
        (
            "policyName",
            Rule {
                policy_name: given(""),
                ..rule("in")
            },
        ),
        (
            "ruleId",
            Rule {
                rule_id: given("1:2"),
                ..rule("in")
            },
        ),
        ("direction", rule("both")),
        ("direction", rule("xyz")),
        ("direction", rule("")),
        (
            "action",
            Rule {
                action: given("accept"),
                ..rule("in")
            },
        ),
        (
            "action",
            Rule {
                action: given(""),
                ..rule("in")
            },
        ),
        (
            "priority",
            Rule {
                priority: 101,
                ..rule("in")
            },
        ),
        (
            "fromEndpointGroup",
            Rule {
                from_endpoint_group: given("a_b"),
                ..rule("in")
            },
        ),
        (
            "toEndpointGroup",
            Rule {
                to_endpoint_group: given("g"),
                ..rule("in")
            },
        ),
        (
            "toNetwork",
            Rule {
                to_network: given("n"),
                ..rule("in")
            },
        ),
        (
            "fromEndpointGroup",
            Rule {
                from_endpoint_group: given("g"),
                ..rule("out")
            },
        ),
        (
            "fromNetwork",
            Rule {
                from_network: given("n"),
                ..rule("out")
            },
        ),
        (
            "fromIpAddress",
            Rule {
                from_ip_address: given("10.1.1.1"),
                ..rule("out")
            },
        ),
    ] {
        assert_eq!(wrong.parse().unwrap_err().field, field, "{wrong:?}");
    }
}

#[test]
fn a_network_is_given_alone() {
    let from_network = || Rule {
        from_network: "n".into(),
        ..rule("in")
    };
    let to_network = || Rule {
        to_network: "n".into(),
        ..rule("out")
    };
    for (field, wrong) in [
        (
            "fromNetwork",
            Rule {
                from_ip_address: "10.1.1.1".into(),
                ..from_network()
            },
        ),
        (
            "fromNetwork",
            Rule {
                from_endpoint_group: "g".into(),
                ..from_network()
            },
        ),
        (
            "toNetwork",
            Rule {
                to_ip_address: "10.1.1.1".into(),
                ..to_network()
            },
        ),
        (
            "toNetwork",
            Rule {
                to_endpoint_group: "g".into(),
                ..to_network()
            },
        ),
    ] {
        let refused = wrong.parse().unwrap_err();
        assert_eq!(refused.field, field);
        assert!(refused.message.contains("give one of them"), "{refused}");
    }
    let incoming = Rule {
        from_ip_except: "10.1.1.1".into(),
        ..from_network()
    };
    let outgoing = Rule {
        to_ip_except: "10.1.1.1".into(),
        ..to_network()
    };
    for (wrong, field, said) in [
        (
            incoming,
            "fromIpExcept",
            "give the subnets of fromNetwork \"n\" as fromIpAddress",
        ),
        (
            outgoing,
            "toIpExcept",
            "give the subnets of toNetwork \"n\" as toIpAddress",
        ),
    ] {
        let refused = wrong.parse().unwrap_err();
        assert_eq!(refused.field, field);
        assert!(refused.message.contains(said), "{refused}");
    }
}
