//! One tenant's compiled policy, kept from build to build.
//!
//! 1. Rules that came, went or changed are found by comparing them.
//! 2. A group has a combination of policies per tier, one without and one with its staged
//!    policies; each combination and direction is a rule set, shared by all groups that have it.
//! 3. Rule sets take the rules that changed, and settle what those touch.
//! 4. Each group's rows name its sets.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use contiv_datapath_abi::policy::{
    Action, Decision, Direction, FIRST_RULE, Root, RuleSet, Subject, SubjectKey,
};

use crate::numbers::Numbers;
use crate::rule_set::KeptSet;
use crate::terms::Term;
use crate::writer::Writer;
use crate::{Limits, PolicyError, TenantPolicy, Tier};

/// The rows of a tenant, and all that is needed to change them.
#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) root: Root,
    pub(crate) writer: Writer,
    /// By number; the flag says whether the policy at hand has it.
    terms: HashMap<u32, (Arc<Term>, bool)>,
    sets: BTreeMap<(Combination, Direction), SetOfRules>,
    subjects: BTreeSet<SubjectKey>,
}

/// Policies of one tier that groups have together.
type Combination = Vec<String>;

#[derive(Debug)]
struct SetOfRules {
    set: KeptSet,
    entered: RuleSet,
}

/// Rules by policy and direction.
type Terms<'a> = BTreeMap<(&'a str, Direction), Vec<&'a Arc<Term>>>;

impl Lineage {
    pub(crate) fn new(numbers: &mut Numbers, limits: Limits) -> Lineage {
        let mut writer = Writer::within(limits);
        std::mem::swap(&mut writer.numbers.host, numbers);
        let lineage = writer.numbers.take();
        std::mem::swap(&mut writer.numbers.host, numbers);
        Lineage {
            root: Root { lineage, side: 0 },
            writer,
            terms: HashMap::new(),
            sets: BTreeMap::new(),
            subjects: BTreeSet::new(),
        }
    }

    /// Makes the rows those of this policy, which has passed [`check`]. After an error they are in between, and of no use
    /// but to be deleted.
    pub(crate) fn become_this(
        &mut self,
        policy: &TenantPolicy,
        numbers: &mut Numbers,
    ) -> Result<(), PolicyError> {
        std::mem::swap(&mut self.writer.numbers.host, numbers);
        let done = self.change(policy);
        std::mem::swap(&mut self.writer.numbers.host, numbers);
        done
    }

    fn change(&mut self, policy: &TenantPolicy) -> Result<(), PolicyError> {
        let (gone, new) = self.compare(policy);
        let (gone, new) = (by_policy(gone.iter()), by_policy(new.iter()));

        let tiers = tiers_of_groups(policy);
        let combinations = tiers.values().flatten().map(|(_, names)| names);
        let wanted: BTreeSet<(&Combination, Direction)> = combinations
            .filter(|names| !names.is_empty())
            .flat_map(|names| [(names, Direction::In), (names, Direction::Out)])
            .collect();
        for (_, mut unused) in self.sets.extract_if(.., |(names, direction), _| {
            !wanted.contains(&(names, *direction))
        }) {
            unused.set.clear(&mut self.writer);
        }
        let fresh = wanted
            .iter()
            .any(|(names, direction)| !self.sets.contains_key(&((*names).clone(), *direction)));
        let all: Vec<Arc<Term>> = if fresh {
            self.terms
                .values()
                .map(|(term, _)| Arc::clone(term))
                .collect()
        } else {
            Vec::new()
        };
        let mut all = by_policy(all.iter());
        for terms in all.values_mut() {
            // Not in the order of a hash map.
            terms.sort_unstable_by_key(|term| term.rule.number);
        }
        for (names, direction) in wanted {
            let of = |terms: &Terms<'_>| -> Vec<Arc<Term>> {
                let lists = names
                    .iter()
                    .filter_map(|name| terms.get(&(name.as_str(), direction)));
                lists.flatten().map(|term| Arc::clone(term)).collect()
            };
            let key = (names.clone(), direction);
            match self.sets.get_mut(&key) {
                Some(rules) => {
                    let (gone, new) = (of(&gone), of(&new));
                    if gone.is_empty() && new.is_empty() {
                        continue;
                    }
                    for term in &gone {
                        rules.set.remove(term);
                    }
                    for term in &new {
                        rules.set.add(term);
                    }
                    rules.entered = rules.set.settle(&mut self.writer)?;
                }
                None => {
                    let mut set = KeptSet::new(self.writer.numbers.take());
                    for term in &of(&all) {
                        set.add(term);
                    }
                    let entered = set.settle(&mut self.writer)?;
                    self.sets.insert(key, SetOfRules { set, entered });
                }
            }
        }
        self.enter_groups(policy, &tiers);
        Ok(())
    }

    /// The terms that the policy has no more, and those that it has in addition.
    fn compare(&mut self, policy: &TenantPolicy) -> (Vec<Arc<Term>>, Vec<Arc<Term>>) {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for rule in &policy.rules {
            let order = policy.placement(&rule.policy).order;
            let known = self.terms.get_mut(&rule.number);
            if let Some((term, seen)) = known {
                let same = Arc::ptr_eq(&term.rule, rule) || term.rule == *rule;
                if same && term.order == order {
                    *seen = true;
                    continue;
                }
                gone.push(Arc::clone(term));
            }
            let term = Arc::new(Term::new(rule, order));
            self.terms.insert(rule.number, (Arc::clone(&term), true));
            new.push(term);
        }
        self.terms.retain(|_, (term, seen)| {
            if !*seen {
                gone.push(Arc::clone(term));
            }
            std::mem::take(seen)
        });
        gone.sort_unstable_by_key(|term| term.rule.number);
        (gone, new)
    }

    fn enter_groups(
        &mut self,
        policy: &TenantPolicy,
        tiers: &BTreeMap<u32, Vec<(u32, Combination)>>,
    ) {
        let mut subjects = BTreeSet::new();
        for (&group, tiers) in tiers {
            let defaults = policy.defaults_of(group);
            let direction = |direction, default: Action| {
                let flags = flags(tiers, default);
                move |lineage: &Lineage, tier: u32, names: &Combination| {
                    let mut rules = lineage
                        .sets
                        .get(&(names.clone(), direction))
                        .map_or(RuleSet::default(), |rules| rules.entered);
                    match tier {
                        SubjectKey::NORMAL => rules.kinds |= flags.0,
                        STAGED_NORMAL => rules.kinds |= flags.1,
                        _ => {}
                    }
                    rules
                }
            };
            let receiving = direction(Direction::In, defaults.receiving);
            let sending = direction(Direction::Out, defaults.sending);
            for (tier, names) in tiers {
                let subject = Subject {
                    receiving: receiving(self, *tier, names),
                    sending: sending(self, *tier, names),
                };
                if subject == Subject::default() {
                    continue;
                }
                let key = SubjectKey {
                    lineage: self.root.lineage,
                    group,
                    tier: *tier,
                };
                self.writer.tables.subjects.put(key, subject);
                subjects.insert(key);
            }
        }
        for key in std::mem::replace(&mut self.subjects, subjects) {
            if !self.subjects.contains(&key) {
                self.writer.tables.subjects.remove(key);
            }
        }
    }

    /// Whether the policy has anything to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }
}

const STAGED_NORMAL: u32 = SubjectKey::NORMAL | SubjectKey::STAGED;

/// For each group its tiers, as numbered in keys, with the policies that it has in each. The
/// normal tier is there always; those with staged policies only if there are any.
fn tiers_of_groups(policy: &TenantPolicy) -> BTreeMap<u32, Vec<(u32, Combination)>> {
    let none = BTreeSet::new();
    let numbers = policy.groups.keys().chain(policy.defaults.keys());
    let groups: BTreeSet<u32> = numbers.copied().filter(|group| *group != 0).collect();
    let mut known: HashMap<&BTreeSet<String>, Vec<(u32, Combination)>> = HashMap::new();
    let mut of_group = |group: u32| {
        let policies = policy.groups.get(&group).unwrap_or(&none);
        let tiers = known
            .entry(policies)
            .or_insert_with(|| tiers_of(policy, policies));
        (group, tiers.clone())
    };
    groups.into_iter().map(&mut of_group).collect()
}

fn tiers_of(policy: &TenantPolicy, policies: &BTreeSet<String>) -> Vec<(u32, Combination)> {
    let places = policies
        .iter()
        .map(|name| (name, policy.placement(name)))
        .collect::<Vec<_>>();
    let in_tier = |tier: Tier, with_staged: bool| -> Combination {
        places
            .iter()
            .filter(|(_, place)| place.tier == tier && (with_staged || !place.staged))
            .map(|(name, _)| (*name).clone())
            .collect()
    };
    let staged = places.iter().any(|(_, place)| place.staged);
    let mut tiers = Vec::new();
    for (with_staged, bit) in [(false, 0), (true, SubjectKey::STAGED)] {
        for tier in Tier::ALL {
            let names = in_tier(tier, with_staged);
            if (staged || !with_staged) && (tier == Tier::Normal || !names.is_empty()) {
                tiers.push((tier.number() | bit, names));
            }
        }
    }
    tiers
}

/// What the set of the normal tier says beyond its rules: without and with staged policies.
fn flags(tiers: &[(u32, Combination)], default: Action) -> (u32, u32) {
    let has = |tier: u32, flag: u32| {
        let found = tiers.iter().any(|(number, _)| *number == tier);
        if found { flag } else { 0 }
    };
    let default = match default {
        Action::Deny => RuleSet::DEFAULT_DENY,
        Action::Allow | Action::Pass => 0,
    };
    let of = |bit: u32| {
        default
            | has(SubjectKey::ADMIN | bit, RuleSet::ADMIN)
            | has(SubjectKey::BASELINE | bit, RuleSet::BASELINE)
    };
    (
        of(0) | has(STAGED_NORMAL, RuleSet::STAGED),
        of(SubjectKey::STAGED),
    )
}

fn by_policy<'a>(terms: impl Iterator<Item = &'a Arc<Term>>) -> Terms<'a> {
    let mut sorted = Terms::new();
    for term in terms {
        let key = (term.rule.policy.as_str(), term.rule.direction);
        sorted.entry(key).or_default().push(term);
    }
    sorted
}

/// Refuses what no table has room for, whatever else there is.
pub(crate) fn check(policy: &TenantPolicy) -> Result<(), PolicyError> {
    if let Some(&group) = policy.groups.keys().find(|group| **group > 0xffff) {
        return Err(PolicyError::Group { group });
    }
    let too_high = |(_, place): &(&String, &crate::Placement)| place.order > Decision::MAX_ORDER;
    if let Some((policy, place)) = policy.policies.iter().find(too_high) {
        return Err(PolicyError::Order {
            policy: policy.clone(),
            order: place.order,
        });
    }
    let mut numbers = HashSet::with_capacity(policy.rules.len());
    for rule in &policy.rules {
        if rule.number < FIRST_RULE || !numbers.insert(rule.number) {
            return Err(PolicyError::Number {
                policy: rule.policy.clone(),
                rule: rule.id.clone(),
                number: rule.number,
            });
        }
        if rule.priority > u32::from(u8::MAX) {
            return Err(PolicyError::Priority {
                policy: rule.policy.clone(),
                rule: rule.id.clone(),
                priority: rule.priority,
            });
        }
    }
    Ok(())
}
