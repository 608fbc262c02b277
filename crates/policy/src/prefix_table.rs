//! Rules for peer addresses, in two layers of prefixes.
//!
//! A look-up finds the longest prefix alone, so each prefix repeats the rules of those around
//! it. A prefix around very many others would be repeated too often, and a change of its rules
//! would touch them all. So there are two layers, each with a look-up of its own: prefixes that
//! enclose at least [`Limits::wide`](crate::Limits::wide) others are in the wide one, the others
//! in the narrow one, and rules are repeated within a layer only.
//!
//! Which layer a prefix is in depends on the prefixes alone, not on how they came to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contiv_datapath_abi::policy::PrefixKey;

use crate::terms::Term;
use crate::writer::{Position, Writer};
use crate::{PolicyError, Prefix};

/// The prefixes of one family that rules of a set name with the same peer group, or with none.
#[derive(Debug, Default)]
pub(crate) struct PrefixTable {
    places: BTreeMap<Prefix, Place>,
    wide: BTreeSet<Prefix>,
    /// Prefixes whose rules have changed since the last [`settle`](Self::settle).
    touched: BTreeSet<Prefix>,
    /// As last counted.
    counted: usize,
}

#[derive(Debug, Default)]
struct Place {
    position: Position,
    wide: bool,
    /// The row of the place as it is in the tables.
    row: Option<(PrefixKey, u32)>,
}

/// Beyond this many touched prefixes, all are gone through in order instead.
const FEW: usize = 64;

impl PrefixTable {
    pub(crate) fn add(&mut self, prefix: Prefix, term: &Arc<Term>) {
        let place = self.places.entry(prefix).or_default();
        place.position.terms.push(Arc::clone(term));
        self.touched.insert(prefix);
    }

    pub(crate) fn remove(&mut self, prefix: Prefix, term: &Arc<Term>) {
        if let Some(place) = self.places.get_mut(&prefix) {
            place.position.remove(term);
            self.touched.insert(prefix);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn has_wide(&self) -> bool {
        !self.wide.is_empty()
    }

    pub(crate) fn has_narrow(&self) -> bool {
        self.wide.len() < self.places.len()
    }

    /// Writes the rows of what was touched; `key` is that of the table, without an address.
    pub(crate) fn settle(
        &mut self,
        key: PrefixKey,
        writer: &mut Writer,
    ) -> Result<(), PolicyError> {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let blame = touched
            .iter()
            .rev()
            .find_map(|prefix| self.places.get(prefix)?.position.terms.last().cloned());
        let mut dirty = BTreeSet::new();
        for prefix in &touched {
            let Some(place) = self.places.get_mut(prefix) else {
                continue;
            };
            if place.position.terms.is_empty() {
                if let Some(row) = place.row.take() {
                    writer.tables.peer_prefixes.remove(row);
                }
                place.position.clear(writer);
                let was_wide = place.wide;
                self.places.remove(prefix);
                self.wide.remove(prefix);
                self.mark(*prefix, was_wide, &mut dirty);
            }
        }
        let counted = std::mem::replace(&mut self.counted, self.places.len());
        writer.count_prefixes(counted, self.counted, blame.as_ref())?;
        if touched.len() > FEW {
            self.layer_all(writer.limits.wide);
            return self.write_all(key, writer);
        }
        let mut layered = BTreeSet::new();
        for prefix in &touched {
            let around = self.around(*prefix);
            layered.extend(around.into_iter().chain([*prefix]));
        }
        for prefix in layered {
            self.layer(prefix, writer.limits.wide, &mut dirty);
        }
        for prefix in touched {
            if let Some(place) = self.places.get(&prefix) {
                dirty.insert(prefix);
                self.mark(prefix, place.wide, &mut dirty);
            }
        }
        for prefix in dirty {
            let around = self.around(prefix);
            self.write(prefix, &around, key, writer)?;
        }
        Ok(())
    }

    /// Takes all rows away.
    pub(crate) fn clear(&mut self, writer: &mut Writer) {
        for place in self.places.values_mut() {
            if let Some(row) = place.row.take() {
                writer.tables.peer_prefixes.remove(row);
            }
            place.position.clear(writer);
        }
        // Less than before, so that no limit can be met.
        writer.count_prefixes(self.counted, 0, None).ok();
        *self = PrefixTable::default();
    }

    /// Finds out whether a prefix is wide; if that is new, what it encloses is dirty.
    fn layer(&mut self, prefix: Prefix, limit: usize, dirty: &mut BTreeSet<Prefix>) {
        let Some(place) = self.places.get(&prefix) else {
            return;
        };
        let inside = self.places.range(prefix..=prefix.last_within());
        let wide = inside.take(limit + 1).count() > limit;
        if wide == place.wide {
            return;
        }
        let is_new = place.row.is_none();
        self.set_wide(prefix, wide);
        // A new one has been repeated nowhere, and one that encloses few or has just begun to
        // enclose many is repeated in few.
        if !is_new {
            dirty.insert(prefix);
            self.mark(prefix, true, dirty);
            self.mark(prefix, false, dirty);
        }
    }

    fn set_wide(&mut self, prefix: Prefix, wide: bool) {
        if let Some(place) = self.places.get_mut(&prefix) {
            place.wide = wide;
        }
        if wide {
            self.wide.insert(prefix);
        } else {
            self.wide.remove(&prefix);
        }
    }

    /// Makes dirty what of a layer lies within a prefix. Narrow prefixes enclose few.
    fn mark(&self, prefix: Prefix, wide: bool, dirty: &mut BTreeSet<Prefix>) {
        let within = prefix..=prefix.last_within();
        if wide {
            dirty.extend(self.wide.range(within));
        } else {
            let narrow = self.places.range(within).filter(|(_, place)| !place.wide);
            dirty.extend(narrow.map(|(prefix, _)| *prefix));
        }
    }

    /// The prefixes around this one, of both layers, the shortest first.
    fn around(&self, prefix: Prefix) -> Vec<Prefix> {
        let shortest = if prefix.is_v4() {
            Prefix::IPV4.bits()
        } else {
            0
        };
        (shortest..prefix.bits())
            .map(|bits| prefix.shortened(bits))
            .filter(|around| self.places.contains_key(around))
            .collect()
    }

    /// As `layer`, for all at once.
    fn layer_all(&mut self, limit: usize) {
        let prefixes: Vec<Prefix> = self.places.keys().copied().collect();
        let mut enclosed = vec![0; prefixes.len()];
        let mut around: Vec<usize> = Vec::new();
        for (index, prefix) in prefixes.iter().enumerate() {
            while let Some(outer) = around.pop_if(|outer| !prefixes[*outer].contains(*prefix)) {
                enclosed[outer] = index - outer - 1;
            }
            around.push(index);
        }
        for outer in around {
            enclosed[outer] = prefixes.len() - outer - 1;
        }
        for (prefix, enclosed) in prefixes.into_iter().zip(enclosed) {
            self.set_wide(prefix, enclosed >= limit);
        }
    }

    fn write_all(&mut self, key: PrefixKey, writer: &mut Writer) -> Result<(), PolicyError> {
        let prefixes: Vec<Prefix> = self.places.keys().copied().collect();
        let mut around: Vec<Prefix> = Vec::new();
        for prefix in prefixes {
            while around.pop_if(|outer| !outer.contains(prefix)).is_some() {}
            self.write(prefix, &around, key, writer)?;
            around.push(prefix);
        }
        Ok(())
    }

    fn write(
        &mut self,
        prefix: Prefix,
        around: &[Prefix],
        key: PrefixKey,
        writer: &mut Writer,
    ) -> Result<(), PolicyError> {
        let Some(mut place) = self.places.remove(&prefix) else {
            return Ok(());
        };
        let outer: Vec<&Arc<Term>> = around
            .iter()
            .filter_map(|prefix| self.places.get(prefix))
            .filter(|outer| outer.wide == place.wide)
            .flat_map(|outer| &outer.position.terms)
            .collect();
        let settled = place.position.settle(&outer, writer);
        let key = PrefixKey {
            scope: key.scope | if place.wide { PrefixKey::WIDE } else { 0 },
            address: prefix.address(),
            ..key
        };
        let row = (key, PrefixKey::FIXED_BITS + u32::from(prefix.bits()));
        let rows = &mut writer.tables.peer_prefixes;
        if place.row != Some(row)
            && let Some(old) = place.row.take()
        {
            rows.remove(old);
        }
        if place.position.profile == 0 {
            rows.remove(row);
        } else {
            rows.put(row, place.position.profile);
            place.row = Some(row);
        }
        self.places.insert(prefix, place);
        settled
    }
}
