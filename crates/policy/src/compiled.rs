//! A compiled policy: what will be in the tables, before anything has a number.

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath_abi::policy::{Decision, RuleSet, Selector};

use crate::Prefix;

/// A tenant's policy, ready to be numbered by [`HostTables`](crate::HostTables).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledPolicy {
    /// By group number; groups without rules are absent.
    pub groups: BTreeMap<u32, GroupRules>,
}

/// The rules of a group. Groups with the same policies share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// For connections that members receive.
    pub receiving: Arc<CompiledSet>,
    /// For connections that members open.
    pub sending: Arc<CompiledSet>,
}

/// The rules of one direction, sorted by what they say of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledSet {
    /// Rules for any peer.
    pub any: Option<Arc<Profile>>,
    /// Rules for a peer group.
    pub groups: BTreeMap<u32, Arc<Profile>>,
    /// Rules for peer addresses, by the group that they name too (0 for none) and
    /// prefix. The profile includes the rules of the prefixes around this one;
    /// `None` shields IPv4 from an IPv6 prefix that encloses its mapped form.
    pub prefixes: BTreeMap<(u32, Prefix), Option<Arc<Profile>>>,
    /// Rules for own addresses, those of the prefixes around included. None of
    /// these sets has such rules again.
    pub own: BTreeMap<Prefix, Arc<CompiledSet>>,
}

impl CompiledSet {
    /// Whether no rule is in it.
    pub fn is_empty(&self) -> bool {
        self.any.is_none() && self.kinds() == 0
    }

    /// The kinds of look-ups that can find something, as in [`RuleSet::kinds`].
    pub fn kinds(&self) -> u32 {
        let mut kinds = 0;
        if !self.groups.is_empty() {
            kinds |= RuleSet::GROUPS;
        }
        if self.prefixes.keys().any(|(group, _)| *group == 0) {
            kinds |= RuleSet::PREFIXES;
        }
        if self.prefixes.keys().any(|(group, _)| *group != 0) {
            kinds |= RuleSet::PAIRS;
        }
        if !self.own.is_empty() {
            kinds |= RuleSet::OWN_ADDRESSES;
        }
        kinds
    }
}

/// What one kind of peer may do: decisions by protocol and port, the fewest that
/// say it, so that profiles of the same effect and the same rules are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile {
    entries: Vec<(Selector, Decision)>,
}

impl Profile {
    /// Sorted by selector, never empty.
    pub fn entries(&self) -> &[(Selector, Decision)] {
        &self.entries
    }

    /// Makes the first entry that a look-up finds the winner of all that match.
    ///
    /// Look-ups ask for the port, the protocol, and everything, in this order. So
    /// an entry takes over the decision of a more general one that beats it, and is
    /// not stored when it then says what the more general one says anyway.
    pub(crate) fn from_matches(matches: &BTreeMap<Selector, Decision>) -> Option<Profile> {
        let find = |selector| matches.get(&selector).copied().unwrap_or(Decision::NONE);
        let all = find(Selector::ALL);
        let mut entries = Vec::with_capacity(matches.len());
        for (&selector, &decision) in matches {
            let general = match selector.scope {
                0 => Decision::NONE,
                1 => all,
                _ => all.max(find(Selector::protocol(selector.protocol))),
            };
            if decision > general {
                entries.push((selector, decision));
            }
        }
        (!entries.is_empty()).then_some(Profile { entries })
    }
}

#[cfg(test)]
mod tests {
    use contiv_datapath_abi::policy::{Action, TCP};

    use super::*;

    #[test]
    fn a_general_rule_that_wins_leaves_no_special_entry() {
        let at = |priority| Decision::new(0, priority, Action::Allow, 20);
        let matches = BTreeMap::from([
            (Selector::ALL, at(5)),
            (Selector::protocol(TCP), at(3)),
            (Selector::port(TCP, 80), at(4)),
            (Selector::port(TCP, 443), at(9)),
        ]);
        let profile = Profile::from_matches(&matches).unwrap();
        // Selectors are ordered by port first.
        assert_eq!(
            profile.entries(),
            [(Selector::ALL, at(5)), (Selector::port(TCP, 443), at(9))]
        );
        assert_eq!(Profile::from_matches(&BTreeMap::new()), None);
    }
}
