//! Numbers for values, equal numbers for equal values, as long as somebody uses them.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// Values in use with their numbers and the number of their users.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    numbers: HashMap<Arc<T>, u32>,
    slots: BTreeMap<u32, Slot<T>>,
    last: u32,
}

#[derive(Debug)]
struct Slot<T> {
    value: Arc<T>,
    users: usize,
}

impl<T: Eq + Hash> Interner<T> {
    /// Gives numbers from the one after `last`.
    pub(crate) fn after(last: u32) -> Self {
        Interner {
            numbers: HashMap::new(),
            slots: BTreeMap::new(),
            last,
        }
    }

    /// The number of a value, with one more user; and whether it is a new one.
    pub(crate) fn acquire(&mut self, value: &Arc<T>) -> (u32, bool) {
        if let Some(&number) = self.numbers.get(value) {
            if let Some(slot) = self.slots.get_mut(&number) {
                slot.users += 1;
            }
            return (number, false);
        }
        let number = self.unused();
        self.numbers.insert(Arc::clone(value), number);
        self.slots.insert(
            number,
            Slot {
                value: Arc::clone(value),
                users: 1,
            },
        );
        (number, true)
    }

    /// One user less; the value if that was the last one.
    pub(crate) fn release(&mut self, number: u32) -> Option<Arc<T>> {
        let slot = self.slots.get_mut(&number)?;
        slot.users -= 1;
        if slot.users > 0 {
            return None;
        }
        let slot = self.slots.remove(&number)?;
        self.numbers.remove(&slot.value);
        Some(slot.value)
    }

    /// The next number that nothing has, around the ring of all but 0.
    fn unused(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.slots.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_number_until_the_last_user_leaves() {
        let (a, b) = (Arc::new("a"), Arc::new("b"));
        let mut words = Interner::after(u32::MAX - 1);
        assert_eq!(words.acquire(&a), (u32::MAX, true));
        assert_eq!(words.acquire(&b), (1, true), "0 is never given");
        assert_eq!(words.acquire(&a), (u32::MAX, false));
        assert_eq!(words.release(u32::MAX), None);
        assert_eq!(words.release(u32::MAX).as_deref(), Some(&"a"));
        assert_eq!(words.release(u32::MAX), None);
        assert_eq!(words.acquire(&a), (2, true));
    }

    #[test]
    fn numbers_in_use_are_passed_over() {
        let (a, b) = (Arc::new("a"), Arc::new("b"));
        let mut words = Interner::after(0);
        words.acquire(&a);
        words.last = 0;
        assert_eq!(words.acquire(&b), (2, true));
    }
}
