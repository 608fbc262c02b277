//! How large a tenant's policy is at most, kept rule by rule.
//!
//! Whether a policy fits its [`Limits`] is for the compiler to say, which takes as long as a first
//! build. [`Weights`] says so much faster for all but the largest: a bound that a rule changes by what
//! it names, and that is never below what the compiler counts.
//!
//! 1. A rule is one entry per block of ports, in each rule set that has it.
//! 2. One that names addresses has its entries at each of its prefixes, and at each prefix within
//!    those that other rules of the tenant name, whichever set and layer they are in.
//! 3. One that is limited to own addresses is in as many sets as the tenant has own prefixes.
//! 4. A set of policies that groups have together has a rule set per tier, and with staged policies
//!    in it another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::prefix::prefixes_of;
use crate::terms::Term;
use crate::{Limits, PolicyRule, Prefix};

/// A bound for the size of what a tenant's rules are compiled to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// By the rules' numbers.
    rules: BTreeMap<u32, Load>,
    policies: BTreeMap<String, Sums>,
    /// Every peer prefix that a rule names.
    places: BTreeMap<Prefix, Place>,
    /// Every own prefix, with how many rules name it.
    own: BTreeMap<Prefix, usize>,
}

/// What of a rule counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Load {
    policy: String,
    selectors: u64,
    group: bool,
    peers: Option<BTreeSet<Prefix>>,
    own: BTreeSet<Prefix>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    rules: usize,
    /// Blocks of ports of the rules that name it, by policy and kind.
    selectors: BTreeMap<(String, Kind), u64>,
}

/// Whether rules are limited to own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Any,
    Own,
}

/// The rules of one policy, added up by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    any: Counts,
    own: Counts,
    /// Own prefixes that its rules name.
    own_prefixes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    rules: u64,
    decisions: u64,
    prefixes: u64,
    groups: u64,
}

impl Weights {
    /// Takes a rule, in place of the one of its number.
    pub fn put(&mut self, rule: &PolicyRule) {
        self.remove(rule.number);
        let load = Load::of(rule);
        let kind = load.kind();
        for prefix in load.peers.iter().flatten() {
            let known = self.places.contains_key(prefix);
            if !known {
                self.repeat(*prefix, u64::saturating_add);
            }
            let place = self.places.entry(*prefix).or_default();
            place.rules += 1;
            let name = (load.policy.clone(), kind);
            *place.selectors.entry(name).or_default() += load.selectors;
            let inside = self.inside(*prefix);
            self.counts(&load.policy, kind).decisions += load.selectors * inside;
        }
        for prefix in &load.own {
            *self.own.entry(*prefix).or_default() += 1;
        }
        let sums = self.policies.entry(load.policy.clone()).or_default();
        sums.own_prefixes += load.own.len() as u64;
        sums.of(kind).add(&load.alone());
        self.rules.insert(rule.number, load);
    }

    /// Takes a rule out.
    pub fn remove(&mut self, number: u32) {
        let Some(load) = self.rules.remove(&number) else {
            return;
        };
        let kind = load.kind();
        for prefix in load.peers.iter().flatten().rev() {
            let inside = self.inside(*prefix);
            self.counts(&load.policy, kind).decisions -= load.selectors * inside;
            if let Some(place) = self.places.get_mut(prefix) {
                place.rules -= 1;
                let name = (load.policy.clone(), kind);
                let selectors = place.selectors.entry(name.clone()).or_default();
                *selectors -= load.selectors;
                if *selectors == 0 {
                    place.selectors.remove(&name);
                }
                if place.rules == 0 {
                    self.places.remove(prefix);
                    self.repeat(*prefix, |sum, one| sum - one);
                }
            }
        }
        for prefix in &load.own {
            if let Some(rules) = self.own.get_mut(prefix) {
                *rules -= 1;
                if *rules == 0 {
                    self.own.remove(prefix);
                }
            }
        }
        if let Some(sums) = self.policies.get_mut(&load.policy) {
            sums.own_prefixes -= load.own.len() as u64;
            sums.of(kind).subtract(&load.alone());
            if *sums == Sums::default() {
                self.policies.remove(&load.policy);
            }
        }
    }

    /// Whether no rule is known.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the compiler surely takes the policy that these rules are, with `more` put beside them.
    /// `sets` are those of the policies that some group has, `staged` those that are not enforced.
    /// When it is false, [`compile`](crate::compile) says.
    pub fn surely_fit(
        &self,
        more: &[PolicyRule],
        sets: &BTreeSet<BTreeSet<&str>>,
        staged: impl Fn(&str) -> bool,
        limits: Limits,
    ) -> bool {
        let mut policies = self.policies.clone();
        let own = self.add(more, &mut policies);
        let mut sum = Counts::default();
        for set in sets {
            let times = if set.iter().any(|name| staged(name)) {
                2
            } else {
                1
            };
            for name in set {
                if let Some(sums) = policies.get(*name) {
                    sum.add(&sums.within(own).times(times));
                }
            }
        }
        let within = |sum: u64, limit: usize| usize::try_from(sum).is_ok_and(|sum| sum <= limit);
        within(sum.decisions, limits.decisions)
            && within(sum.prefixes, limits.prefixes)
            && within(sum.groups, limits.peer_groups)
    }

    /// Adds to the sums of policies what further rules bring; says how many own prefixes there are
    /// then. What the new rules name is taken to lie within each other.
    fn add(&self, more: &[PolicyRule], policies: &mut BTreeMap<String, Sums>) -> u64 {
        let loads: Vec<Load> = more.iter().map(Load::of).collect();
        let peers = loads.iter().filter_map(|load| load.peers.as_ref());
        let places: BTreeSet<Prefix> = peers.flatten().copied().collect();
        for load in &loads {
            let kind = load.kind();
            let sums = policies.entry(load.policy.clone()).or_default();
            sums.own_prefixes += load.own.len() as u64;
            let counts = sums.of(kind);
            counts.add(&load.alone());
            for prefix in load.peers.iter().flatten() {
                let inside = self.inside(*prefix) + places.len() as u64;
                counts.decisions += load.selectors * inside;
            }
        }
        for prefix in places.iter().filter(|p| !self.places.contains_key(p)) {
            for ((policy, kind), selectors) in self.around(*prefix) {
                let sums = policies.entry(policy.clone()).or_default();
                sums.of(*kind).decisions += *selectors;
            }
        }
        let own: BTreeSet<&Prefix> = loads.iter().flat_map(|load| &load.own).collect();
        let new = own.into_iter().filter(|p| !self.own.contains_key(p));
        (self.own.len() + new.count()) as u64
    }

    /// How many places lie within a prefix, with its own.
    fn inside(&self, prefix: Prefix) -> u64 {
        self.places.range(prefix..=prefix.last_within()).count() as u64
    }

    /// What the places around a prefix repeat at it.
    fn around(&self, prefix: Prefix) -> impl Iterator<Item = (&(String, Kind), &u64)> {
        (0..prefix.bits())
            .filter_map(move |bits| self.places.get(&prefix.shortened(bits)))
            .flat_map(|place| &place.selectors)
    }

    /// Counts, or no longer, what the places around a prefix repeat at it.
    fn repeat(&mut self, prefix: Prefix, change: impl Fn(u64, u64) -> u64) {
        let around: Vec<((String, Kind), u64)> = self
            .around(prefix)
            .map(|(name, selectors)| (name.clone(), *selectors))
            .collect();
        for ((policy, kind), selectors) in around {
            let counts = self.counts(&policy, kind);
            counts.decisions = change(counts.decisions, selectors);
        }
    }

    fn counts(&mut self, policy: &str, kind: Kind) -> &mut Counts {
        self.policies.entry(policy.to_owned()).or_default().of(kind)
    }
}

impl Load {
    fn of(rule: &PolicyRule) -> Load {
        let term = Term::new(&Arc::new(rule.clone()), 0);
        let nothing = Load {
            policy: rule.policy.clone(),
            selectors: 0,
            group: false,
            peers: None,
            own: BTreeSet::new(),
        };
        if term.selectors.is_empty() {
            return nothing; // The compiler leaves it out.
        }
        Load {
            selectors: term.selectors.len() as u64,
            group: rule.peer_group.is_some(),
            peers: term
                .peer_prefixes()
                .map(|found| found.into_iter().collect()),
            own: prefixes_of(&rule.own_addresses),
            ..nothing
        }
    }

    fn kind(&self) -> Kind {
        if self.own.is_empty() {
            Kind::Any
        } else {
            Kind::Own
        }
    }

    /// What it counts whatever other rules name.
    fn alone(&self) -> Counts {
        let prefixes = self.peers.as_ref().map(BTreeSet::len);
        Counts {
            rules: 1,
            decisions: if prefixes.is_none() {
                self.selectors
            } else {
                0
            },
            prefixes: prefixes.unwrap_or(0) as u64,
            groups: u64::from(self.group && prefixes.is_none()),
        }
    }
}

impl Sums {
    fn of(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Any => &mut self.any,
            Kind::Own => &mut self.own,
        }
    }

    /// With each rule for own addresses in as many sets as there are own prefixes.
    fn within(&self, own: u64) -> Counts {
        let mut counts = self.any;
        counts.add(&self.own.times(own));
        counts.prefixes = counts.prefixes.saturating_add(self.own_prefixes);
        counts
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.rules = self.rules.saturating_add(other.rules);
        self.decisions = self.decisions.saturating_add(other.decisions);
        self.prefixes = self.prefixes.saturating_add(other.prefixes);
        self.groups = self.groups.saturating_add(other.groups);
    }

    fn subtract(&mut self, other: &Counts) {
        self.rules -= other.rules;
        self.decisions -= other.decisions;
        self.prefixes -= other.prefixes;
        self.groups -= other.groups;
    }

    fn times(&self, times: u64) -> Counts {
        Counts {
            rules: self.rules.saturating_mul(times),
            decisions: self.decisions.saturating_mul(times),
            prefixes: self.prefixes.saturating_mul(times),
            groups: self.groups.saturating_mul(times),
        }
    }
}

#[cfg(test)]
mod tests;
