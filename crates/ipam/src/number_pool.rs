//! Pools of small numbers: VLAN tags and VNIs.

use crate::RangeSet;

/// Numbers of a range, each used by one object at the most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPool {
    first: u32,
    last: u32,
    used: RangeSet,
}

impl NumberPool {
    /// A pool of the numbers from `first` to `last`, none of them used.
    pub fn new(first: u32, last: u32) -> NumberPool {
        NumberPool {
            first,
            last,
            used: RangeSet::new(),
        }
    }

    /// The same pool with these numbers in use; those outside of it are kept in mind too.
    pub fn with_used(mut self, used: impl IntoIterator<Item = u32>) -> NumberPool {
        for number in used {
            self.used.insert(number.into(), number.into());
        }
        self
    }

    pub fn used_count(&self) -> u32 {
        u32::try_from(self.used.count()).unwrap_or(u32::MAX)
    }

    /// The numbers in use, `1-3, 112`.
    pub fn used_text(&self) -> String {
        crate::range_set::text(&self.used, |number| number.to_string())
    }

    /// The lowest number that is free.
    pub fn lowest_free(&self) -> Option<u32> {
        let free = self.used.lowest_missing_from(self.first.into())?;
        let free = u32::try_from(free).ok()?;
        (self.first..=self.last).contains(&free).then_some(free)
    }
}

#[cfg(test)]
mod tests;
