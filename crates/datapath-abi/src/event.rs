//! Events: single packets and connections that people ask about, told as they happen.
//!
//! Each endpoint has a budget per kind, see [`Limit`]. What exceeds it, and what a reader that is
//! away leaves no room for, is counted and told with the next event of the endpoint and kind.
//! Counters of drops and of rules count all of it, told or not.

use crate::Plain;
use crate::flow::FlowKey;

/// Bytes of the ring in which events wait for their reader: about 10,000 of them.
pub const RING: u32 = 1 << 20;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $name:literal;)*) => {
        /// What an event is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventKind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl EventKind {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$kind),*];

            /// The kind with this number.
            pub const fn from_number(number: u8) -> Option<EventKind> {
                match number {
                    $($number => Some(EventKind::$kind),)*
                    _ => None,
                }
            }

            /// For people, and for labels of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(EventKind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A packet was dropped, for [`Event::reason`].
    Drop = 0, "drop";
    /// A rule with `log` decided about a connection, for it or against it.
    Log = 1, "log";
    /// Staged policies would decide otherwise about a connection.
    Staged = 2, "staged";
}

/// One end of what an event is about. 8 bytes; all zero is the host, the world or nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct End {
    pub slot: u32,
    pub serial: u32,
}

impl End {
    /// The host, the world or nobody.
    pub const NONE: End = End { slot: 0, serial: 0 };
}

/// A packet that was dropped, or the first packet of a connection that was judged. 96 bytes.
///
/// Of a packet that cannot be read, as much is told as was read: the rest is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub time: u64,
    /// Events of this endpoint and kind since the one before that were not told.
    pub suppressed: u32,
    /// Bytes of the packet, its link header included.
    pub length: u32,
    /// As the packet says, but with the endpoint's own address where it has a private one. An ICMP
    /// error that belongs to a connection is told in that connection's direction.
    pub key: FlowKey,
    /// An [`EventKind`] as a number.
    pub kind: u8,
    /// A [`Reason`](crate::counter::Reason) as a number; 0 for a connection that is allowed.
    pub reason: u8,
    /// [`DENIED`](Self::DENIED) and others below, added up.
    pub flags: u8,
    pub unused: u8,
    /// Who sent the packet.
    pub sender: End,
    /// Who would have got it, as far as that is known.
    pub target: End,
    /// The rule of the opener's outgoing policy; 0 where it was not asked.
    pub opener_rule: u32,
    /// The rule of the accepter's incoming policy; 0 where it was not asked.
    pub accepter_rule: u32,
    /// The rule by which staged policies would decide otherwise for the opener; 0 for none.
    pub staged_opener_rule: u32,
    /// As above, for the accepter.
    pub staged_accepter_rule: u32,
}

impl Plain for Event {}

impl Event {
    /// What becomes of the packet or connection: it is denied or dropped.
    pub const DENIED: u8 = 1;
    /// The packet travels against the direction in which its connection began.
    pub const REPLY: u8 = 2;
    /// The connection is not new: it is judged again, since policy has changed.
    pub const AGAIN: u8 = 4;
    /// With a staged rule of the opener: it would deny. Otherwise it would allow.
    pub const STAGED_OPENER_DENIES: u8 = 8;
    /// As above, for the accepter.
    pub const STAGED_ACCEPTER_DENIES: u8 = 16;

    /// Nothing known yet.
    pub const NONE: Event = Event {
        time: 0,
        suppressed: 0,
        length: 0,
        key: crate::packet::Packet::NONE.key,
        kind: 0,
        reason: 0,
        flags: 0,
        unused: 0,
        sender: End::NONE,
        target: End::NONE,
        opener_rule: 0,
        accepter_rule: 0,
        staged_opener_rule: 0,
        staged_accepter_rule: 0,
    };
}

/// How many events an endpoint may still cause, and how many it caused in vain. 16 bytes.
///
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    /// When the budget will be whole again, in nanoseconds.
    pub whole: u64,
    /// Events that were not told.
    pub suppressed: u64,
}

impl Limit {
    /// From one event to the next, of those that go on: ten a second.
    pub const INTERVAL: u64 = 100_000_000;
    /// Events that may come at once.
    pub const BURST: u64 = 50;

    /// Takes one event from a budget that will be whole at that time: when it will be now, or
    /// nothing if there is none left.
    #[inline(always)]
    pub const fn spend(whole: u64, now: u64) -> Option<u64> {
        let whole = if whole > now { whole } else { now };
        if whole - now > (Self::BURST - 1) * Self::INTERVAL {
            return None;
        }
        Some(whole + Self::INTERVAL)
    }
}

/// The budgets of an endpoint, by kind. 48 bytes; a row per slot, of which 0 is for what no
/// endpoint has sent or should get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Limits(pub [Limit; EventKind::ALL.len()]);

impl Plain for Limits {}

const _: () = {
    assert!(size_of::<Event>() == 96);
    assert!(size_of::<Limit>() == 16);
    assert!(size_of::<Limits>() == 48);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_and_then_ten_a_second() {
        let (mut whole, mut told) = (0, 0);
        let second = 1_000_000_000;
        let mut offer = |now: u64| match Limit::spend(whole, now) {
            Some(later) => {
                whole = later;
                told += 1;
                told
            }
            None => told,
        };
        for _ in 0..1_000 {
            offer(second);
        }
        assert_eq!(offer(second), Limit::BURST);
        for now in (second..3 * second).step_by(1_000_000) {
            offer(now);
        }
        assert_eq!(offer(3 * second), Limit::BURST + 20);
        // An hour later the budget is whole, and not more than that.
        for _ in 0..1_000 {
            offer(3_600 * second);
        }
        assert_eq!(offer(3_600 * second), 2 * Limit::BURST + 20);
    }

    #[test]
    fn every_kind_has_the_number_of_its_place() {
        for (place, kind) in EventKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, place);
            assert_eq!(EventKind::from_number(place as u8), Some(*kind));
        }
        assert_eq!(EventKind::from_number(3), None);
    }
}
