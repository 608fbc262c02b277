//! How large the policies of each tenant are at most, kept rule by rule.

use contiv_policy::Weights;

use super::index::members;
use super::{Image, KnownRule};
use crate::view;

impl Image {
    /// The weights of a tenant's rules; none when it has no rule.
    pub(crate) fn weights(&self, tenant: &str) -> Option<&Weights> {
        self.weights.get(tenant)
    }

    pub(super) fn weigh(&mut self, known: &KnownRule) {
        if let Some(rule) = view::rule_of(self, known) {
            let tenant = known.parsed.tenant.to_string();
            self.weights.entry(tenant).or_default().put(&rule);
        }
    }

    pub(super) fn weigh_no_more(&mut self, known: &KnownRule) {
        let tenant = known.parsed.tenant.as_str();
        if let Some(weights) = self.weights.get_mut(tenant) {
            weights.remove(known.record.number);
            if weights.is_empty() {
                self.weights.remove(tenant);
            }
        }
    }

    /// The subnets of a network stand for it in rules: they came or went.
    pub(super) fn weigh_rules_about(&mut self, network: &str) {
        let about = members(&self.indexes.rules_by_peer, network);
        let about = about.filter_map(|key| self.rules.get(key));
        let about = about.filter(|rule| rule.parsed.peer_network.is_some());
        let about: Vec<KnownRule> = about.cloned().collect();
        for known in about {
            self.weigh(&known);
        }
    }
}
