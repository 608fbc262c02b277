//! What one tenant has used up of its share.

use crate::{Limits, PolicyError, PolicyRule};

/// Counts towards the [`Limits`]; each call names the rule to blame.
pub(super) struct Budget {
    limits: Limits,
    used: Limits,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Budget {
        Budget {
            limits,
            used: Limits {
                decisions: 0,
                prefixes: 0,
                peer_groups: 0,
            },
        }
    }

    pub(super) fn decisions(&mut self, count: usize, rule: &PolicyRule) -> Result<(), PolicyError> {
        spend(
            &mut self.used.decisions,
            count,
            self.limits.decisions,
            "entries",
            rule,
        )
    }

    pub(super) fn prefix(&mut self, rule: &PolicyRule) -> Result<(), PolicyError> {
        spend(
            &mut self.used.prefixes,
            1,
            self.limits.prefixes,
            "address prefixes",
            rule,
        )
    }

    pub(super) fn peer_group(&mut self, rule: &PolicyRule) -> Result<(), PolicyError> {
        spend(
            &mut self.used.peer_groups,
            1,
            self.limits.peer_groups,
            "peer groups",
            rule,
        )
    }
}

fn spend(
    used: &mut usize,
    count: usize,
    limit: usize,
    what: &'static str,
    rule: &PolicyRule,
) -> Result<(), PolicyError> {
    *used = used.saturating_add(count);
    if *used > limit {
        return Err(PolicyError::too_large(rule, what, limit));
    }
    Ok(())
}
