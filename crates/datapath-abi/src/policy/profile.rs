//! What rows say of the profile behind them.

use super::Decision;
use crate::Plain;

/// The number of a profile, which says in its lowest bits what entries the profile has at most, so
/// that none is looked for in vain. 0 is none's.
///
/// Only numbers that a [telling](super::RuleSet::TELLING) set leads to are made so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile(pub u32);

impl Profile {
    /// An entry for all packets.
    pub const ALL: u32 = 1;
    /// Entries for TCP.
    pub const TCP: u32 = 2;
    /// Entries for UDP.
    pub const UDP: u32 = 4;
    /// Entries for other protocols.
    pub const OTHERS: u32 = 8;
    /// All of them, and what the bare number is multiplied with less one.
    pub const ENTRIES: u32 = 15;

    /// A bare number with what the profile has.
    pub const fn new(bare: u32, entries: u32) -> Profile {
        Profile(bare * (Self::ENTRIES + 1) + entries)
    }

    /// The number without what it says.
    pub const fn bare(self) -> u32 {
        self.0 / (Self::ENTRIES + 1)
    }

    /// What it says.
    #[inline(always)]
    pub const fn entries(self) -> u32 {
        self.0 & Self::ENTRIES
    }

    /// The kind of entries that a protocol's are.
    #[inline(always)]
    pub const fn of(protocol: u8) -> u32 {
        match protocol {
            super::TCP => Self::TCP,
            super::UDP => Self::UDP,
            _ => Self::OTHERS,
        }
    }
}

/// What a peer group may do: the decision itself if it is the same for all packets, else the
/// profile to ask. 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Peer(pub u64);

impl Peer {
    /// One decision for all packets.
    pub const fn decided(decision: Decision) -> Peer {
        Peer(decision.0)
    }

    /// The profile with this number.
    pub const fn of_profile(profile: u32) -> Peer {
        Peer(profile as u64)
    }

    /// The decision; [`NONE`](Decision::NONE) where a profile is to be asked.
    #[inline(always)]
    pub const fn decision(self) -> Decision {
        if self.0 >> 32 == 0 {
            Decision::NONE
        } else {
            Decision(self.0)
        }
    }

    /// The profile, 0 where there is a decision.
    #[inline(always)]
    pub const fn profile(self) -> u32 {
        if self.0 >> 32 == 0 { self.0 as u32 } else { 0 }
    }
}

impl Plain for Peer {}

const _: () = assert!(size_of::<Peer>() == 8);
