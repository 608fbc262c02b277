//! An explained side as a document.

use contiv_model::agent::LAST_ORDER;
use contiv_model::reach::{TraceOutcome, TracePolicy, TraceRule, TraceSide, TraceTier};
use contiv_policy::{
    Action, Direction, Outcome, Part, PolicyExplained, RuleExplained, SideExplained, Tier,
};

use super::said::Said;

pub(super) fn side(said: &Said, explained: &SideExplained) -> TraceSide {
    let group = explained.query.subject_group;
    let tier = |tier: &contiv_policy::TierExplained| TraceTier {
        tier: match tier.tier {
            Tier::Admin => "admin",
            Tier::Normal => "normal",
            Tier::Baseline => "baseline",
        }
        .to_owned(),
        policies: tier.policies.iter().map(|p| policy(said, p)).collect(),
    };
    TraceSide {
        direction: match explained.query.direction {
            Direction::In => "in",
            Direction::Out => "out",
        }
        .to_owned(),
        group_name: match group {
            0 => String::new(),
            group => said.names.group(group),
        },
        tiers: explained.tiers.iter().map(tier).collect(),
        outcome: outcome(said, explained.verdict.outcome()),
        staged: explained.verdict.staged.map(|staged| outcome(said, staged)),
    }
}

pub(super) fn outcome(said: &Said, Outcome { action, rule }: Outcome) -> TraceOutcome {
    TraceOutcome {
        action: word(action).to_owned(),
        rule,
        by: said.rule(rule),
    }
}

pub(super) fn word(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        Action::Pass => "pass",
    }
}

fn policy(said: &Said, explained: &PolicyExplained) -> TracePolicy {
    TracePolicy {
        policy_name: explained.name.clone(),
        // As users write it: the lower is asked first.
        order: LAST_ORDER.saturating_sub(explained.place.order),
        staged: explained.place.staged,
        rules: explained.rules.iter().map(|r| rule(said, r)).collect(),
    }
}

fn rule(said: &Said, explained: &RuleExplained) -> TraceRule {
    TraceRule {
        rule_id: explained.id.clone(),
        number: explained.number,
        priority: explained.priority,
        action: word(explained.action).to_owned(),
        matches: !matches!(explained.part, Part::Missed(_)),
        decides: explained.part == Part::Decides,
        why: said.names.why(explained.part),
    }
}
