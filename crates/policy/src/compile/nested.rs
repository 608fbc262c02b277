//! Prefixes that lie in each other, made ready for look-ups of the longest.

use std::collections::BTreeMap;

use crate::{PolicyError, PolicyRule, Prefix};

/// Gives each prefix the rules of the prefixes around it besides its own.
///
/// `join` makes a prefix's value from the value of the smallest prefix around it
/// (the default if there is none) and the prefix's own rules.
///
/// An IPv6 prefix of fewer than 96 bits may enclose the mapped form of all IPv4
/// addresses, about which it says nothing: then [`Prefix::IPV4`] gets a value of
/// its own, and takes nothing over.
pub(super) fn nested<'a, V: Default>(
    mut prefixes: BTreeMap<Prefix, Vec<&'a PolicyRule>>,
    mut join: impl FnMut(&V, &[&'a PolicyRule]) -> Result<V, PolicyError>,
) -> Result<Vec<(Prefix, V)>, PolicyError> {
    if prefixes.keys().any(|prefix| prefix.contains(Prefix::IPV4)) {
        prefixes.entry(Prefix::IPV4).or_default();
    }
    let mut values: Vec<(Prefix, V)> = Vec::with_capacity(prefixes.len());
    // Indexes into `values`, each prefix within the one before.
    let mut around: Vec<usize> = Vec::new();
    for (prefix, rules) in prefixes {
        while around
            .pop_if(|index| !values[*index].0.contains(prefix))
            .is_some()
        {}
        let value = match around.last() {
            Some(&outer) if prefix != Prefix::IPV4 => join(&values[outer].1, &rules)?,
            _ => join(&V::default(), &rules)?,
        };
        around.push(values.len());
        values.push((prefix, value));
    }
    Ok(values)
}
