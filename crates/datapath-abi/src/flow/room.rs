//! How much of the table of connections a tenant has.

use crate::Plain;

/// Which rows a tenant has, counted by programs. 16 bytes; a row per tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Taken {
    /// Rows that its connections took, ever.
    pub rows: u64,
    /// Openings for which it had no row left, ever.
    pub crowded: u64,
}

impl Plain for Taken {}

/// Which rows a tenant may have, said by user space. 16 bytes; a row per tenant.
///
/// A tenant in [`pressure`](Self::PRESSURE) has rows left for connections that were answered; all
/// that begin crowd in a table of their own, which forgets the oldest. So whoever begins
/// connections without end loses beginnings, and nobody loses a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Room {
    /// Rows of its connections that were freed, ever.
    pub freed: u64,
    /// Rows that it may have.
    pub share: u32,
    pub unused: u32,
}

impl Plain for Room {}

impl Room {
    /// What part of its share a tenant has in use when it comes under pressure: a half.
    pub const PRESSURE: u32 = 2;

    /// Rows in use.
    #[inline(always)]
    pub const fn used(&self, taken: &Taken) -> u64 {
        taken.rows.saturating_sub(self.freed)
    }

    /// Whether one more row may be taken, by a connection that begins or by one that was answered.
    #[inline(always)]
    pub const fn has_left(&self, taken: &Taken, answered: bool) -> bool {
        let limit = if answered {
            self.share
        } else {
            self.share / Self::PRESSURE
        };
        self.used(taken) < limit as u64
    }
}

const _: () = {
    assert!(size_of::<Taken>() == 16);
    assert!(size_of::<Room>() == 16);
};
