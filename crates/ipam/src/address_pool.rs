//! The addresses that a network or a group may give.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::family::{Family, bits};
use crate::lane::Lane;
use crate::range_set::RangeSet;

/// A range of addresses of one family, without what belongs to others. Which of them
/// are in use is known elsewhere: a pool costs as much as it has others' ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPool {
    family: Family,
    first: u128,
    last: u128,
    /// Pools of groups within.
    carved: RangeSet,
}

impl AddressPool {
    /// The addresses from `first` to `last`, of the same family.
    pub fn new(first: IpAddr, last: IpAddr) -> AddressPool {
        AddressPool {
            family: Family::of(first),
            first: bits(first),
            last: bits(last),
            carved: RangeSet::new(),
        }
    }

    /// Leaves out a range that is a group's.
    pub fn carve(&mut self, first: IpAddr, last: IpAddr) {
        self.carved.insert(bits(first), bits(last));
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// The lowest and the highest address.
    pub fn span(&self) -> RangeInclusive<IpAddr> {
        self.family.address(self.first)..=self.family.address(self.last)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let number = bits(address);
        Family::of(address) == self.family
            && (self.first..=self.last).contains(&number)
            && !self.carved.contains(number)
    }

    /// All of its addresses.
    pub fn set(&self) -> RangeSet {
        let mut all = RangeSet::new();
        all.insert(self.first, self.last);
        all.without(&self.carved)
    }

    /// The lowest of its addresses that is not in `used`: each step passes a whole run
    /// of used or carved addresses.
    pub fn lowest_without(&self, used: &RangeSet) -> Option<IpAddr> {
        let mut candidate = self.first;
        loop {
            let free = used.lowest_missing_from(candidate)?;
            let own = self.carved.lowest_missing_from(free)?;
            if own > self.last {
                return None;
            }
            if own == free {
                return Some(self.family.address(own));
            }
            candidate = own;
        }
    }

    /// The lowest of its addresses in a lane that is not in `used`.
    pub fn lowest_in_lane(&self, used: &RangeSet, lane: &Lane) -> Option<IpAddr> {
        let mut candidate = self.first;
        loop {
            let free = used.lowest_missing_from(candidate)?;
            let own = self.carved.lowest_missing_from(free)?;
            let ours = lane.lowest_from(own)?;
            if ours > self.last {
                return None;
            }
            if ours == free {
                return Some(self.family.address(ours));
            }
            candidate = ours;
        }
    }
}

impl fmt::Display for AddressPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.family.text(&self.set()))
    }
}

#[cfg(test)]
mod tests;
