//! Ranges of IPv4 addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::agent::AddressRange;

/// An inclusive range of IPv4 addresses, the first not above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv4Range {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

impl Ipv4Range {
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether all of the other range lies in this one.
    pub fn encloses(&self, other: &Ipv4Range) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// The addresses that both have.
    pub fn shared_with(&self, other: &Ipv4Range) -> Option<Ipv4Range> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Ipv4Range { first, last })
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl From<Ipv4Range> for AddressRange {
    fn from(range: Ipv4Range) -> AddressRange {
        AddressRange {
            first: IpAddr::V4(range.first),
            last: IpAddr::V4(range.last),
        }
    }
}
