use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Addresses, Invalid> {
    Addresses::parse("fromIpAddress", text)
}

fn except(listed: &str, text: &str) -> Result<String, String> {
    let all = parse(listed).unwrap();
    let rest = all.without(("fromIpAddress", listed), ("fromIpExcept", text));
    rest.map(|rest| rest.to_string()).map_err(|e| e.to_string())
}

#[test]
fn lists_hold_both_families_and_are_put_in_order() {
    let listed = "2001:db8::/127, 10.1.2.0/25,10.1.2.128/25,10.1.1.7, 10.1.2.3-9";
    assert_eq!(
        parse(listed).unwrap().to_string(),
        "10.1.1.7,10.1.2.0-10.1.2.255,2001:db8::-2001:db8::1"
    );
    assert!(parse("").unwrap().is_empty());
}

#[test]
fn a_wrong_item_is_named_with_its_place() {
    for (text, said) in [
        ("10.1.1.1,10.1.1", "item 2, \"10.1.1\", is not an address"),
        ("10.1.1.9-7,::", "item 1, \"10.1.1.9-7\", ends before"),
        ("10.1.1.1,", "item 2, \"\", is not an address"),
        ("10.1.1.1-::1", "\"10.1.1.1-::1\" is not an address"),
    ] {
        let refused = parse(text).unwrap_err();
        assert_eq!(refused.field, "fromIpAddress");
        assert!(refused.message.contains(said), "{text}: {refused}");
    }
}

#[test]
fn exceptions_are_taken_out() {
    for (listed, text, rest) in [
        ("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0-10.255.255.255"),
        (
            "10.1.1.0/24",
            "10.1.1.7,10.1.1.9",
            "10.1.1.0-10.1.1.6,10.1.1.8,10.1.1.10-10.1.1.255",
        ),
        ("10.1.1.1,::/126", "::1-::3", "10.1.1.1,::"),
        ("0.0.0.0/0", "0.0.0.0", "0.0.0.1-255.255.255.255"),
        ("10.1.1.1", "", "10.1.1.1"),
        // Across two that touch.
        (
            "10.0.0.0/25,10.0.0.128/25",
            "10.0.0.127-128",
            "10.0.0.0-10.0.0.126,10.0.0.129-10.0.0.255",
        ),
    ] {
        assert_eq!(except(listed, text).unwrap(), rest);
    }
}

#[test]
fn exceptions_lie_inside_and_leave_something() {
    for (listed, text, said) in [
        (
            "10.1.1.0/24",
            "10.1.1.7,10.1.2.0",
            "item 2, \"10.1.2.0\", does not lie inside",
        ),
        (
            "10.1.1.0/24",
            "10.1.0.0/16",
            "does not lie inside of fromIpAddress",
        ),
        ("10.1.1.0/24", "::1", "does not lie inside"),
        (
            "",
            "10.1.1.1",
            "is an exception to nothing; give fromIpAddress",
        ),
        (
            "10.1.1.0/24",
            "10.1.1.0/24",
            "leaves nothing of fromIpAddress",
        ),
        ("10.1.1.0/24", "10.1.1.0/25,10.1.1.128/25", "leaves nothing"),
        ("10.1.1.0/24", "x", "fromIpExcept: \"x\" is not an address"),
    ] {
        let refused = except(listed, text).unwrap_err();
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

fn any_range() -> impl Strategy<Value = AddressRange> {
    let ipv4 = (any::<u32>(), any::<u16>()).prop_map(|(first, width)| AddressRange {
        first: Ipv4Addr::from_bits(first).into(),
        last: Ipv4Addr::from_bits(first.saturating_add(width.into())).into(),
    });
    let ipv6 = (any::<u128>(), any::<u128>()).prop_map(|(a, b)| AddressRange {
        first: Ipv6Addr::from_bits(a.min(b)).into(),
        last: Ipv6Addr::from_bits(a.max(b)).into(),
    });
    prop_oneof![ipv4, ipv6]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(ranges in prop::collection::vec(any_range(), 0..8)) {
        let mut all = Addresses::default();
        ranges.into_iter().for_each(|range| all.insert(range));
        prop_assert_eq!(parse(&all.to_string()), Ok(all));
    }

    /// The last octet of 10.0.0.x, in plain sets.
    #[test]
    fn an_exception_is_what_plain_sets_take_out(
        (a, b) in (any::<u8>(), any::<u8>()),
        spots in prop::collection::vec((any::<u8>(), any::<u8>()), 0..5),
    ) {
        let (first, last) = (a.min(b), a.max(b));
        let listed = format!("10.0.0.{first}-{last}");
        let spots = spots.into_iter().map(|(a, b)| (a.min(b), a.max(b)));
        let spots: Vec<(u8, u8)> = spots.filter(|(a, b)| first <= *a && *b <= last).collect();
        let texts: Vec<String> = spots.iter().map(|(a, b)| format!("10.0.0.{a}-{b}")).collect();
        let kept = |n: &u8| !spots.iter().any(|(a, b)| (a..=b).contains(&n));
        let expected: Vec<u8> = (first..=last).filter(kept).collect();
        match except(&listed, &texts.join(",")) {
            Err(refused) => prop_assert!(expected.is_empty(), "{}", refused),
            Ok(rest) => {
                let octet = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.octets()[3],
                    IpAddr::V6(_) => unreachable!("all are IPv4"),
                };
                let rest = parse(&rest).unwrap();
                let left = rest.ranges().flat_map(|r| octet(r.first)..=octet(r.last));
                prop_assert_eq!(left.collect::<Vec<u8>>(), expected);
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "[0-9a-f:., /-]{0,40}|.{0,12}") {
        drop(parse(&text));
        drop(except("0.0.0.0/0,::/0", &text));
    }
}
