//! From rules to rule sets and profiles.
//!
//! 1. Groups with the same policies share their rules; each direction is a set.
//! 2. Rules that are limited to own addresses leave the set for one of their own
//!    per own prefix, which is judged beside it.
//! 3. The others are sorted by what they say of the peer: nothing, a group,
//!    addresses, or both. Nothing is combined across these four kinds; the greater
//!    decision wins when a packet is judged.
//! 4. Only prefixes that lie in each other are combined, since a look-up finds the
//!    longest alone: each takes over the rules of those around it.
//! 5. Of the rules that match the same packets of a profile, the winner is kept.
//!
//! So what is stored is about one entry per rule, direction, distinct combination
//! of policies, and prefix of the same set and kind inside the rule's own.

mod budget;
mod nested;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use contiv_datapath_abi::policy::{
    Decision, Direction, FIRST_RULE, ICMP, ICMPV6, Selector, TCP, UDP,
};

use crate::{
    CompiledPolicy, CompiledSet, GroupRules, Limits, PolicyError, PolicyRule, Prefix, Profile,
    TenantPolicy, prefixes_of,
};
use budget::Budget;
use nested::nested;

/// Compiles within the [`Limits`] of every tenant.
pub fn compile(policy: &TenantPolicy) -> Result<CompiledPolicy, PolicyError> {
    compile_within(policy, Limits::default())
}

/// Compiles a policy; the error names the first rule that does not fit.
pub fn compile_within(
    policy: &TenantPolicy,
    limits: Limits,
) -> Result<CompiledPolicy, PolicyError> {
    check_rules(&policy.rules)?;
    let mut compiler = Compiler {
        rules: BTreeMap::new(),
        budget: Budget::new(limits),
    };
    for rule in &policy.rules {
        compiler.rules.entry(&rule.policy).or_default().push(rule);
    }
    let mut by_policies: HashMap<&BTreeSet<String>, GroupRules> = HashMap::new();
    let mut groups = BTreeMap::new();
    for (&group, policies) in policy.groups.iter().filter(|(group, _)| **group != 0) {
        let rules = match by_policies.get(policies) {
            Some(rules) => rules.clone(),
            None => {
                let rules = compiler.group_rules(policies)?;
                by_policies.insert(policies, rules.clone());
                rules
            }
        };
        if !(rules.receiving.is_empty() && rules.sending.is_empty()) {
            groups.insert(group, rules);
        }
    }
    Ok(CompiledPolicy { groups })
}

fn check_rules(rules: &[PolicyRule]) -> Result<(), PolicyError> {
    let mut numbers = BTreeSet::new();
    for rule in rules {
        let (policy, id) = (rule.policy.clone(), rule.id.clone());
        if rule.number < FIRST_RULE || !numbers.insert(rule.number) {
            return Err(PolicyError::Number {
                policy,
                rule: id,
                number: rule.number,
            });
        }
        if rule.priority > u32::from(u8::MAX) {
            return Err(PolicyError::Priority {
                policy,
                rule: id,
                priority: rule.priority,
            });
        }
    }
    Ok(())
}

/// The decisions of the rules that a kind of peer meets, by what packets they match.
type Matches = BTreeMap<Selector, Decision>;

struct Compiler<'a> {
    /// By policy.
    rules: BTreeMap<&'a str, Vec<&'a PolicyRule>>,
    budget: Budget,
}

impl<'a> Compiler<'a> {
    fn group_rules(&mut self, policies: &BTreeSet<String>) -> Result<GroupRules, PolicyError> {
        let of_policy = |policy: &String| self.rules.get(policy.as_str());
        let (receiving, sending) = policies
            .iter()
            .filter_map(of_policy)
            .flatten()
            .partition::<Vec<&PolicyRule>, _>(|rule| rule.direction == Direction::In);
        Ok(GroupRules {
            receiving: Arc::new(self.set(receiving)?),
            sending: Arc::new(self.set(sending)?),
        })
    }

    /// A set with the sets for own addresses that belong to it.
    fn set(&mut self, rules: Vec<&'a PolicyRule>) -> Result<CompiledSet, PolicyError> {
        let (limited, others): (Vec<_>, Vec<_>) = rules
            .into_iter()
            .partition(|rule| !rule.own_addresses.is_empty());
        let mut by_prefix: BTreeMap<Prefix, Vec<&PolicyRule>> = BTreeMap::new();
        for rule in limited {
            for prefix in prefixes_of(&rule.own_addresses) {
                self.budget.prefix(rule)?;
                by_prefix.entry(prefix).or_default().push(rule);
            }
        }
        let mut set = self.set_for_peers(&others)?;
        let join = |around: &Vec<&'a PolicyRule>, own: &[&'a PolicyRule]| {
            Ok(around.iter().chain(own).copied().collect())
        };
        for (prefix, rules) in nested(by_prefix, join)? {
            set.own
                .insert(prefix, Arc::new(self.set_for_peers(&rules)?));
        }
        Ok(set)
    }

    /// A set of rules whose own addresses no longer matter.
    fn set_for_peers(&mut self, rules: &[&PolicyRule]) -> Result<CompiledSet, PolicyError> {
        let mut any = Matches::new();
        let mut groups: BTreeMap<u32, Matches> = BTreeMap::new();
        let mut prefixes: BTreeMap<u32, BTreeMap<Prefix, Vec<&PolicyRule>>> = BTreeMap::new();
        for &rule in rules {
            match (rule.peer_group, rule.peer_addresses.is_empty()) {
                (Some(0), _) => {}
                (None, true) => self.add(&mut any, rule)?,
                (Some(group), true) => {
                    if !groups.contains_key(&group) {
                        self.budget.peer_group(rule)?;
                    }
                    self.add(groups.entry(group).or_default(), rule)?;
                }
                (group, false) => {
                    let of_group = prefixes.entry(group.unwrap_or(0)).or_default();
                    for prefix in prefixes_of(&rule.peer_addresses) {
                        self.budget.prefix(rule)?;
                        of_group.entry(prefix).or_default().push(rule);
                    }
                }
            }
        }
        let mut set = CompiledSet {
            any: Profile::from_matches(&any).map(Arc::new),
            ..CompiledSet::default()
        };
        for (group, matches) in groups {
            if let Some(profile) = Profile::from_matches(&matches) {
                set.groups.insert(group, Arc::new(profile));
            }
        }
        for (group, prefixes) in prefixes {
            let join = |around: &Matches, own: &[&PolicyRule]| self.join(around, own);
            for (prefix, matches) in nested(prefixes, join)? {
                let profile = Profile::from_matches(&matches).map(Arc::new);
                set.prefixes.insert((group, prefix), profile);
            }
        }
        Ok(set)
    }

    /// What a prefix's own rules and those of the prefixes around it match.
    fn join(&mut self, around: &Matches, own: &[&PolicyRule]) -> Result<Matches, PolicyError> {
        if let Some(rule) = own.first() {
            self.budget.decisions(around.len(), rule)?;
        }
        let mut matches = around.clone();
        for rule in own {
            self.add(&mut matches, rule)?;
        }
        Ok(matches)
    }

    fn add(&mut self, matches: &mut Matches, rule: &PolicyRule) -> Result<(), PolicyError> {
        // check_rules has seen that the priority fits; saturation keeps the order anyway.
        let priority = u8::try_from(rule.priority).unwrap_or(u8::MAX);
        let decision = Decision::new(rule.order, priority, rule.action, rule.number);
        for selector in selectors(rule) {
            self.budget.decisions(1, rule)?;
            let winner = matches.entry(selector).or_insert(decision);
            *winner = decision.max(*winner);
        }
        Ok(())
    }
}

/// The packets that a rule is about; none for a port of a protocol that has no ports.
fn selectors(rule: &PolicyRule) -> Vec<Selector> {
    match (rule.protocol, rule.port) {
        (None, None) => vec![Selector::ALL],
        (Some(ICMP), None) => vec![Selector::protocol(ICMP), Selector::protocol(ICMPV6)],
        (Some(protocol), None) => vec![Selector::protocol(protocol)],
        (None, Some(port)) => vec![Selector::port(TCP, port), Selector::port(UDP, port)],
        (Some(protocol @ (TCP | UDP)), Some(port)) => vec![Selector::port(protocol, port)],
        (Some(_), Some(_)) => vec![],
    }
}

#[cfg(test)]
mod tests;
