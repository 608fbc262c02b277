//! Sets of numbers, as the ranges that they are made of.

use std::collections::BTreeMap;

/// A set of 128-bit numbers. It costs as much as it has ranges, however long they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// First to last; ranges neither meet nor touch.
    ranges: BTreeMap<u128, u128>,
}

impl RangeSet {
    /// The set without members.
    pub fn new() -> RangeSet {
        RangeSet::default()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in it; all there are count as one less.
    pub fn count(&self) -> u128 {
        self.ranges().fold(0u128, |sum, (first, last)| {
            sum.saturating_add((last - first).saturating_add(1))
        })
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u128, u128)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    pub fn contains(&self, number: u128) -> bool {
        self.contains_range(number, number)
    }

    /// Whether every number from `first` to `last` is in the set.
    pub fn contains_range(&self, first: u128, last: u128) -> bool {
        self.range_at(first).is_some_and(|(_, end)| last <= end)
    }

    /// The lowest member from `from` on.
    pub fn lowest_from(&self, from: u128) -> Option<u128> {
        if self.contains(from) {
            return Some(from);
        }
        self.ranges.range(from..).next().map(|(first, _)| *first)
    }

    /// The lowest number from `from` on that is not a member.
    pub fn lowest_missing_from(&self, from: u128) -> Option<u128> {
        match self.range_at(from) {
            Some((_, last)) => last.checked_add(1),
            None => Some(from),
        }
    }

    /// Adds the numbers from `first` to `last`; those that are in already stay.
    pub fn insert(&mut self, first: u128, last: u128) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Whatever meets or touches the new range becomes part of it.
        let touching = last.saturating_add(1);
        while let Some((start, end)) = self.ranges.range(..=touching).next_back() {
            let (start, end) = (*start, *end);
            if end.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Removes the numbers from `first` to `last`; those that are not in are no obstacle.
    pub fn remove(&mut self, first: u128, last: u128) {
        if first > last {
            return;
        }
        while let Some((start, end)) = self.ranges.range(..=last).next_back() {
            let (start, end) = (*start, *end);
            if end < first {
                break;
            }
            self.ranges.remove(&start);
            if last < end {
                self.ranges.insert(last + 1, end);
            }
            if start < first {
                self.ranges.insert(start, first - 1);
            }
        }
    }

    /// The members of this set that are not in the other one.
    pub fn without(&self, other: &RangeSet) -> RangeSet {
        let mut rest = self.clone();
        for (first, last) in other.ranges() {
            rest.remove(first, last);
        }
        rest
    }

    fn range_at(&self, number: u128) -> Option<(u128, u128)> {
        let (first, last) = self.ranges.range(..=number).next_back()?;
        (number <= *last).then_some((*first, *last))
    }
}

/// The set as the API prints it: `1-3, 112`.
pub(crate) fn text(set: &RangeSet, print: impl Fn(u128) -> String) -> String {
    let parts: Vec<String> = set
        .ranges()
        .map(|(first, last)| match first == last {
            true => print(first),
            false => format!("{}-{}", print(first), print(last)),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests;
