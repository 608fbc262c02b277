//! Keys and values of the policy maps, and the trait by which they are read.
//!
//! All have a fixed layout without padding. The kernel holds one map per method
//! of [`PolicyTables`]; two of them match the longest prefix (`LPM_TRIE`), with
//! the prefix's length before the key as the kernel wants it. In a look-up it is
//! the key's whole length.
//!
//! Sets and profiles are numbered by content: equal rules have equal numbers, in
//! whatever group, tenant or build they occur. 0 is never a set's or a profile's
//! number and stands for "no rules".

use super::Decision;
use crate::Plain;

/// Rows that the kernel's maps have room for: two builds of the largest tenant.
pub const SUBJECTS: u32 = 131_072;
pub const OWN_ADDRESSES: u32 = 262_144;
pub const PEER_GROUPS: u32 = 262_144;
pub const PEER_PREFIXES: u32 = 262_144;
pub const DECISIONS: u32 = 1_048_576;

/// Key of a group in one build of a tenant's tables. Hash map, 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct SubjectKey {
    pub root: u32,
    pub group: u32,
}

/// The rule sets of a group. 24 bytes.
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
    /// Profile of the rules for any peer; 0 for none.
    pub any: u32,
    /// Which look-ups can find something: the constants below, added up.
    pub kinds: u32,
}

impl RuleSet {
    /// Some rule names a peer group alone.
    pub const GROUPS: u32 = 1;
    /// Some rule names peer addresses alone.
    pub const PREFIXES: u32 = 2;
    /// Some rule names both a peer group and peer addresses.
    pub const PAIRS: u32 = 4;
    /// Some rule is limited to addresses of the subject's own.
    pub const OWN_ADDRESSES: u32 = 8;
}

/// Key to a rule set for an own address. Longest prefix, 4 + 20 bytes; value [`RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct OwnKey {
    pub set: u32,
    pub address: [u8; 16],
}

impl OwnKey {
    /// Bits before the address, which every prefix includes.
    pub const FIXED_BITS: u32 = 32;
    /// Bits of the whole key, the prefix length of a look-up.
    pub const BITS: u32 = Self::FIXED_BITS + 128;
}

/// Key to the profile of a peer group. Hash map, 8 bytes; value `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PeerKey {
    pub set: u32,
    pub group: u32,
}

/// Key to the profile of a peer address. Longest prefix, 4 + 24 bytes; value `u32`,
/// 0 where a shorter prefix must not be seen through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PrefixKey {
    pub set: u32,
    /// 0 for rules that name no group, else the peer's group that they name.
    pub group: u32,
    pub address: [u8; 16],
}

impl PrefixKey {
    /// Bits before the address, which every prefix includes.
    pub const FIXED_BITS: u32 = 64;
    /// Bits of the whole key, the prefix length of a look-up.
    pub const BITS: u32 = Self::FIXED_BITS + 128;
}

/// Which packets an entry of a profile is for. 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Selector {
    /// 0 unless one port is meant.
    pub port: u16,
    /// 0 unless one protocol is meant.
    pub protocol: u8,
    /// How much is meant: 0 all packets, 1 a protocol, 2 a port of a protocol.
    /// Other values are free for blocks of ports.
    pub scope: u8,
}

impl Selector {
    /// Every packet.
    pub const ALL: Selector = Selector {
        port: 0,
        protocol: 0,
        scope: 0,
    };

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
        Selector {
            port,
            protocol,
            scope: 2,
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

/// The five look-ups of a verdict, over kernel maps or over anything else.
pub trait PolicyTables {
    /// The rules of a group; `None` when it has none.
    fn subject(&self, key: &SubjectKey) -> Option<Subject>;
    /// The additional rules of the longest prefix that holds an own address.
    fn own_address(&self, key: &OwnKey) -> Option<RuleSet>;
    /// The profile of a peer group.
    fn peer_group(&self, key: &PeerKey) -> Option<u32>;
    /// The profile of the longest prefix that holds a peer address.
    fn peer_prefix(&self, key: &PrefixKey) -> Option<u32>;
    /// An entry of a profile.
    fn decision(&self, key: &DecisionKey) -> Option<Decision>;
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
    assert!(size_of::<SubjectKey>() == 8);
    assert!(size_of::<Subject>() == 24);
    assert!(size_of::<RuleSet>() == 12);
    assert!(size_of::<OwnKey>() == 20);
    assert!(size_of::<PeerKey>() == 8);
    assert!(size_of::<PrefixKey>() == 24);
    assert!(size_of::<Selector>() == 4);
    assert!(size_of::<DecisionKey>() == 8);
};
