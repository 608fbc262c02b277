//! Pools of small numbers: VLAN tags, VNIs, and the numbers of objects.

use crate::{RangeSet, Refusal};

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

    pub fn is_used(&self, number: u32) -> bool {
        self.used.contains(number.into())
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
        self.free_from(self.first)
    }

    /// The first free number after the one that was given last, around the ring: a number is
    /// not seen again before all others were.
    pub fn next_free_after(&self, given: u32) -> Option<u32> {
        let next = given
            .checked_add(1)
            .filter(|n| (self.first..=self.last).contains(n));
        next.and_then(|next| self.free_from(next))
            .or_else(|| self.lowest_free())
    }

    /// Takes the lowest number that is free.
    pub fn take_lowest(&mut self) -> Result<u32, Refusal> {
        let free = self.lowest_free();
        self.take_found(free)
    }

    /// Takes the first free number after the one that was given last, around the ring.
    pub fn take_next_after(&mut self, given: u32) -> Result<u32, Refusal> {
        let free = self.next_free_after(given);
        self.take_found(free)
    }

    /// Takes this number.
    pub fn take(&mut self, number: u32) -> Result<(), Refusal> {
        let NumberPool { first, last, .. } = *self;
        if !(first..=last).contains(&number) {
            return Err(Refusal::NumberOutside {
                number,
                first,
                last,
            });
        }
        if self.is_used(number) {
            return Err(Refusal::NumberUsed { number });
        }
        self.used.insert(number.into(), number.into());
        Ok(())
    }

    /// Gives a number back, and says whether it was in use.
    pub fn release(&mut self, number: u32) -> bool {
        let used = self.is_used(number);
        self.used.remove(number.into(), number.into());
        used
    }

    /// Changes the range; every number in use must be inside the new one.
    pub fn resize(&mut self, first: u32, last: u32) -> Result<(), Refusal> {
        let lowest = self.used.ranges().next().map(|(lowest, _)| lowest);
        let highest = self.used.ranges().next_back().map(|(_, highest)| highest);
        for number in [lowest, highest].into_iter().flatten() {
            if number < first.into() || number > last.into() {
                return Err(Refusal::NumberLeftOut {
                    number: u32::try_from(number).unwrap_or(u32::MAX),
                    first,
                    last,
                    used: self.used_text(),
                });
            }
        }
        (self.first, self.last) = (first, last);
        Ok(())
    }

    fn free_from(&self, from: u32) -> Option<u32> {
        let free = self.used.lowest_missing_from(from.into())?;
        u32::try_from(free)
            .ok()
            .filter(|free| (self.first..=self.last).contains(free))
    }

    fn take_found(&mut self, free: Option<u32>) -> Result<u32, Refusal> {
        let NumberPool { first, last, .. } = *self;
        let number = free.ok_or(Refusal::NumbersSpent { first, last })?;
        self.take(number)?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
