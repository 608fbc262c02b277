//! A table's rows of one lineage, and what has changed since its last build.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Rows as they are to be, with those that were before for every key that changed.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: HashMap<K, V>,
    before: BTreeMap<K, Option<V>>,
}

/// A row's value before and after; `None` for no row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<V> {
    pub(crate) old: Option<V>,
    pub(crate) new: Option<V>,
}

impl<K: Ord + Hash + Copy, V: Copy + PartialEq> Table<K, V> {
    pub(crate) fn put(&mut self, key: K, value: V) {
        let old = self.rows.insert(key, value);
        if old != Some(value) {
            self.before.entry(key).or_insert(old);
        }
    }

    pub(crate) fn remove(&mut self, key: K) {
        if let Some(old) = self.rows.remove(&key) {
            self.before.entry(key).or_insert(Some(old));
        }
    }

    pub(crate) fn new_value(&self, key: &K) -> Option<V> {
        self.rows.get(key).copied()
    }

    pub(crate) fn old_value(&self, key: &K) -> Option<V> {
        match self.before.get(key) {
            Some(old) => *old,
            None => self.new_value(key),
        }
    }

    /// What has changed, in the order of keys.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (K, Change<V>)> {
        self.before.iter().filter_map(|(key, old)| {
            let (old, new) = (*old, self.new_value(key));
            (old != new).then_some((*key, Change { old, new }))
        })
    }

    /// Forgets what was before.
    pub(crate) fn settle(&mut self) {
        self.before.clear();
    }

    /// Every key that has a row, or had one before the change.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (K, V)> {
        let gone = self.changes().filter_map(|(key, change)| {
            let old = change.old?;
            change.new.is_none().then_some((key, old))
        });
        self.rows.iter().map(|(k, v)| (*k, *v)).chain(gone)
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table {
            rows: HashMap::new(),
            before: BTreeMap::new(),
        }
    }
}
