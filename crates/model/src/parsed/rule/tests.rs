use proptest::prelude::*;

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

fn printed(rule: Rule) -> String {
    rule.parse().unwrap().ports.to_string()
}

#[test]
fn a_list_of_ports_stands_in_place_of_one() {
    let with = |ports: &str, port, protocol: &str| Rule {
        ports: ports.into(),
        port,
        protocol: protocol.into(),
        ..rule("in")
    };
    assert_eq!(
        printed(with("8000-8100, 80,443", 0, "tcp")),
        "80,443,8000-8100"
    );
    for (wrong, said) in [
        (with("80", 80, "tcp"), "exclude each other"),
        (with("80,x", 0, "udp"), "item 2, \"x\""),
        (
            with("80,443", 0, "sctp"),
            "makes no sense with protocol sctp",
        ),
    ] {
        let refused = wrong.parse().unwrap_err();
        assert_eq!(refused.field, "ports");
        assert!(refused.message.contains(said), "{refused}");
    }
}

#[test]
fn types_and_codes_are_those_of_icmp() {
    let with = |protocol: &str, icmp_type, icmp_code| Rule {
        protocol: protocol.into(),
        icmp_type,
        icmp_code,
        ..rule("in")
    };
    for protocol in ["icmp", "icmpv6", "1", "58"] {
        let parsed = with(protocol, Some(0), Some(255)).parse().unwrap();
        assert_eq!((parsed.icmp_type, parsed.icmp_code), (Some(0), Some(255)));
    }
    for (wrong, field, said) in [
        (
            with("tcp", Some(8), None),
            "icmpType",
            "give icmp or icmpv6",
        ),
        (with("", Some(8), None), "icmpType", "give icmp or icmpv6"),
        (with("icmp", Some(256), None), "icmpType", "256 is too high"),
        (
            with("icmp", Some(8), Some(256)),
            "icmpCode",
            "256 is too high",
        ),
        (
            with("icmp", None, Some(0)),
            "icmpCode",
            "give icmpType as well",
        ),
    ] {
        let refused = wrong.parse().unwrap_err();
        assert_eq!(refused.field, field);
        assert!(refused.message.contains(said), "{refused}");
    }
}

#[test]
fn exceptions_belong_to_a_side() {
    let incoming = Rule {
        from_endpoint_group: "web".into(),
        from_ip_address: "10.1.0.0/16,fd00::/64".into(),
        from_ip_except: "10.1.0.0/17".into(),
        ..rule("in")
    };
    assert_eq!(
        incoming.parse().unwrap().peer_addresses,
        [
            range("10.1.128.0 10.1.255.255"),
            range("fd00:: fd00::ffff:ffff:ffff:ffff")
        ]
    );
    let outgoing = Rule {
        from_ip_except: "10.1.0.0/17".into(),
        ..rule("out")
    };
    assert_eq!(outgoing.parse().unwrap_err().field, "fromIpExcept");
}

#[test]
fn old_clients_see_the_rule_that_they_sent() {
    let plain = serde_json::to_value(rule("in")).unwrap();
    let fields: Vec<&String> = plain.as_object().unwrap().keys().collect();
    let expected = "action direction fromEndpointGroup fromIpAddress fromNetwork key policyName \
                    port priority protocol ruleId tenantName toEndpointGroup toIpAddress toNetwork";
    assert_eq!(fields.len(), expected.split(' ').count());
    assert!(expected.split(' ').all(|name| plain.get(name).is_some()));
}

proptest! {
    /// Bytes of a request, as a rule if they are one.
    #[test]
    fn no_rule_is_too_strange(
        words in prop::collection::vec("in|out|allow|pass|tcp|icmp|web|[0-9./,:-]{0,20}|.{0,8}", 14),
        numbers in any::<(u32, u32, Option<u32>, Option<u32>)>(),
    ) {
        let mut words = words.into_iter();
        let mut word = || words.next().unwrap_or_default();
        let rule = Rule {
            direction: word(),
            action: word(),
            protocol: word(),
            ports: word(),
            from_ip_address: word(),
            from_ip_except: word(),
            to_ip_address: word(),
            to_ip_except: word(),
            from_endpoint_group: word(),
            to_endpoint_group: word(),
            from_network: word(),
            to_network: word(),
            description: word(),
            key: word(),
            priority: numbers.0,
            port: numbers.1,
            icmp_type: numbers.2,
            icmp_code: numbers.3,
            ..rule("in")
        };
        if let Err(refused) = rule.parse() {
            prop_assert!(!refused.field.is_empty() && !refused.message.is_empty());
        }
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
}
