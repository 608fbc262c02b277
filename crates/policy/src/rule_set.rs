//! The rules of one combination of policies and one direction.
//!
//! 1. Rules that are limited to own addresses leave the set for one of their own per combination
//!    of rules that some own prefix has, which is judged beside it.
//! 2. The others are sorted by what they say of the peer: nothing, a group, addresses, or both.
//!    Nothing is combined across these four kinds; the greater decision wins when a packet is
//!    judged.
//! 3. Only prefixes that lie in each other are combined, see [`PrefixTable`].
//!
//! So what is stored is about one entry per rule, set, and narrow prefix of the same set and kind
//! inside the rule's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contiv_datapath_abi::policy::{OwnKey, PeerKey, PrefixKey, RuleSet};

use crate::heights::Heights;
use crate::prefix::prefixes_of;
use crate::prefix_table::PrefixTable;
use crate::terms::Term;
use crate::writer::{Position, Writer};
use crate::{PolicyError, Prefix};

/// A rule set that is kept, to be changed rule by rule.
#[derive(Debug)]
pub(crate) struct KeptSet {
    number: u32,
    heights: Heights,
    any: Position,
    any_touched: bool,
    groups: BTreeMap<u32, Position>,
    groups_touched: BTreeSet<u32>,
    /// By group, 0 for none, and whether IPv4.
    prefixes: BTreeMap<(u32, bool), PrefixTable>,
    prefixes_touched: BTreeSet<(u32, bool)>,
    own: OwnSets,
}

/// The sets for own addresses.
#[derive(Debug, Default)]
struct OwnSets {
    terms: Vec<Arc<Term>>,
    touched: bool,
    /// By the numbers of their rules.
    sets: BTreeMap<Vec<u32>, OwnSet>,
    rows: BTreeSet<(OwnKey, u32)>,
    counted: usize,
}

#[derive(Debug)]
struct OwnSet {
    terms: Vec<Arc<Term>>,
    set: KeptSet,
}

impl KeptSet {
    pub(crate) fn new(number: u32) -> KeptSet {
        KeptSet {
            number,
            heights: Heights::default(),
            any: Position::default(),
            any_touched: false,
            groups: BTreeMap::new(),
            groups_touched: BTreeSet::new(),
            prefixes: BTreeMap::new(),
            prefixes_touched: BTreeSet::new(),
            own: OwnSets::default(),
        }
    }

    pub(crate) fn add(&mut self, term: &Arc<Term>) {
        if term.selectors.is_empty() {
            return;
        }
        if term.rule.own_addresses.is_empty() {
            self.add_for_peers(term);
        } else {
            self.own.terms.push(Arc::clone(term));
            self.own.touched = true;
        }
    }

    pub(crate) fn remove(&mut self, term: &Arc<Term>) {
        if term.selectors.is_empty() {
            return;
        }
        if term.rule.own_addresses.is_empty() {
            self.remove_for_peers(term);
        } else {
            self.own.terms.retain(|kept| !Arc::ptr_eq(kept, term));
            self.own.touched = true;
        }
    }

    fn add_for_peers(&mut self, term: &Arc<Term>) {
        self.heights.add(term);
        match (term.rule.peer_group, term.peer_prefixes()) {
            (Some(0), _) => {}
            (None, None) => {
                self.any.terms.push(Arc::clone(term));
                self.any_touched = true;
            }
            (Some(group), None) => {
                let position = self.groups.entry(group).or_default();
                position.terms.push(Arc::clone(term));
                self.groups_touched.insert(group);
            }
            (group, Some(prefixes)) => {
                for prefix in prefixes {
                    let key = (group.unwrap_or(0), prefix.is_v4());
                    self.prefixes.entry(key).or_default().add(prefix, term);
                    self.prefixes_touched.insert(key);
                }
            }
        }
    }

    fn remove_for_peers(&mut self, term: &Arc<Term>) {
        self.heights.remove(term);
        match (term.rule.peer_group, term.peer_prefixes()) {
            (Some(0), _) => {}
            (None, None) => {
                self.any.remove(term);
                self.any_touched = true;
            }
            (Some(group), None) => {
                if let Some(position) = self.groups.get_mut(&group) {
                    position.remove(term);
                    self.groups_touched.insert(group);
                }
            }
            (group, Some(prefixes)) => {
                for prefix in prefixes {
                    let key = (group.unwrap_or(0), prefix.is_v4());
                    if let Some(table) = self.prefixes.get_mut(&key) {
                        table.remove(prefix, term);
                        self.prefixes_touched.insert(key);
                    }
                }
            }
        }
    }

    /// Writes the rows of what was touched, and says how the set is entered.
    pub(crate) fn settle(&mut self, writer: &mut Writer) -> Result<RuleSet, PolicyError> {
        if std::mem::take(&mut self.any_touched) {
            self.any.settle(&[], writer)?;
        }
        self.settle_groups(writer)?;
        for key in std::mem::take(&mut self.prefixes_touched) {
            let (group, v4) = key;
            if let Some(table) = self.prefixes.get_mut(&key) {
                let key = PrefixKey {
                    set: self.number,
                    scope: group | if v4 { PrefixKey::V4 } else { 0 },
                    address: [0; 16],
                };
                table.settle(key, writer)?;
            }
            if self.prefixes[&key].is_empty() {
                self.prefixes.remove(&key);
            }
        }
        if std::mem::take(&mut self.own.touched) {
            self.own.settle(self.number, writer)?;
        }
        let kinds = self.kinds();
        if self.any.profile == 0 && kinds == 0 {
            return Ok(RuleSet::default());
        }
        Ok(RuleSet {
            set: self.number,
            any: self.any.profile,
            kinds: kinds | RuleSet::TELLING | self.heights.kinds(),
        })
    }

    fn settle_groups(&mut self, writer: &mut Writer) -> Result<(), PolicyError> {
        for group in std::mem::take(&mut self.groups_touched) {
            let Some(position) = self.groups.get_mut(&group) else {
                continue;
            };
            let key = PeerKey {
                set: self.number,
                group,
            };
            let (before, after) = (
                usize::from(writer.tables.peer_groups.new_value(&key).is_some()),
                usize::from(!position.terms.is_empty()),
            );
            if let Some(peer) = position.settle_peer(writer)? {
                writer.tables.peer_groups.put(key, peer);
                writer.count_peer_groups(before, after, position.terms.last())?;
            } else {
                writer.tables.peer_groups.remove(key);
                writer.count_peer_groups(before, 0, None)?;
            }
            if position.terms.is_empty() {
                self.groups.remove(&group);
            }
        }
        Ok(())
    }

    /// The kinds of look-ups that can find something, as in [`RuleSet::kinds`].
    fn kinds(&self) -> u32 {
        let mut kinds = 0;
        if !self.groups.is_empty() {
            kinds |= RuleSet::GROUPS;
        }
        for ((group, _), table) in &self.prefixes {
            let (narrow, wide) = match group {
                0 => (RuleSet::PREFIXES, RuleSet::WIDE_PREFIXES),
                _ => (RuleSet::PAIRS, RuleSet::WIDE_PAIRS),
            };
            kinds |= if table.has_narrow() { narrow } else { 0 };
            kinds |= if table.has_wide() { wide } else { 0 };
        }
        if !self.own.rows.is_empty() {
            kinds |= RuleSet::OWN_ADDRESSES;
        }
        kinds
    }

    /// Takes all rows away.
    pub(crate) fn clear(&mut self, writer: &mut Writer) {
        self.any.clear(writer);
        for (group, position) in &mut self.groups {
            position.clear(writer);
            let key = PeerKey {
                set: self.number,
                group: *group,
            };
            if writer.tables.peer_groups.new_value(&key).is_some() {
                writer.tables.peer_groups.remove(key);
                // Less than before, so that no limit can be met.
                writer.count_peer_groups(1, 0, None).ok();
            }
        }
        for table in self.prefixes.values_mut() {
            table.clear(writer);
        }
        self.own.clear(writer);
        writer.numbers.give_back(self.number);
    }
}

impl OwnSets {
    fn settle(&mut self, set: u32, writer: &mut Writer) -> Result<(), PolicyError> {
        let mut by_prefix: BTreeMap<Prefix, Vec<Arc<Term>>> = BTreeMap::new();
        for term in &self.terms {
            for prefix in prefixes_of(&term.rule.own_addresses) {
                by_prefix.entry(prefix).or_default().push(Arc::clone(term));
            }
        }
        let before = std::mem::replace(&mut self.counted, by_prefix.len());
        writer.count_prefixes(before, self.counted, self.terms.last())?;
        let wanted = nested(by_prefix);
        let mut sets = std::mem::take(&mut self.sets);
        let mut entered = BTreeMap::new();
        for terms in wanted.values() {
            let numbers = numbers_of(terms);
            if entered.contains_key(&numbers) {
                continue;
            }
            let mut own = sets.remove(&numbers).unwrap_or_else(|| OwnSet {
                terms: Vec::new(),
                set: KeptSet::new(writer.numbers.take()),
            });
            own.become_these(terms);
            let rules = own.set.settle(writer);
            self.sets.insert(numbers.clone(), own);
            entered.insert(numbers, rules?);
        }
        for own in sets.values_mut() {
            own.set.clear(writer);
        }
        let mut rows = BTreeSet::new();
        for (prefix, terms) in wanted {
            let key = OwnKey {
                set,
                scope: if prefix.is_v4() { PrefixKey::V4 } else { 0 },
                address: prefix.address(),
            };
            let row = (key, OwnKey::FIXED_BITS + u32::from(prefix.bits()));
            writer
                .tables
                .own_addresses
                .put(row, entered[&numbers_of(&terms)]);
            rows.insert(row);
        }
        for row in std::mem::replace(&mut self.rows, rows) {
            if !self.rows.contains(&row) {
                writer.tables.own_addresses.remove(row);
            }
        }
        Ok(())
    }

    fn clear(&mut self, writer: &mut Writer) {
        for row in std::mem::take(&mut self.rows) {
            writer.tables.own_addresses.remove(row);
        }
        for own in self.sets.values_mut() {
            own.set.clear(writer);
        }
        // Less than before, so that no limit can be met.
        writer.count_prefixes(self.counted, 0, None).ok();
        *self = OwnSets::default();
    }
}

impl OwnSet {
    fn become_these(&mut self, terms: &[Arc<Term>]) {
        let has = |terms: &[Arc<Term>], term| terms.iter().any(|t| Arc::ptr_eq(t, term));
        for gone in self.terms.iter().filter(|term| !has(terms, term)) {
            self.set.remove_for_peers(gone);
        }
        for new in terms.iter().filter(|term| !has(&self.terms, term)) {
            self.set.add_for_peers(new);
        }
        self.terms = terms.to_vec();
    }
}

fn numbers_of(terms: &[Arc<Term>]) -> Vec<u32> {
    let mut numbers: Vec<u32> = terms.iter().map(|term| term.rule.number).collect();
    numbers.sort_unstable();
    numbers
}

/// Gives each prefix the rules of the prefixes of its family around it besides its own.
fn nested(prefixes: BTreeMap<Prefix, Vec<Arc<Term>>>) -> BTreeMap<Prefix, Vec<Arc<Term>>> {
    let mut joined: BTreeMap<Prefix, Vec<Arc<Term>>> = BTreeMap::new();
    let mut around: Vec<Prefix> = Vec::new();
    for (prefix, own) in prefixes {
        while around.pop_if(|outer| !outer.contains(prefix)).is_some() {}
        let mut terms = match around.last() {
            Some(outer) if outer.is_v4() == prefix.is_v4() => joined[outer].clone(),
            _ => Vec::new(),
        };
        // A rule may name both.
        let known: BTreeSet<u32> = terms.iter().map(|term| term.rule.number).collect();
        terms.extend(own.into_iter().filter(|t| !known.contains(&t.rule.number)));
        joined.insert(prefix, terms);
        around.push(prefix);
    }
    joined
}
