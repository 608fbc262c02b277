//! Addresses as numbers, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::range_set::{self, RangeSet};

/// Which addresses the numbers of a [`RangeSet`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Ipv4,
    Ipv6,
}

/// An address as a member of a [`RangeSet`] of its family.
pub fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Family {
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// The address that a number is.
    pub fn address(self, number: u128) -> IpAddr {
        match (self, u32::try_from(number)) {
            (Family::Ipv4, Ok(number)) => Ipv4Addr::from_bits(number).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }

    /// The set as the API prints it: `10.1.1.1, 10.1.1.5-10.1.1.9`.
    pub fn text(self, set: &RangeSet) -> String {
        range_set::text(set, |number| self.address(number).to_string())
    }
}
