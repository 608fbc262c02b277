use super::*;

#[test]
fn a_new_fabric_has_settings_that_parse() {
    let parsed = Global::initial().parse().unwrap();
    assert_eq!(parsed.vlans.to_string(), "1-4094");
    assert_eq!(parsed.vxlans.to_string(), "1-10000");
    assert_eq!(parsed.forward_mode, ForwardMode::Bridge);
    assert_eq!(parsed.arp_mode, ArpMode::Proxy);
    assert_eq!(parsed.pvt_subnet.to_string(), "172.19.0.0/16");
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let update = Global {
        fwd_mode: "routing".into(),
        ..Global::default()
    };
    assert_eq!(update.parse().unwrap_err().field, "name");
    let filled = update.filled_from(&Global::initial());
    assert_eq!(
        filled,
        Global {
            fwd_mode: "routing".into(),
            ..Global::initial()
        }
    );
    assert_eq!(filled.parse().unwrap().forward_mode, ForwardMode::Routing);
}

#[test]
fn good_ranges_are_accepted() {
    for (vlans, vxlans) in [
        ("1-4094", "1-16000"),
        ("100-1000", "60000-65535"),
        ("5-5", "7-7"),
    ] {
        let global = Global {
            vlans: vlans.into(),
            vxlans: vxlans.into(),
            ..Global::initial()
        };
        assert!(global.parse().is_ok(), "{vlans} {vxlans}");
    }
}

#[test]
fn a_wrong_setting_is_named_with_its_value() {
    type Field = fn(&mut Global) -> &mut String;
    let vlans: (&str, Field) = ("vlans", |g| &mut g.vlans);
    let vxlans: (&str, Field) = ("vxlans", |g| &mut g.vxlans);
    let infra: (&str, Field) = ("networkInfraType", |g| &mut g.network_infra_type);
    let mode: (&str, Field) = ("fwdMode", |g| &mut g.fwd_mode);
    let arp: (&str, Field) = ("arpMode", |g| &mut g.arp_mode);
    let private: (&str, Field) = ("pvtSubnet", |g| &mut g.pvt_subnet);
    let name: (&str, Field) = ("name", |g| &mut g.name);
    for ((field, place), bad) in [
        (vlans, ""),
        (vlans, "1-5000"),
        (vlans, "0-4094"),
        (vlans, "1-4095"),
        (vlans, "1"),
        (vlans, "1?2"),
        (vlans, "abcd"),
        (vlans, "9-5"),
        (vlans, "1-5,7-9"),
        (vlans, "+1-5"),
        (vlans, "1-"),
        (vlans, "-5"),
        (vlans, "1 - 5"),
        (vlans, "1-99999999999"),
        (vxlans, "1-20000"),
        (vxlans, "1-100000"),
        (vxlans, "0-10"),
        (vxlans, "1-16001"),
        (vxlans, "65000-65536"),
        (infra, "xyz"),
        (infra, ""),
        (mode, "bridged"),
        (mode, ""),
        (arp, "xyz"),
        (private, "172.19.0.0/24"),
        (private, "172.19.0.0"),
        (private, "127.1.0.0/16"),
        (private, "fd00::/16"),
        (name, "other"),
    ] {
        let mut global = Global {
            key: String::new(),
            ..Global::initial()
        };
        bad.clone_into(place(&mut global));
        let refused = global.parse().unwrap_err();
        assert_eq!(refused.field, field, "{bad:?}: {refused}");
        assert!(bad.is_empty() || refused.message.contains(bad), "{refused}");
    }
}

#[test]
fn a_port_is_one_of_udp() {
    let with = |vxlan_port| Global {
        vxlan_port,
        ..Global::initial()
    };
    assert_eq!(with(Some(8472)).parse().unwrap().vxlan_port, 8472);
    assert_eq!(with(None).parse().unwrap().vxlan_port, 4789);
    for bad in [0, 65_536] {
        let refused = with(Some(bad)).parse().unwrap_err();
        assert_eq!(refused.field, "vxlanPort");
        assert!(refused.message.contains(&bad.to_string()), "{refused}");
    }
    let kept = Global::default().filled_from(&with(Some(8472)));
    assert_eq!(kept.vxlan_port, Some(8472));
}
