//! What rules of the original could not say.

use proptest::prelude::*;

use super::*;

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
