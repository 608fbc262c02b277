//! How high the rules of a set stand, by what they say of the peer: what is asked for first may
//! win whatever the others would say.

use std::collections::BTreeMap;

use contiv_datapath_abi::policy::{Decision, RuleSet};

use crate::terms::Term;

/// How many rules there are of each height.
#[derive(Debug, Default)]
pub(crate) struct Heights {
    any: Levels,
    groups: Levels,
    addresses: Levels,
}

/// By the highest bits of their decisions.
type Levels = BTreeMap<u32, usize>;

/// Order, priority and action: few sets have more than a few of them.
const BITS: u32 = 40;

impl Heights {
    pub(crate) fn add(&mut self, term: &Term) {
        *self.levels(term).entry(level(term)).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, term: &Term) {
        let levels = self.levels(term);
        if let Some(rules) = levels.get_mut(&level(term)) {
            *rules -= 1;
            if *rules == 0 {
                levels.remove(&level(term));
            }
        }
    }

    /// What of it stands in [`RuleSet::kinds`].
    pub(crate) fn kinds(&self) -> u32 {
        let mut kinds = 0;
        if let Some((level, _)) = self.addresses.last_key_value() {
            kinds |= RuleSet::reaching(Decision(u64::from(*level) << BITS));
        }
        let others = [&self.groups, &self.addresses].into_iter();
        let lowest = others.filter_map(|levels| levels.first_key_value()).min();
        if let (Some(any), Some(lowest)) = (self.any.last_key_value(), lowest)
            && any.0 < lowest.0
        {
            kinds |= RuleSet::ANY_LAST;
        }
        kinds
    }

    fn levels(&mut self, term: &Term) -> &mut Levels {
        if term.rule.names_peer_addresses() {
            &mut self.addresses
        } else if term.rule.peer_group.is_some() {
            &mut self.groups
        } else {
            &mut self.any
        }
    }
}

fn level(term: &Term) -> u32 {
    (term.decision.0 >> BITS) as u32
}
