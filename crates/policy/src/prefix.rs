//! Address prefixes in one 128-bit space, and ranges as the fewest of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_model::agent::AddressRange;

/// The addresses that begin with the same bits; IPv4 in its mapped form.
///
/// Ordered so that a prefix comes before those that it contains, and they come
/// before any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: u128,
    bits: u8,
}

impl Prefix {
    /// All of IPv4, `::ffff:0:0/96`.
    pub const IPV4: Prefix = Prefix {
        address: 0xffff_0000_0000,
        bits: 96,
    };

    /// Bytes as in the tables; bits that the prefix does not fix are zero.
    pub fn address(self) -> [u8; 16] {
        self.address.to_be_bytes()
    }

    /// How many leading bits are fixed, 0 to 128.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether the addresses are mapped IPv4 ones.
    pub fn is_v4(self) -> bool {
        Prefix::IPV4.contains(self)
    }

    /// The prefix of fewer bits around this one.
    pub(crate) fn shortened(self, bits: u8) -> Prefix {
        Prefix {
            address: self.address & mask(bits),
            bits,
        }
    }

    /// The last prefix, in order, that lies within this one.
    pub(crate) fn last_within(self) -> Prefix {
        Prefix {
            address: self.address | !mask(self.bits),
            bits: 128,
        }
    }

    /// Whether the other one lies within this one, or is the same.
    pub fn contains(self, other: Prefix) -> bool {
        self.bits <= other.bits && other.address & mask(self.bits) == self.address
    }
}

/// The first `bits` of 128 bits.
pub(crate) fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// The fewest prefixes that hold the same addresses as each range.
///
/// A range whose ends are of two families or in the wrong order holds nothing. An
/// IPv6 range never holds mapped IPv4 addresses: prefixes inside [`Prefix::IPV4`]
/// are left out here, larger ones that enclose it are not asked about IPv4.
pub fn prefixes_of(ranges: &[AddressRange]) -> BTreeSet<Prefix> {
    let mut prefixes = BTreeSet::new();
    for (v4, first, last) in ranges.iter().filter_map(bounds) {
        prefixes.extend(split(first, last).filter(|prefix| v4 || !prefix.is_v4()));
    }
    prefixes
}

/// What is in some of the ranges, or anywhere when there are none, and in no exception.
pub(crate) fn everything_but(
    ranges: &[AddressRange],
    except: &[AddressRange],
) -> Vec<AddressRange> {
    let everywhere = [
        AddressRange {
            first: Ipv4Addr::UNSPECIFIED.into(),
            last: Ipv4Addr::BROADCAST.into(),
        },
        AddressRange {
            first: Ipv6Addr::UNSPECIFIED.into(),
            last: Ipv6Addr::from_bits(u128::MAX).into(),
        },
    ];
    let ranges = if ranges.is_empty() {
        &everywhere
    } else {
        ranges
    };
    let mut holes: Vec<(bool, u128, u128)> = except.iter().filter_map(bounds).collect();
    holes.sort_unstable();
    let mut left = Vec::new();
    for (v4, mut first, last) in ranges.iter().filter_map(bounds) {
        let inside = |hole: &&(bool, u128, u128)| hole.0 == v4;
        let mut done = false;
        for &(_, from, to) in holes.iter().filter(inside) {
            if to < first || last < from {
                continue;
            }
            if first < from {
                left.push(range(v4, first, from - 1));
            }
            if to >= last {
                done = true;
                break;
            }
            first = to + 1;
        }
        if !done {
            left.push(range(v4, first, last));
        }
    }
    left
}

/// The family and the ends of a range that makes sense.
fn bounds(range: &AddressRange) -> Option<(bool, u128, u128)> {
    let (v4, first, last) = match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let [first, last] = [first, last].map(|a| a.to_ipv6_mapped().to_bits());
            (true, first, last)
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => (false, first.to_bits(), last.to_bits()),
        _ => return None,
    };
    (first <= last).then_some((v4, first, last))
}

fn range(v4: bool, first: u128, last: u128) -> AddressRange {
    let [first, last] = [first, last].map(|bits| {
        if v4 {
            IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    });
    AddressRange { first, last }
}

/// Takes the largest aligned block from the front until nothing is left.
fn split(first: u128, last: u128) -> impl Iterator<Item = Prefix> {
    let mut rest = (first <= last).then_some((first, last));
    std::iter::from_fn(move || {
        let (first, last) = rest?;
        let aligned = first.trailing_zeros();
        let fitting = match (last - first).checked_add(1) {
            Some(length) => length.ilog2(),
            None => 128,
        };
        let free = aligned.min(fitting);
        let bits = 128 - free as u8;
        let end = first | !mask(bits);
        rest = (end < last).then(|| (end + 1, last));
        Some(Prefix {
            address: first,
            bits,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: &str, last: &str) -> Vec<String> {
        let range = AddressRange {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        };
        prefixes_of(&[range])
            .into_iter()
            .map(|p| {
                let address = std::net::Ipv6Addr::from(p.address()).to_canonical();
                let bits = if address.is_ipv4() {
                    p.bits() - 96
                } else {
                    p.bits()
                };
                format!("{address}/{bits}")
            })
            .collect()
    }

    #[test]
    fn ranges_become_the_fewest_prefixes() {
        assert_eq!(of("10.1.2.0", "10.1.2.255"), ["10.1.2.0/24"]);
        assert_eq!(
            of("10.1.1.10", "10.1.1.16"),
            ["10.1.1.10/31", "10.1.1.12/30", "10.1.1.16/32"]
        );
        assert_eq!(of("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(
            of("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ["::/0"]
        );
        assert_eq!(of("fd00::1", "fd00::3"), ["fd00::1/128", "fd00::2/127"]);
        // The worst of IPv4: all but the first and the last address.
        assert_eq!(of("0.0.0.1", "255.255.255.254").len(), 62);
    }

    #[test]
    fn nothing_is_held_by_a_range_that_makes_no_sense() {
        assert!(of("10.0.0.2", "10.0.0.1").is_empty());
        assert!(of("10.0.0.2", "fd00::1").is_empty());
        assert!(of("::ffff:0:0", "::ffff:ffff:ffff").is_empty());
    }

    #[test]
    fn exceptions_are_cut_out() {
        let r = |first: &str, last: &str| AddressRange {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        };
        let ten = r("10.0.0.0", "10.0.0.9");
        assert_eq!(
            everything_but(
                &[ten],
                &[r("10.0.0.8", "10.0.0.255"), r("10.0.0.2", "10.0.0.3")]
            ),
            [r("10.0.0.0", "10.0.0.1"), r("10.0.0.4", "10.0.0.7")]
        );
        assert_eq!(everything_but(&[ten], &[ten]), []);
        let [v4_before, v4_after, v6] = everything_but(&[], &[ten])[..] else {
            panic!("three ranges are left of everything");
        };
        assert_eq!(v4_before, r("0.0.0.0", "9.255.255.255"));
        assert_eq!(v4_after, r("10.0.0.10", "255.255.255.255"));
        assert!(v6.first.is_ipv6());
    }

    #[test]
    fn a_prefix_comes_right_before_what_it_contains() {
        let sorted: Vec<Prefix> = prefixes_of(&[
            AddressRange {
                first: [10, 0, 0, 0].into(),
                last: [10, 255, 255, 255].into(),
            },
            AddressRange {
                first: [10, 0, 0, 0].into(),
                last: [10, 0, 0, 0].into(),
            },
            AddressRange {
                first: [10, 9, 0, 0].into(),
                last: [10, 9, 255, 255].into(),
            },
            AddressRange {
                first: [11, 0, 0, 0].into(),
                last: [11, 0, 0, 0].into(),
            },
        ])
        .into_iter()
        .collect();
        assert!(sorted[1..3].iter().all(|inner| sorted[0].contains(*inner)));
        assert!(!sorted[0].contains(sorted[3]));
        assert!(!sorted[1].contains(sorted[0]));
    }
}
