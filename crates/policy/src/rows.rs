//! Rows of the policy tables, as the kernel's maps hold them.

use std::collections::BTreeMap;

use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, Peer, PeerKey, PolicyTables, PrefixKey, RuleSet, Sides, Subject,
    SubjectKey,
};

use crate::Prefix;
use crate::prefix::mask;

/// Rows of the five tables. Where a key comes with a `u32`, that is the prefix
/// length before the key of a longest-prefix map, fixed bits included.
///
/// It is what a change writes or deletes, and when all changes are applied to one
/// value, a copy of the kernel's tables that can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub subjects: BTreeMap<SubjectKey, Sides<Subject>>,
    pub own_addresses: BTreeMap<(OwnKey, u32), Sides<RuleSet>>,
    pub peer_groups: BTreeMap<PeerKey, Sides<Peer>>,
    pub peer_prefixes: BTreeMap<(PrefixKey, u32), Sides<u32>>,
    pub decisions: BTreeMap<DecisionKey, Sides<Decision>>,
}

impl Rows {
    /// Takes in the rows of another one.
    pub fn add(&mut self, other: Rows) {
        self.subjects.extend(other.subjects);
        self.own_addresses.extend(other.own_addresses);
        self.peer_groups.extend(other.peer_groups);
        self.peer_prefixes.extend(other.peer_prefixes);
        self.decisions.extend(other.decisions);
    }

    /// Drops the rows that another one has, by key.
    pub fn remove(&mut self, other: &Rows) {
        fn without<K: Ord, V>(rows: &mut BTreeMap<K, V>, other: &BTreeMap<K, V>) {
            for key in other.keys() {
                rows.remove(key);
            }
        }
        without(&mut self.subjects, &other.subjects);
        without(&mut self.own_addresses, &other.own_addresses);
        without(&mut self.peer_groups, &other.peer_groups);
        without(&mut self.peer_prefixes, &other.peer_prefixes);
        without(&mut self.decisions, &other.decisions);
    }

    /// How many rows there are in all tables together.
    pub fn len(&self) -> usize {
        self.subjects.len()
            + self.own_addresses.len()
            + self.peer_groups.len()
            + self.peer_prefixes.len()
            + self.decisions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PolicyTables for Rows {
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
        self.subjects.get(key)
    }

    fn own_address(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<RuleSet>> {
        longest_first(*address, scope).find_map(|(address, bits)| {
            let key = OwnKey {
                set,
                scope,
                address,
            };
            self.own_addresses.get(&(key, OwnKey::FIXED_BITS + bits))
        })
    }

    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
        self.peer_groups.get(key)
    }

    fn peer_prefix(&self, set: u32, scope: u32, address: &[u8; 16]) -> Option<&Sides<u32>> {
        longest_first(*address, scope).find_map(|(address, bits)| {
            let key = PrefixKey {
                set,
                scope,
                address,
            };
            self.peer_prefixes.get(&(key, PrefixKey::FIXED_BITS + bits))
        })
    }

    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
        self.decisions.get(key)
    }
}

/// The prefixes of a scope that hold an address, the longest first.
pub(crate) fn longest_first(
    address: [u8; 16],
    scope: u32,
) -> impl Iterator<Item = ([u8; 16], u32)> {
    let address = u128::from_be_bytes(address);
    let shortest = if scope & PrefixKey::V4 == 0 {
        0
    } else {
        Prefix::IPV4.bits()
    };
    (shortest..=128)
        .rev()
        .map(move |bits| ((address & mask(bits)).to_be_bytes(), u32::from(bits)))
}
