//! Which rows a host's tables hold, for which builds.

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, PeerKey, PrefixKey, RuleSet, Subject, SubjectKey,
};

use crate::interner::Interner;
use crate::{CompiledPolicy, CompiledSet, Prefix, Profile, Rows};

/// Numbers builds, rule sets and profiles of all tenants of a host.
///
/// A policy comes into force like this:
///
/// 1. [`install`](Self::install) names a new root and the rows to add. No packet
///    can meet them yet, so they may be written in any order.
/// 2. One write makes the new root the tenant's.
/// 3. After a grace period of the kernel, [`remove`](Self::remove) of the old root
///    names the rows to delete: those that no other root needs.
///
/// Rule sets and profiles that other builds hold already are neither written nor
/// numbered again. When a write fails, `remove` of the new root undoes it.
///
/// An agent that starts on tables of its predecessor begins after the highest
/// number that they have ([`after`](Self::after)), installs every tenant, makes
/// the new roots theirs, and deletes what it has not written itself.
#[derive(Debug)]
pub struct HostTables {
    profiles: Interner<Profile>,
    sets: Interner<NumberedSet>,
    roots: BTreeMap<u32, BTreeMap<u32, Subject>>,
    last_root: u32,
}

/// A rule set whose parts have numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberedSet {
    any: u32,
    kinds: u32,
    groups: Vec<(u32, u32)>,
    prefixes: Vec<((u32, Prefix), u32)>,
    own: Vec<(Prefix, RuleSet)>,
}

impl HostTables {
    /// For tables in which roots, sets and profiles have numbers up to `highest`;
    /// 0 for empty tables.
    pub fn after(highest: u32) -> HostTables {
        HostTables {
            profiles: Interner::after(highest),
            sets: Interner::after(highest),
            roots: BTreeMap::new(),
            last_root: highest,
        }
    }

    /// Gives a policy a root; the rows are those that the tables lack.
    pub fn install(&mut self, policy: &CompiledPolicy) -> (u32, Rows) {
        let mut added = Rows::default();
        let root = self.unused_root();
        let mut subjects = BTreeMap::new();
        for (&group, rules) in &policy.groups {
            let subject = Subject {
                receiving: self.acquire_set(&rules.receiving, &mut added),
                sending: self.acquire_set(&rules.sending, &mut added),
            };
            subjects.insert(group, subject);
            added.subjects.insert(SubjectKey { root, group }, subject);
        }
        self.roots.insert(root, subjects);
        (root, added)
    }

    /// Forgets a root; the rows are those that nothing needs any more.
    pub fn remove(&mut self, root: u32) -> Rows {
        let mut removed = Rows::default();
        for (group, subject) in self.roots.remove(&root).unwrap_or_default() {
            self.release_set(subject.receiving, &mut removed);
            self.release_set(subject.sending, &mut removed);
            removed.subjects.insert(SubjectKey { root, group }, subject);
        }
        removed
    }

    fn acquire_set(&mut self, set: &CompiledSet, added: &mut Rows) -> RuleSet {
        if set.is_empty() {
            return RuleSet::default();
        }
        let numbered = Arc::new(NumberedSet {
            any: set
                .any
                .as_ref()
                .map_or(0, |profile| self.acquire_profile(profile, added)),
            kinds: set.kinds(),
            groups: set
                .groups
                .iter()
                .map(|(group, profile)| (*group, self.acquire_profile(profile, added)))
                .collect(),
            prefixes: set
                .prefixes
                .iter()
                .map(|(peer, profile)| {
                    let profile = profile.as_ref();
                    (
                        *peer,
                        profile.map_or(0, |profile| self.acquire_profile(profile, added)),
                    )
                })
                .collect(),
            own: set
                .own
                .iter()
                .map(|(prefix, set)| (*prefix, self.acquire_set(set, added)))
                .collect(),
        });
        let (number, new) = self.sets.acquire(&numbered);
        if new {
            added.add(numbered.rows(number));
        } else {
            // The set of that number uses its parts already, so none of them ends here.
            self.release_parts(&numbered, &mut Rows::default());
        }
        RuleSet {
            set: number,
            any: numbered.any,
            kinds: numbered.kinds,
        }
    }

    fn release_set(&mut self, set: RuleSet, removed: &mut Rows) {
        if let Some(numbered) = self.sets.release(set.set) {
            removed.add(numbered.rows(set.set));
            self.release_parts(&numbered, removed);
        }
    }

    fn release_parts(&mut self, set: &NumberedSet, removed: &mut Rows) {
        let groups = set.groups.iter().map(|(_, profile)| *profile);
        let prefixes = set.prefixes.iter().map(|(_, profile)| *profile);
        for profile in groups.chain(prefixes).chain([set.any]) {
            if let Some(content) = self.profiles.release(profile) {
                removed.decisions.extend(decisions(profile, &content));
            }
        }
        for (_, own) in &set.own {
            self.release_set(*own, removed);
        }
    }

    fn acquire_profile(&mut self, profile: &Arc<Profile>, added: &mut Rows) -> u32 {
        let (number, new) = self.profiles.acquire(profile);
        if new {
            added.decisions.extend(decisions(number, profile));
        }
        number
    }

    fn unused_root(&mut self) -> u32 {
        loop {
            self.last_root = self.last_root.wrapping_add(1);
            if self.last_root != 0 && !self.roots.contains_key(&self.last_root) {
                return self.last_root;
            }
        }
    }
}

impl NumberedSet {
    /// The set's own rows, without those of its profiles and of its sets for own addresses.
    fn rows(&self, set: u32) -> Rows {
        let mut rows = Rows::default();
        for &(group, profile) in &self.groups {
            rows.peer_groups.insert(PeerKey { set, group }, profile);
        }
        for &((group, prefix), profile) in &self.prefixes {
            let key = PrefixKey {
                set,
                group,
                address: prefix.address(),
            };
            let bits = PrefixKey::FIXED_BITS + u32::from(prefix.bits());
            rows.peer_prefixes.insert((key, bits), profile);
        }
        for &(prefix, own) in &self.own {
            let key = OwnKey {
                set,
                address: prefix.address(),
            };
            rows.own_addresses
                .insert((key, OwnKey::FIXED_BITS + u32::from(prefix.bits())), own);
        }
        rows
    }
}

fn decisions(number: u32, profile: &Profile) -> impl Iterator<Item = (DecisionKey, Decision)> {
    profile
        .entries()
        .iter()
        .map(move |(selector, decision)| (DecisionKey::new(number, *selector), *decision))
}

#[cfg(test)]
mod tests;
