//! Keys and values of the policy maps, and the trait by which they are read.
//!
//! All have a fixed layout without padding. The kernel holds one map per method
//! of [`PolicyTables`]; two of them match the longest prefix (`LPM_TRIE`), with
//! the prefix's length before the key as the kernel wants it. In a look-up it is
//! the key's whole length.
//!
//! Every value is there twice, as two [`Sides`]. A tenant's root names the
//! *lineage* of its rows and the side that is in force. A change writes the other
//! side of the rows that it changes, and the new root makes it valid for all of
//! them at once. At rest, both sides of every row are equal.
//!
//! 0 is never a lineage's, a set's or a profile's number and stands for "no rules";
//! a row whose side is all zero is no row for that side.

use super::{Decision, Peer};
use crate::Plain;

/// Rows that the kernel's maps have room for: twice those of the largest tenant, since an agent
/// that starts writes a tenant's rows beside those of its predecessor.
pub const SUBJECTS: u32 = 131_072;
pub const OWN_ADDRESSES: u32 = 262_144;
pub const PEER_GROUPS: u32 = 262_144;
pub const PEER_PREFIXES: u32 = 262_144;
pub const DECISIONS: u32 = 1_048_576;

/// A value before and after a change. Which is which, the tenant's root says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Sides<T> {
    pub left: T,
    pub right: T,
}

impl<T> Sides<T> {
    /// The value of side 0 or 1, where it is.
    #[inline(always)]
    pub const fn at(&self, side: u32) -> &T {
        if side == 0 { &self.left } else { &self.right }
    }
}

impl<T: Copy> Sides<T> {
    /// A value that is the same on both sides.
    #[inline(always)]
    pub const fn both(value: T) -> Sides<T> {
        Sides {
            left: value,
            right: value,
        }
    }

    /// The value of side 0 or 1.
    #[inline(always)]
    pub const fn side(&self, side: u32) -> T {
        if side == 0 { self.left } else { self.right }
    }
}

impl<T: Plain> Plain for Sides<T> {}

/// What a tenant's root says: the lineage of its rows, and their side in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    pub lineage: u32,
    pub side: u32,
}

impl Root {
    /// From the number in the tenant's row; a lineage of 0 has no rules.
    #[inline(always)]
    pub const fn from_number(root: u32) -> Root {
        Root {
            lineage: root >> 1,
            side: root & 1,
        }
    }

    /// For the tenant's row.
    pub const fn number(self) -> u32 {
        self.lineage << 1 | self.side
    }
}

/// Key of a group's rules in one tier. Hash map, 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct SubjectKey {
    pub lineage: u32,
    pub group: u32,
    /// [`ADMIN`](Self::ADMIN), [`NORMAL`](Self::NORMAL) or [`BASELINE`](Self::BASELINE); with
    /// [`STAGED`](Self::STAGED) added, the tier's rules with those of staged policies.
    pub tier: u32,
}

impl SubjectKey {
    pub const ADMIN: u32 = 0;
    pub const NORMAL: u32 = 1;
    pub const BASELINE: u32 = 2;
    pub const STAGED: u32 = 4;
    /// Never in a key: asks [`ruling`](super::ruling) for the rules for the own address.
    pub const OWN: u32 = 8;
}

/// The rule sets of a group in one tier. 24 bytes, or 48 as [`Sides`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Subject {
    /// Rules of direction `in`.
    pub receiving: RuleSet,
    /// Rules of direction `out`.
    pub sending: RuleSet,
}

/// A set of rules, as far as it can be known without a peer. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct RuleSet {
    pub set: u32,
    /// [`Profile`](super::Profile) of the rules for any peer; 0 for none.
    pub any: u32,
    /// Which look-ups can find something: the constants below, added up, and the
    /// [reach](Self::reaching) of rules for addresses. Those of a group's tiers, staged policies
    /// and default are in the set of its normal tier.
    pub kinds: u32,
}

impl RuleSet {
    /// Some rule names a peer group alone.
    pub const GROUPS: u32 = 1;
    /// Some rule names peer addresses alone.
    pub const PREFIXES: u32 = 2;
    /// Some rule names both a peer group and peer addresses.
    pub const PAIRS: u32 = 4;
    /// Some rule names peer addresses alone, on a prefix around very many others.
    pub const WIDE_PREFIXES: u32 = 8;
    /// Some rule names a peer group and peer addresses, on a prefix around very many others.
    pub const WIDE_PAIRS: u32 = 16;
    /// Some rule is limited to addresses of the subject's own.
    pub const OWN_ADDRESSES: u32 = 32;
    /// The group has policies in the tier before the normal one.
    pub const ADMIN: u32 = 64;
    /// The group has policies in the tier after the normal one.
    pub const BASELINE: u32 = 128;
    /// The group has staged policies.
    pub const STAGED: u32 = 256;
    /// The group denies what nothing matches.
    pub const DEFAULT_DENY: u32 = 512;
    /// The numbers of its profiles say what they hold, see [`Profile`](super::Profile).
    pub const TELLING: u32 = 1024;
    /// Every rule for any peer loses against every other rule of the set.
    pub const ANY_LAST: u32 = 2048;

    const REACH: u32 = 12;
    /// The bits of a decision that a reach has: the policy's order and most of the priority.
    const REACH_BITS: u32 = 64 - (32 - Self::REACH);

    /// For [`kinds`](Self::kinds): the greatest of the decisions that name peer addresses.
    ///
    /// Inverted, so that a set without it, of an earlier build, reaches as far as can be.
    #[inline(always)]
    pub const fn reaching(greatest: Decision) -> u32 {
        !((greatest.0 >> Self::REACH_BITS) as u32) << Self::REACH
    }

    /// Whether a decision wins against all that name peer addresses, by these
    /// [`kinds`](Self::kinds).
    #[inline(always)]
    pub const fn outreached(kinds: u32, winner: Decision) -> bool {
        (winner.0 >> Self::REACH_BITS) as u32 > !kinds >> Self::REACH
    }
}

/// Key to a rule set for an own address. Longest prefix, 4 + 24 bytes; value [`RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct OwnKey {
    pub set: u32,
    /// [`PrefixKey::V4`] or 0.
    pub scope: u32,
    pub address: [u8; 16],
}

impl OwnKey {
    /// Bits before the address, which every prefix includes.
    pub const FIXED_BITS: u32 = 64;
    /// Bits of the whole key, the prefix length of a look-up.
    pub const BITS: u32 = Self::FIXED_BITS + 128;
}

/// Key to what a peer group may do. Hash map, 8 bytes; value [`Peer`], or `u32`, a profile, in sets
/// that are not [telling](RuleSet::TELLING).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PeerKey {
    pub set: u32,
    pub group: u32,
}

/// Key to the profile of a peer address. Longest prefix, 4 + 24 bytes; value `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PrefixKey {
    pub set: u32,
    /// 0 for rules that name no group, else the peer's group that they name; with
    /// [`V4`](Self::V4) and [`WIDE`](Self::WIDE) added.
    pub scope: u32,
    pub address: [u8; 16],
}

impl PrefixKey {
    /// Bits before the address, which every prefix includes.
    pub const FIXED_BITS: u32 = 64;
    /// Bits of the whole key, the prefix length of a look-up.
    pub const BITS: u32 = Self::FIXED_BITS + 128;
    /// An IPv4 address: an IPv6 prefix around the mapped form is not about it.
    pub const V4: u32 = 1 << 31;
    /// Prefixes around very many others are looked for apart.
    pub const WIDE: u32 = 1 << 30;
}

/// Which packets an entry of a profile is for. 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Selector {
    /// The first of the block's ports; 0 unless ports are meant.
    pub port: u16,
    /// 0 unless one protocol is meant.
    pub protocol: u8,
    /// How much is meant: 0 all packets, 1 a protocol, from 2 a block of ports.
    pub scope: u8,
}

impl Selector {
    /// Every packet.
    pub const ALL: Selector = Selector {
        port: 0,
        protocol: 0,
        scope: 0,
    };

    /// Sizes of blocks: 1, 16, 256 and 4096 ports.
    pub const SIZES: u32 = 4;

    /// Every packet of one protocol.
    #[inline(always)]
    pub const fn protocol(protocol: u8) -> Selector {
        Selector {
            port: 0,
            protocol,
            scope: 1,
        }
    }

    /// Every packet to one port.
    #[inline(always)]
    pub const fn port(protocol: u8, port: u16) -> Selector {
        Self::block(protocol, port, 0)
    }

    /// Every packet to a port of the aligned block of `16^size` ports that holds this one.
    #[inline(always)]
    pub const fn block(protocol: u8, port: u16, size: u32) -> Selector {
        Selector {
            port: (port as u32 >> (4 * size) << (4 * size)) as u16,
            protocol,
            scope: 2 + size as u8,
        }
    }
}

/// Key to a decision. Hash map, 8 bytes; value [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct DecisionKey {
    pub profile: u32,
    pub selector: Selector,
}

impl DecisionKey {
    #[inline(always)]
    pub const fn new(profile: u32, selector: Selector) -> DecisionKey {
        DecisionKey { profile, selector }
    }
}

/// The look-ups of a verdict, over kernel maps or over anything else.
pub trait PolicyTables {
    /// The rules of a group in a tier; `None` when it has none.
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>>;
    /// The additional rules of the longest prefix that holds an own address. The parts of an
    /// [`OwnKey`], since a whole one would be on the kernel's stack.
    fn own_address(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<RuleSet>>;
    /// What a peer group may do.
    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>>;
    /// The profile of a peer group, of a set that is not [telling](RuleSet::TELLING): where
    /// builds before that left some.
    #[inline(always)]
    fn older_peer_group(&self, _key: &PeerKey) -> Option<&Sides<u32>> {
        None
    }
    /// The profile of the longest prefix that holds a peer address; the parts of a [`PrefixKey`].
    fn peer_prefix(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<u32>>;
    /// An entry of a profile.
    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>>;

    /// The decision of a profile that is not 0, as [`in_profile`](super::in_profile) finds it. A
    /// program of the kernel has its own: a call of a function that is verified once, since
    /// numbers are all that it takes and gives.
    #[inline(always)]
    fn in_profile(&self, profile: u32, packet: u32, side: u32) -> Decision
    where
        Self: Sized,
    {
        super::in_profile(self, profile, packet, side)
    }
}

impl Plain for SubjectKey {}
impl Plain for Subject {}
impl Plain for RuleSet {}
impl Plain for OwnKey {}
impl Plain for PeerKey {}
impl Plain for PrefixKey {}
impl Plain for DecisionKey {}
impl Plain for Decision {}

const _: () = {
    assert!(size_of::<SubjectKey>() == 12);
    assert!(size_of::<Subject>() == 24);
    assert!(size_of::<RuleSet>() == 12);
    assert!(size_of::<OwnKey>() == 24);
    assert!(size_of::<PeerKey>() == 8);
    assert!(size_of::<PrefixKey>() == 24);
    assert!(size_of::<Selector>() == 4);
    assert!(size_of::<DecisionKey>() == 8);
    let none = RuleSet::reaching(Decision::NONE);
    let one = RuleSet::reaching(Decision::new(1, 0, super::Action::Allow, 0));
    assert!(none & ((1 << RuleSet::REACH) - 1) == 0 && one < none);
    assert!(RuleSet::outreached(
        none,
        Decision(1 << RuleSet::REACH_BITS)
    ));
    assert!(!RuleSet::outreached(0, Decision(u64::MAX)));
};
