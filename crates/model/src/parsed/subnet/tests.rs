use proptest::prelude::*;

use super::*;

fn subnet(text: &str) -> Subnet {
    Subnet::parse(text).unwrap()
}

#[test]
fn a_subnet_is_written_with_any_of_its_addresses() {
    assert_eq!(subnet("10.1.1.1/24"), subnet("10.1.1.0/24"));
    assert_eq!(subnet("10.1.1.1/24").to_string(), "10.1.1.0/24");
    assert_eq!(subnet("10.1.1.0/24").range, None);
}

#[test]
fn a_range_may_cross_octets_and_stays_in_its_subnet() {
    let range = subnet("10.1.1.10-10.1.5.254/16");
    assert_eq!(range.net.to_string(), "10.1.0.0/16");
    assert_eq!(range.claimed().to_string(), "10.1.1.10-10.1.5.254");
    assert_eq!(range.to_string(), "10.1.1.10-10.1.5.254/16");
    assert_eq!(
        subnet("10.1.1.10-10.1.1.20/24")
            .usable()
            .unwrap()
            .to_string(),
        "10.1.1.10-10.1.1.20"
    );
}

#[test]
fn the_first_and_the_last_address_are_nobodys() {
    for (text, usable) in [
        ("10.1.1.0/24", "10.1.1.1-10.1.1.254"),
        ("10.1.1.0-10.1.1.255/24", "10.1.1.1-10.1.1.254"),
        ("10.1.1.0/27", "10.1.1.1-10.1.1.30"),
        ("10.1.1.0/30", "10.1.1.1-10.1.1.2"),
        (
            "10.100.100.194-10.100.100.222/27",
            "10.100.100.194-10.100.100.222",
        ),
        // Both ends of a point-to-point link are hosts.
        ("10.1.1.4/31", "10.1.1.4-10.1.1.5"),
        ("10.1.1.7-10.1.1.7/24", "10.1.1.7"),
        ("10.0.0.0/8", "10.0.0.1-10.255.255.254"),
    ] {
        assert_eq!(subnet(text).usable().unwrap().to_string(), usable, "{text}");
    }
}

#[test]
fn other_forms_are_refused_with_the_value_and_a_way_out() {
    for (text, way_out) in [
        ("", "give a subnet"),
        ("10.1.1.10-20/24", "write 10.1.2.0/24"),
        ("10.1.1.10-10.1.20/24", "write 10.1.2.0/24"),
        ("10.1.1.10-/24", "write 10.1.2.0/24"),
        ("-10.1.1.10/24", "write 10.1.2.0/24"),
        ("10.1.1.1-10.1.1.2-10.1.1.3/24", "write 10.1.2.0/24"),
        ("10.1.1.10-10.1.1.20", "write 10.1.2.0/24"),
        ("10.1.1.1", "write 10.1.2.0/24"),
        ("10.1.1.1.1/24", "write 10.1.2.0/24"),
        ("10.1.1/24", "write 10.1.2.0/24"),
        ("10.1.1.256/24", "write 10.1.2.0/24"),
        ("10.1.1.01/24", "write 10.1.2.0/24"),
        ("10.1.1.0/", "write 10.1.2.0/24"),
        ("10.1.1.0/024", "write 10.1.2.0/24"),
        ("10.1.1.0/+24", "write 10.1.2.0/24"),
        ("10.1.1.0/24/24", "write 10.1.2.0/24"),
        (" 10.1.1.0/24", "write 10.1.2.0/24"),
        ("fd00::/64", "write 10.1.2.0/24"),
        ("10.1.1.0/32", "from 8 to 31"),
        ("10.1.1.0/33", "from 8 to 31"),
        ("10.0.0.0/7", "from 8 to 31"),
        ("0.0.0.0/0", "from 8 to 31"),
        ("10.1.1.20-10.1.1.10/24", "lower address first"),
        ("10.1.1.10-10.1.2.20/24", "leaves its subnet"),
        ("10.1.1.0-10.1.1.0/24", "widen the range"),
        ("127.1.0.0/16", "every host keeps"),
        ("224.0.0.0/8", "multicast"),
        ("255.255.255.0/24", "reserved"),
        ("0.0.0.0/8", "names no host"),
    ] {
        let refused = Subnet::parse(text).unwrap_err();
        assert_eq!(refused.field, "subnet");
        assert!(refused.message.contains(way_out), "{text}: {refused}");
        assert!(
            text.is_empty() || refused.message.contains(text),
            "{refused}"
        );
    }
}

proptest! {
    #[test]
    fn a_subnet_is_read_back_as_it_was_printed(
        first in any::<u32>(), length in 0u32..1 << 20, bits in 0u8..=32
    ) {
        let last = Ipv4Addr::from_bits(first.saturating_add(length));
        let first = Ipv4Addr::from_bits(first);
        for text in [format!("{first}/{bits}"), format!("{first}-{last}/{bits}")] {
            if let Ok(subnet) = Subnet::parse(&text) {
                prop_assert_eq!(Subnet::parse(&subnet.to_string()), Ok(subnet));
                let usable = subnet.usable().unwrap();
                prop_assert!(subnet.claimed().encloses(&usable));
                prop_assert!(subnet.has_host(usable.first) && subnet.has_host(usable.last));
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-9a-f.:/ -]{0,30}|\\PC{0,20}") {
        if let Err(refused) = Subnet::parse(&text) {
            prop_assert_eq!(refused.field, "subnet");
        }
    }
}
