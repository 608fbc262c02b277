//! Numbers for lineages, sets and profiles: whatever is in a table is named by one.

use std::collections::HashSet;

use contiv_datapath_abi::policy::Profile;

/// Gives numbers that nothing has.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    used: HashSet<u32>,
    last: u32,
}

impl Numbers {
    /// A root is a number and one bit more, and a profile's a number and what it says.
    const HIGHEST: u32 = Profile(u32::MAX).bare();

    /// Gives numbers from the one after `last`.
    pub(crate) fn after(last: u32) -> Numbers {
        Numbers {
            used: HashSet::new(),
            last,
        }
    }

    /// The next number that nothing has, around the ring of all but 0.
    pub(crate) fn take(&mut self) -> u32 {
        loop {
            self.last = if self.last >= Self::HIGHEST {
                1
            } else {
                self.last + 1
            };
            if self.used.insert(self.last) {
                return self.last;
            }
        }
    }

    /// Takes numbers back that no packet can be looking at any more.
    pub(crate) fn free(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.used.remove(&number);
        }
    }
}

/// The numbers of one lineage. Those that it gives back are not free at once, since packets may
/// still be looking at what they named.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    /// The host's, lent for a build.
    pub(crate) host: Numbers,
    mine: HashSet<u32>,
    returned: Vec<u32>,
}

impl Lent {
    pub(crate) fn take(&mut self) -> u32 {
        let number = self.host.take();
        self.mine.insert(number);
        number
    }

    pub(crate) fn give_back(&mut self, number: u32) {
        self.mine.remove(&number);
        self.returned.push(number);
    }

    /// What came back since this was asked last.
    pub(crate) fn returned(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.returned)
    }

    /// All that the lineage has, and what came back.
    pub(crate) fn all(&mut self) -> Vec<u32> {
        let mut all = self.returned();
        all.extend(std::mem::take(&mut self.mine));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_past_those_in_use() {
        let mut lent = Lent {
            host: Numbers::after(Numbers::HIGHEST - 1),
            ..Lent::default()
        };
        assert_eq!(lent.take(), Numbers::HIGHEST);
        assert_eq!(lent.take(), 1, "0 is never given");
        lent.give_back(1);
        lent.host.last = 0;
        assert_eq!(lent.take(), 2, "1 may still be looked at");
        let returned = lent.returned();
        lent.host.free(returned);
        lent.host.last = 0;
        assert_eq!(lent.take(), 1);
    }
}
