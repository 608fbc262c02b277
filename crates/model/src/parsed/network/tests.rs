use super::*;
use crate::object::Global;

fn network(name: &str, subnet: &str) -> Network {
    Network {
        tenant_name: "blue".into(),
        network_name: name.into(),
        encap: "vxlan".into(),
        subnet: subnet.into(),
        ..Network::default()
    }
}

fn parsed(name: &str, subnet: &str) -> ParsedNetwork {
    network(name, subnet).parse().unwrap()
}

#[test]
fn what_is_left_out_has_a_default() {
    let network = parsed("contiv-net", "10.1.2.0/24");
    assert_eq!(network.nw_type, NetworkType::Data);
    assert_eq!((network.tag, network.gateway), (None, None));
    assert_eq!((network.ipv6_subnet, network.ipv6_gateway), (None, None));
    assert_eq!(network.network_tag(), "contiv-net.blue");
}

#[test]
fn what_is_given_is_typed() {
    let network = Network {
        key: "blue:n".into(),
        nw_type: "infra".into(),
        encap: "vlan".into(),
        pkt_tag: 4094,
        gateway: "10.1.2.254".into(),
        ipv6_subnet: "fd00:1::7/120".into(),
        ipv6_gateway: "fd00:1::fe".into(),
        cfgd_tag: "io.contiv.network.test".into(),
        ..network("n", "10.1.2.10-10.1.2.20/24")
    };
    let parsed = network.parse().unwrap();
    assert_eq!(parsed.nw_type, NetworkType::Infra);
    assert_eq!((parsed.encap, parsed.tag), (Encap::Vlan, Some(4094)));
    assert_eq!(parsed.gateway, Some(Ipv4Addr::new(10, 1, 2, 254)));
    assert_eq!(parsed.ipv6_subnet.unwrap().to_string(), "fd00:1::/120");
    assert_eq!(parsed.network_tag(), "io.contiv.network.test");
}

#[test]
fn a_wrong_field_is_named_with_its_value() {
    type Change = fn(&mut Network);
    let table: [(&str, &str, Change); 27] = [
        ("key", "blue:other", |n| n.key = "blue:other".into()),
        ("tenantName", "empty", |n| n.tenant_name.clear()),
        ("tenantName", "b|lue", |n| n.tenant_name = "b|lue".into()),
        ("networkName", "n:m", |n| n.network_name = "n:m".into()),
        ("networkName", "Docker's own", |n| {
            n.network_name = "host".into();
        }),
        ("networkName", "\"none\"", |n| {
            n.network_name = "none".into();
        }),
        ("nwType", "DATA", |n| n.nw_type = "DATA".into()),
        ("encap", "vlan or vxlan", |n| n.encap = "vvvv".into()),
        ("encap", "is empty", |n| n.encap.clear()),
        ("subnet", "is empty", |n| n.subnet.clear()),
        ("pktTag", "65536", |n| n.pkt_tag = 65536),
        ("pktTag", "4095", |n| {
            n.encap = "vlan".into();
            n.pkt_tag = 4095;
        }),
        ("gateway", "10.1.2", |n| n.gateway = "10.1.2".into()),
        ("gateway", "outside", |n| n.gateway = "10.1.3.1".into()),
        ("gateway", "the first", |n| n.gateway = "10.1.2.0".into()),
        ("gateway", "the last", |n| n.gateway = "10.1.2.255".into()),
        ("ipv6Subnet", "fd00::/128", |n| {
            n.ipv6_subnet = "fd00::/128".into();
        }),
        ("ipv6Subnet", "fd00::", |n| n.ipv6_subnet = "fd00::".into()),
        ("ipv6Subnet", "::/0", |n| n.ipv6_subnet = "::/0".into()),
        ("ipv6Subnet", "multicast", |n| {
            n.ipv6_subnet = "ff02::/16".into();
        }),
        ("ipv6Subnet", "::/8", |n| {
            n.ipv6_subnet = "::ffff:0:0/96".into();
        }),
        ("ipv6Subnet", "10.1.2.0/24", |n| {
            n.ipv6_subnet = "10.1.2.0/24".into();
        }),
        ("ipv6Gateway", "give ipv6Subnet", |n| {
            n.ipv6_gateway = "fd00::1".into();
        }),
        ("ipv6Gateway", "outside", |n| {
            n.ipv6_subnet = "fd00::/64".into();
            n.ipv6_gateway = "fd00:0:0:1::1".into();
        }),
        ("ipv6Gateway", "the first", |n| {
            n.ipv6_subnet = "fd00::/64".into();
            n.ipv6_gateway = "fd00::".into();
        }),
        ("cfgdTag", "a=b", |n| n.cfgd_tag = "a=b".into()),
        ("cfgdTag", "a/b", |n| n.cfgd_tag = "a/b".into()),
    ];
    for (field, said, change) in table {
        let mut network = network("n", "10.1.2.0/24");
        change(&mut network);
        let refused = network.parse().unwrap_err();
        assert_eq!(refused.field, field, "{refused}");
        assert!(refused.message.contains(said), "{refused}");
    }
}

#[test]
fn every_length_of_an_ipv6_prefix_is_one() {
    for bits in 1..=127 {
        let network = Network {
            ipv6_subnet: format!("2001:db8::/{bits}"),
            ..network("n", "10.1.2.0/24")
        };
        // Up to /2 the subnet has the reserved ::/8 in it.
        assert_eq!(network.parse().is_ok(), bits > 2, "/{bits}");
    }
}

#[test]
fn networks_of_a_tenant_share_no_address() {
    let alone = |a: &str, b: &str| {
        let (a, b) = (parsed("a", a), parsed("b", b));
        let both = [a.check_apart_from(&b), b.check_apart_from(&a)];
        assert_eq!(both[0].is_ok(), both[1].is_ok());
        both[0].clone()
    };
    assert!(alone("10.1.1.0/24", "10.1.2.0/24").is_ok());
    assert!(alone("10.1.1.10-10.1.1.20/24", "10.1.1.21-10.1.1.30/24").is_ok());
    let refused = alone("10.1.1.10-10.1.1.20/24", "10.1.1.20-10.1.1.30/24").unwrap_err();
    assert_eq!(refused.field, "subnet");
    assert!(
        refused.message.contains("10.1.1.20 with network blue:b"),
        "{refused}"
    );
    assert!(alone("10.1.0.0/16", "10.1.1.0/24").is_err());
    assert!(alone("10.1.1.10-10.1.1.20/24", "10.1.1.0/28").is_err());
}

#[test]
fn a_gateway_is_no_endpoints_address_elsewhere() {
    let with = |name: &str, subnet: &str, gateway: &str| Network {
        gateway: gateway.into(),
        ..network(name, subnet)
    };
    let a = with("a", "10.1.1.10-10.1.1.20/24", "10.1.1.254")
        .parse()
        .unwrap();
    let same = with("b", "10.1.1.30-10.1.1.40/24", "10.1.1.254")
        .parse()
        .unwrap();
    assert!(a.check_apart_from(&same).is_ok());
    let inside = with("b", "10.1.1.30-10.1.1.40/24", "10.1.1.15")
        .parse()
        .unwrap();
    assert_eq!(inside.check_apart_from(&a).unwrap_err().field, "gateway");
    assert_eq!(a.check_apart_from(&inside).unwrap_err().field, "subnet");
}

#[test]
fn ipv6_subnets_are_kept_apart_as_well() {
    let with = |name: &str, subnet: &str, ipv6: &str| {
        let network = Network {
            ipv6_subnet: ipv6.into(),
            ..network(name, subnet)
        };
        network.parse().unwrap()
    };
    let a = with("a", "10.1.1.0/24", "fd00::/64");
    assert!(
        a.check_apart_from(&with("b", "10.1.2.0/24", "fd00:0:0:1::/64"))
            .is_ok()
    );
    for overlapping in ["fd00::/48", "fd00::/64", "fd00::8000/120"] {
        let refused = a
            .check_apart_from(&with("b", "10.1.2.0/24", overlapping))
            .unwrap_err();
        assert_eq!(refused.field, "ipv6Subnet");
    }
}

#[test]
fn a_tag_is_one_of_the_global_range() {
    let global = Global {
        vlans: "100-1000".into(),
        ..Global::initial()
    };
    let global = global.parse().unwrap();
    for (encap, tag, good) in [
        ("vlan", 99, false),
        ("vlan", 100, true),
        ("vlan", 1000, true),
        ("vlan", 1001, false),
        ("vlan", 0, true),
        ("vxlan", 10000, true),
        ("vxlan", 20000, false),
    ] {
        let network = Network {
            encap: encap.into(),
            pkt_tag: tag,
            ..network("n", "10.1.1.0/24")
        };
        let checked = network.parse().unwrap().check_tag(&global);
        assert_eq!(checked.is_ok(), good, "{encap} {tag}");
        if let Err(refused) = checked {
            assert_eq!(refused.field, "pktTag");
            assert!(refused.message.contains(&tag.to_string()), "{refused}");
        }
    }
}
