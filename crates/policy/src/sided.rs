//! From changes of a lineage's tables to rows with two sides.
//!
//! Until the new root is the tenant's, packets see the side in force; from then on the other one.
//! So a row that is new says on the old side what was said without it, and one that goes says on
//! the new side what will be said without it: nothing, or where the longest prefix is looked for,
//! what the next shorter one says.

use contiv_datapath_abi::policy::{OwnKey, PrefixKey, Sides};

use crate::Rows;
use crate::rows::longest_first;
use crate::table::{Change, Table};
use crate::writer::Tables;

/// The rows to write before the flip to `side`.
pub(crate) fn before_flip(tables: &Tables, side: u32) -> Rows {
    let mut rows = Rows::default();
    for (key, change) in tables.subjects.changes() {
        rows.subjects.insert(key, sides(change, side));
    }
    for (key, change) in tables.peer_groups.changes() {
        rows.peer_groups.insert(key, sides(change, side));
    }
    for (key, change) in tables.decisions.changes() {
        rows.decisions.insert(key, sides(change, side));
    }
    for ((key, bits), mut change) in tables.peer_prefixes.changes() {
        let shorter = |bits: u32, address| (PrefixKey { address, ..key }, bits);
        let fixed = PrefixKey::FIXED_BITS;
        seen_through(
            &mut change,
            (key.address, key.scope, bits - fixed),
            |old, bits, address| value(&tables.peer_prefixes, old, &shorter(bits + fixed, address)),
        );
        rows.peer_prefixes.insert((key, bits), sides(change, side));
    }
    for ((key, bits), mut change) in tables.own_addresses.changes() {
        let shorter = |bits: u32, address| (OwnKey { address, ..key }, bits);
        let fixed = OwnKey::FIXED_BITS;
        seen_through(
            &mut change,
            (key.address, key.scope, bits - fixed),
            |old, bits, address| value(&tables.own_addresses, old, &shorter(bits + fixed, address)),
        );
        rows.own_addresses.insert((key, bits), sides(change, side));
    }
    rows
}

/// The rows to write after the flip, both sides equal, and those to delete.
pub(crate) fn after_flip(tables: &Tables) -> (Rows, Rows) {
    let (mut write, mut delete) = (Rows::default(), Rows::default());
    macro_rules! table {
        ($name:ident) => {
            for (key, change) in tables.$name.changes() {
                match change.new {
                    Some(new) => write.$name.insert(key, Sides::both(new)),
                    None => delete.$name.insert(key, Sides::default()),
                };
            }
        };
    }
    table!(subjects);
    table!(own_addresses);
    table!(peer_groups);
    table!(peer_prefixes);
    table!(decisions);
    (write, delete)
}

/// Of the rows written before a flip that does not come, those that were not there before.
pub(crate) fn undo(tables: &Tables) -> Rows {
    let mut delete = Rows::default();
    macro_rules! table {
        ($name:ident) => {
            for (key, change) in tables.$name.changes() {
                if change.old.is_none() {
                    delete.$name.insert(key, Sides::default());
                }
            }
        };
    }
    table!(subjects);
    table!(own_addresses);
    table!(peer_groups);
    table!(peer_prefixes);
    table!(decisions);
    delete
}

/// Every row that a lineage had in the tables before its last change, as it was.
pub(crate) fn as_before(tables: &Tables) -> Rows {
    let mut rows = all(tables);
    rows.remove(&undo(tables));
    rows
}

/// Every row that a lineage has in the tables, both sides equal.
pub(crate) fn all(tables: &Tables) -> Rows {
    macro_rules! table {
        ($name:ident) => {
            tables
                .$name
                .keys()
                .map(|(k, v)| (k, Sides::both(v)))
                .collect()
        };
    }
    Rows {
        subjects: table!(subjects),
        own_addresses: table!(own_addresses),
        peer_groups: table!(peer_groups),
        peer_prefixes: table!(peer_prefixes),
        decisions: table!(decisions),
    }
}

fn sides<V: Default>(change: Change<V>, side: u32) -> Sides<V> {
    let (old, new) = (
        change.old.unwrap_or_default(),
        change.new.unwrap_or_default(),
    );
    if side == 0 {
        Sides {
            left: new,
            right: old,
        }
    } else {
        Sides {
            left: old,
            right: new,
        }
    }
}

/// Puts in what a shorter prefix says, found by (old?, bits, address), where there is no row.
fn seen_through<V>(
    change: &mut Change<V>,
    (address, scope, bits): ([u8; 16], u32, u32),
    find: impl Fn(bool, u32, [u8; 16]) -> Option<V>,
) {
    let shorter = |old: bool| {
        longest_first(address, scope)
            .filter(|(_, shorter)| *shorter < bits)
            .find_map(|(address, bits)| find(old, bits, address))
    };
    if change.old.is_none() {
        change.old = shorter(true);
    }
    if change.new.is_none() {
        change.new = shorter(false);
    }
}

fn value<K: Ord + std::hash::Hash + Copy, V: Copy + PartialEq>(
    table: &Table<K, V>,
    old: bool,
    key: &K,
) -> Option<V> {
    if old {
        table.old_value(key)
    } else {
        table.new_value(key)
    }
}
