//! Why a connection is allowed or denied, step by step.
//!
//! An explanation walks the rules as the reference evaluator does, but says of each why it did or
//! did not take part, and what the tables hold. It ends as the evaluator does: a property test
//! holds the last line to it.

mod miss;
mod text;

use std::net::IpAddr;

use contiv_datapath_abi::policy::{
    Action, Decision, Direction, Outcome, PolicyTables, Query, Verdict, evaluate,
};

use crate::{Placement, PolicyRule, TenantPolicy, Tier};
pub use miss::Miss;
use miss::why_not;
pub use text::Names;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// 0 for the host, the world, and endpoints outside any group.
    pub group: u32,
    pub address: IpAddr,
}

/// May this connection be opened?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub from: Party,
    pub to: Party,
    pub protocol: u8,
    /// As in [`Query::port`].
    pub port: u16,
}

impl Question {
    /// What is asked of the sender's, or of the receiver's side.
    pub fn query(&self, direction: Direction, root: u32) -> Query {
        let (own, peer) = match direction {
            Direction::In => (self.to, self.from),
            Direction::Out => (self.from, self.to),
        };
        Query {
            root,
            subject_group: own.group,
            own_address: mapped(own.address),
            direction,
            peer_group: peer.group,
            peer_address: mapped(peer.address),
            protocol: self.protocol,
            port: self.port,
        }
    }
}

pub(crate) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// Both sides of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub question: Question,
    pub sending: SideExplained,
    pub receiving: SideExplained,
}

impl Explanation {
    /// Both sides must allow.
    pub fn action(&self) -> Action {
        match (self.sending.verdict.action, self.receiving.verdict.action) {
            (Action::Allow, Action::Allow) => Action::Allow,
            _ => Action::Deny,
        }
    }

    /// What it would be if staged policies were enforced.
    pub fn staged_action(&self) -> Action {
        let staged = |side: &SideExplained| match side.verdict.staged {
            Some(outcome) => outcome.action,
            None => side.verdict.action,
        };
        match (staged(&self.sending), staged(&self.receiving)) {
            (Action::Allow, Action::Allow) => Action::Allow,
            _ => Action::Deny,
        }
    }

    /// Whether a host's tables say something else than the rules.
    pub fn disagrees(&self) -> bool {
        self.sending.disagrees() || self.receiving.disagrees()
    }
}

/// What one side says, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideExplained {
    pub query: Query,
    /// Every policy of the subject's group, in the order in which they are considered.
    pub tiers: Vec<TierExplained>,
    /// The group's own answer, asked when no tier decides.
    pub default: Outcome,
    pub verdict: Verdict,
    /// What the tables of the side's host say; absent where nobody asked them.
    pub tables: Option<Verdict>,
}

impl SideExplained {
    /// Whether the tables say something else than the rules.
    pub fn disagrees(&self) -> bool {
        self.tables.is_some_and(|tables| tables != self.verdict)
    }
}

/// The policies of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierExplained {
    pub tier: Tier,
    pub policies: Vec<PolicyExplained>,
}

/// A policy with its rules, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyExplained {
    pub name: String,
    pub place: Placement,
    pub rules: Vec<RuleExplained>,
}

/// A rule, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleExplained {
    pub number: u32,
    pub id: String,
    pub priority: u32,
    pub action: Action,
    pub part: Part,
}

/// The part that a rule has in a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It does not match.
    Missed(Miss),
    /// It matches and is the verdict.
    Decides,
    /// It matches and leaves the tier.
    Passes,
    /// It matches, and a stronger rule of its tier does too.
    ShadowedBy(u32),
    /// It matches, and an earlier tier has decided.
    NotReached(u32),
    /// It matches, is of a staged policy, and would be the verdict.
    WouldDecide,
    /// It matches, is of a staged policy, and would leave the tier.
    WouldPass,
    /// It matches, is of a staged policy, and would change nothing.
    WouldChangeNothing,
}

/// Explains both sides; `tables` are those of the sender's and of the receiver's host, with the
/// tenant's root in each.
pub fn explain<T: PolicyTables>(
    policy: &TenantPolicy,
    question: Question,
    tables: Option<(&T, u32)>,
) -> Explanation {
    explain_hosts(policy, question, tables, tables)
}

/// As [`explain`], with the tables of two hosts.
pub fn explain_hosts<T: PolicyTables>(
    policy: &TenantPolicy,
    question: Question,
    sender: Option<(&T, u32)>,
    receiver: Option<(&T, u32)>,
) -> Explanation {
    let side = |direction, tables: Option<(&T, u32)>| {
        let query = question.query(direction, tables.map_or(0, |(_, root)| root));
        let mut side = explain_side(policy, query);
        side.tables = tables.map(|(tables, _)| evaluate(tables, &query));
        side
    };
    Explanation {
        question,
        sending: side(Direction::Out, sender),
        receiving: side(Direction::In, receiver),
    }
}

/// Explains what one side says, without tables.
///
/// 1. Rules are put in order: tier, order of the policy, priority, action, number.
/// 2. In each tier the first that matches is the winner; staged ones are passed over.
/// 3. The same with staged ones is the staged verdict.
pub fn explain_side(policy: &TenantPolicy, query: Query) -> SideExplained {
    let none = std::collections::BTreeSet::new();
    let policies = match query.subject_group {
        0 => &none,
        group => policy.groups.get(&group).unwrap_or(&none),
    };
    let defaults = match query.subject_group {
        0 => crate::Defaults::default(),
        group => policy.defaults_of(group),
    };
    let (action, rule) = defaults.decide(query.direction);
    let default = Outcome { action, rule };
    let mut ordered: Vec<(Tier, u64, &PolicyRule, Option<Miss>)> = policy
        .rules
        .iter()
        .filter(|rule| policies.contains(&rule.policy))
        .map(|rule| {
            let place = policy.placement(&rule.policy);
            let rank = rank(rule, place.order);
            (place.tier, rank, &**rule, why_not(rule, &query))
        })
        .collect();
    ordered.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));

    let enforced = winners(policy, &ordered, false);
    let staged = winners(policy, &ordered, true);
    let outcome = |winners: &[(Tier, &PolicyRule)]| {
        winners
            .last()
            .map_or(default, |(_, rule)| match rule.action {
                Action::Pass => default,
                action => Outcome {
                    action,
                    rule: rule.number,
                },
            })
    };
    let (verdict, would_be) = (outcome(&enforced), outcome(&staged));
    let last = enforced
        .last()
        .filter(|(_, rule)| rule.number == verdict.rule);
    let verdict = Verdict {
        action: verdict.action,
        rule: verdict.rule,
        log: last.is_some_and(|(_, rule)| rule.log),
        keep: last.is_some_and(|(_, rule)| rule.keep_established && rule.action == Action::Allow),
        staged: (would_be != verdict).then_some(would_be),
    };

    let mut tiers: Vec<TierExplained> = Vec::new();
    for (tier, _, rule, miss) in ordered {
        let place = policy.placement(&rule.policy);
        let part = match miss {
            Some(miss) => Part::Missed(miss),
            None if place.staged => part_if_staged(rule, &staged),
            None => part(tier, rule, &enforced),
        };
        let explained = RuleExplained {
            number: rule.number,
            id: rule.id.clone(),
            priority: rule.priority,
            action: rule.action,
            part,
        };
        if tiers.last().is_none_or(|last| last.tier != tier) {
            let policies = Vec::new();
            tiers.push(TierExplained { tier, policies });
        }
        let Some(of_tier) = tiers.last_mut() else {
            continue;
        };
        // Policies of one order are one list of rules: each run of a policy's is told on its own.
        match of_tier.policies.last_mut() {
            Some(last) if last.name == rule.policy => last.rules.push(explained),
            _ => of_tier.policies.push(PolicyExplained {
                name: rule.policy.clone(),
                place,
                rules: vec![explained],
            }),
        }
    }
    SideExplained {
        query,
        tiers,
        default,
        verdict,
        tables: None,
    }
}

/// A rule's place in the order of its tier.
fn rank(rule: &PolicyRule, order: u16) -> u64 {
    let priority = u8::try_from(rule.priority).unwrap_or(u8::MAX);
    Decision::new(
        order.min(Decision::MAX_ORDER),
        priority,
        rule.action,
        rule.number,
    )
    .0
}

/// The winner of each tier, up to the first that does not pass.
fn winners<'a>(
    policy: &TenantPolicy,
    ordered: &[(Tier, u64, &'a PolicyRule, Option<Miss>)],
    with_staged: bool,
) -> Vec<(Tier, &'a PolicyRule)> {
    let mut winners: Vec<(Tier, &PolicyRule)> = Vec::new();
    for (tier, _, rule, miss) in ordered {
        let staged = policy.placement(&rule.policy).staged;
        if miss.is_some() || staged && !with_staged {
            continue;
        }
        if let Some((last, winner)) = winners.last()
            && (last == tier || winner.action != Action::Pass)
        {
            continue;
        }
        winners.push((*tier, rule));
    }
    winners
}

fn part(tier: Tier, rule: &PolicyRule, winners: &[(Tier, &PolicyRule)]) -> Part {
    match winners.iter().find(|(of, _)| *of == tier) {
        Some((_, winner)) if winner.number == rule.number => match rule.action {
            Action::Pass => Part::Passes,
            Action::Allow | Action::Deny => Part::Decides,
        },
        Some((_, winner)) => Part::ShadowedBy(winner.number),
        None => Part::NotReached(winners.last().map_or(0, |(_, winner)| winner.number)),
    }
}

fn part_if_staged(rule: &PolicyRule, winners: &[(Tier, &PolicyRule)]) -> Part {
    match winners
        .iter()
        .find(|(_, winner)| winner.number == rule.number)
    {
        Some((_, winner)) if winner.action == Action::Pass => Part::WouldPass,
        Some(_) => Part::WouldDecide,
        None => Part::WouldChangeNothing,
    }
}

#[cfg(test)]
mod tests;
