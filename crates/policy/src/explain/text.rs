//! Explanations for people.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use contiv_datapath_abi::policy::{
    Action, Direction, ICMP, ICMPV6, Outcome, RULE_DEFAULT, RULE_DEFAULT_DENY_IN,
    RULE_DEFAULT_DENY_OUT, TCP, UDP, Verdict,
};

use super::{Explanation, Miss, Part, Party, Question, RuleExplained, SideExplained};
use crate::{TenantPolicy, Tier};

/// What people call what a policy knows by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub groups: BTreeMap<u32, String>,
    /// `policy:rule`, by the rule's number.
    pub rules: BTreeMap<u32, String>,
}

impl Names {
    /// Names for the rules of a policy; groups are called by these.
    pub fn new(policy: &TenantPolicy, groups: BTreeMap<u32, String>) -> Names {
        let rules = policy.rules.iter();
        let rules = rules.map(|rule| (rule.number, format!("{}:{}", rule.policy, rule.id)));
        Names {
            groups,
            rules: rules.collect(),
        }
    }

    /// A group by its name, or by its number.
    pub fn group(&self, number: u32) -> String {
        match self.groups.get(&number) {
            Some(name) => name.clone(),
            None if number == 0 => "no group".to_owned(),
            None => format!("group {number}"),
        }
    }

    /// A rule by its name, or what a built-in one means.
    pub fn rule(&self, number: u32) -> String {
        match (number, self.rules.get(&number)) {
            (_, Some(name)) => format!("{name} (rule {number})"),
            (RULE_DEFAULT, _) => "default: nothing matched (rule 1)".to_owned(),
            (RULE_DEFAULT_DENY_IN | RULE_DEFAULT_DENY_OUT, _) => {
                format!("the group's default action (rule {number})")
            }
            _ => format!("rule {number}"),
        }
    }

    /// The whole explanation, a line a step; the last one is the verdict.
    pub fn tell(&self, explanation: &Explanation) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        self.write(&mut text, explanation).ok();
        text
    }

    fn write(&self, text: &mut String, explanation: &Explanation) -> fmt::Result {
        let Question { from, to, .. } = &explanation.question;
        let packets = Packets(&explanation.question);
        writeln!(
            text,
            "{} -> {}, {packets}",
            self.party(from),
            self.party(to)
        )?;
        for side in [&explanation.sending, &explanation.receiving] {
            self.write_side(text, side)?;
        }
        if explanation.disagrees() {
            writeln!(
                text,
                "!!! THE TABLES OF A HOST SAY SOMETHING ELSE THAN THE RULES !!!"
            )?;
        }
        if explanation.staged_action() != explanation.action() {
            let action = Word(explanation.staged_action());
            writeln!(text, "with staged policies in force: {action}")?;
        }
        writeln!(text, "verdict: {}", Word(explanation.action()))
    }

    fn write_side(&self, text: &mut String, side: &SideExplained) -> fmt::Result {
        let group = self.group(side.query.subject_group);
        let direction = match side.query.direction {
            Direction::In => "receiver, rules of direction in",
            Direction::Out => "sender, rules of direction out",
        };
        writeln!(text, "{direction}: {group}")?;
        for tier in &side.tiers {
            let name = match tier.tier {
                Tier::Admin => "admin",
                Tier::Normal => "normal",
                Tier::Baseline => "baseline",
            };
            writeln!(text, "  tier {name}")?;
            for policy in &tier.policies {
                let staged = if policy.place.staged { ", staged" } else { "" };
                writeln!(
                    text,
                    "    policy {}, order {}{staged}",
                    policy.name, policy.place.order
                )?;
                for rule in &policy.rules {
                    writeln!(text, "      {}", self.part(rule))?;
                }
            }
        }
        let Verdict { staged, .. } = side.verdict;
        writeln!(text, "  => {}", self.outcome(side.verdict.outcome()))?;
        if let Some(staged) = staged {
            writeln!(text, "  => staged: {}", self.outcome(staged))?;
        }
        if let Some(tables) = side.tables.filter(|_| side.disagrees()) {
            writeln!(text, "  !!! tables: {}", self.outcome(tables.outcome()))?;
        }
        Ok(())
    }

    /// What became of a rule, and why.
    pub fn why(&self, part: Part) -> String {
        match part {
            Part::Decides => "matches and decides".to_owned(),
            Part::Passes => "matches and passes to the next tier".to_owned(),
            Part::ShadowedBy(by) => format!("matches, shadowed by {}", self.rule(by)),
            Part::NotReached(by) => format!("matches, but {} has decided", self.rule(by)),
            Part::WouldDecide => "matches and would decide".to_owned(),
            Part::WouldPass => "matches and would pass to the next tier".to_owned(),
            Part::WouldChangeNothing => "matches and would change nothing".to_owned(),
            Part::Missed(miss) => format!("no: {miss}"),
        }
    }

    fn part(&self, rule: &RuleExplained) -> String {
        let what = self.why(rule.part);
        let (id, priority, action) = (&rule.id, rule.priority, Word(rule.action));
        format!("{id}: {action}, priority {priority}: {what}")
    }

    fn outcome(&self, outcome: Outcome) -> String {
        format!("{} by {}", Word(outcome.action), self.rule(outcome.rule))
    }

    fn party(&self, party: &Party) -> String {
        format!("{} ({})", party.address, self.group(party.group))
    }
}

impl Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Miss::Direction => "the other direction",
            Miss::Protocol => "another protocol",
            Miss::Port => "another port",
            Miss::NoPorts => "the protocol has no ports",
            Miss::IcmpMessage => "another ICMP message",
            Miss::PeerGroup => "another peer group",
            Miss::UnknownGroup => "its peer group does not exist",
            Miss::PeerAddress => "another peer address",
            Miss::Excepted => "the peer's address is an exception",
            Miss::Family => "addresses of the other family",
            Miss::OwnAddress => "another address of the group's side",
        })
    }
}

/// An action as rules say it.
pub(crate) struct Word(pub(crate) Action);

impl Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Pass => "pass",
        })
    }
}

struct Packets<'a>(&'a Question);

impl Display for Packets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { protocol, port, .. } = self.0;
        let [kind, code] = port.to_be_bytes();
        match *protocol {
            TCP => write!(f, "tcp port {port}"),
            UDP => write!(f, "udp port {port}"),
            ICMP => write!(f, "icmp type {kind} code {code}"),
            ICMPV6 => write!(f, "icmpv6 type {kind} code {code}"),
            other => write!(f, "protocol {other}"),
        }
    }
}
