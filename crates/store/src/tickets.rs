//! Which commit a ticket has become.

use std::collections::{HashMap, VecDeque};

use crate::transaction::{TICKETS, Transaction};

/// Nobody builds on a transaction when this many have followed it.
const KEPT: usize = 1 << 16;

/// The tickets of the last commits.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    numbers: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Tickets {
    /// Takes note that a ticket's transaction was committed.
    pub(crate) fn take(&mut self, ticket: u64, number: u64) {
        if ticket < TICKETS {
            return;
        }
        if self.order.len() == KEPT {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.numbers.remove(&oldest));
        }
        self.order.push_back(ticket);
        self.numbers.insert(ticket, number);
    }

    /// The number that is meant; none for a ticket that was not committed.
    pub(crate) fn resolve(&self, number: u64) -> Option<u64> {
        match number {
            number if number < TICKETS => Some(number),
            ticket => self.numbers.get(&ticket).copied(),
        }
    }

    /// Puts numbers in the place of a transaction's tickets; the key is the error whose
    /// ticket came to nothing.
    pub(crate) fn settle(&self, transaction: &mut Transaction) -> Result<(), String> {
        for compare in &mut transaction.compares {
            match self.resolve(compare.number) {
                Some(number) => compare.number = number,
                None => return Err(compare.key.clone()),
            }
        }
        for range in &mut transaction.unchanged {
            match self.resolve(range.since) {
                Some(since) => range.since = since,
                None => return Err(range.first.clone()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_known_by_what_it_became_until_many_have_followed() {
        let mut tickets = Tickets::default();
        assert_eq!(tickets.resolve(7), Some(7));
        assert_eq!(tickets.resolve(TICKETS), None);
        for n in 0..=KEPT as u64 {
            tickets.take(TICKETS + n, n);
        }
        assert_eq!(tickets.resolve(TICKETS), None);
        assert_eq!(tickets.resolve(TICKETS + 1), Some(1));
        tickets.take(0, 9);
        assert_eq!(tickets.resolve(0), Some(0));
    }
}
