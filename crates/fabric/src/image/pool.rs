//! The addresses that a network or a group may give.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use contiv_ipam::RangeSet;

use super::addresses::{address, bits};

/// A range of addresses of one family, without what belongs to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    ipv6: bool,
    first: u128,
    last: u128,
    /// Pools of groups within.
    carved: RangeSet,
}

impl Pool {
    /// The addresses from `first` to `last`, of the same family.
    pub(crate) fn new(first: IpAddr, last: IpAddr) -> Pool {
        Pool {
            ipv6: first.is_ipv6(),
            first: bits(first),
            last: bits(last),
            carved: RangeSet::new(),
        }
    }

    /// Leaves out a range that is a group's.
    pub(crate) fn carve(&mut self, first: IpAddr, last: IpAddr) {
        self.carved.insert(bits(first), bits(last));
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    /// The lowest and the highest address.
    pub(crate) fn span(&self) -> RangeInclusive<IpAddr> {
        address(self.ipv6, self.first)..=address(self.ipv6, self.last)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        address.is_ipv6() == self.ipv6
            && (self.first..=self.last).contains(&bits)
            && !self.carved.contains(bits)
    }

    /// All of its addresses.
    pub(crate) fn set(&self) -> RangeSet {
        let mut all = RangeSet::new();
        all.insert(self.first, self.last);
        all.without(&self.carved)
    }

    /// The lowest of its addresses that is not in `used`: each step passes a whole run
    /// of used or carved addresses.
    pub(crate) fn lowest_without(&self, used: &RangeSet) -> Option<IpAddr> {
        let mut candidate = self.first;
        loop {
            let free = used.lowest_missing_from(candidate)?;
            let own = self.carved.lowest_missing_from(free)?;
            if own > self.last {
                return None;
            }
            if own == free {
                return Some(address(self.ipv6, own));
            }
            candidate = own;
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.set(), self.ipv6))
    }
}

/// The set as the API prints it: `10.1.1.1, 10.1.1.5-10.1.1.9`.
pub(crate) fn text(set: &RangeSet, ipv6: bool) -> String {
    let ranges = set.ranges().map(|(first, last)| {
        let (first, last) = (address(ipv6, first), address(ipv6, last));
        match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        }
    });
    ranges.collect::<Vec<_>>().join(", ")
}
