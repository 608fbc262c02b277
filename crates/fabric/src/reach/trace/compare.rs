//! What hosts' tables hold, beside what they should.

use contiv_model::agent::{self, OpeningAnswer, TableVerdict};
use contiv_model::reach::{TableSays, Unanswered};
use contiv_policy::{Action, Outcome, Query, Verdict};

use super::{Ask, Part, Tracing};
use crate::reach::side::outcome;

/// A host's answer, or why there is none.
pub type Heard = Result<OpeningAnswer, String>;

impl Tracing {
    /// Takes what a host says; the answer tells whether it is as it should be.
    pub fn compare(&mut self, ask: &Ask, heard: &Heard) -> bool {
        let answer = match heard {
            Ok(answer) => answer,
            Err(reason) => {
                let unanswered = Unanswered {
                    host: ask.host.clone(),
                    reason: reason.clone(),
                };
                if !self.document.unanswered.contains(&unanswered) {
                    self.document.unanswered.push(unanswered);
                }
                return true;
            }
        };
        let agrees = self.agrees(ask, answer);
        let says = TableSays {
            host: ask.host.clone(),
            applied: answer.applied.to_string(),
            agrees,
            says: self.told(ask, answer),
        };
        let case = &mut self.document.cases[ask.case];
        case.tables.push(says);
        case.disagrees |= !agrees;
        self.document.disagrees |= !agrees;
        agrees
    }

    /// Whether a host's tables hold what they should, as far as they have a say.
    pub fn agrees(&self, ask: &Ask, answer: &OpeningAnswer) -> bool {
        let course = &self.courses[ask.case];
        let way = match course.way {
            Ok(_) => answer.reason.is_empty(),
            Err(reason) => answer.reason == reason.name(),
        };
        let sending = same(course.sending.as_ref(), answer.sending.as_ref());
        let receiving = same(course.receiving.as_ref(), answer.receiving.as_ref());
        match ask.part {
            Part::Whole => way && sending && receiving,
            // A host without a way to the other one says nothing of policies.
            Part::Sending => way && (sending || course.way.is_err()),
            Part::Receiving => receiving || course.way.is_err(),
            Part::Policies => sending && receiving,
        }
    }

    fn told(&self, ask: &Ask, answer: &OpeningAnswer) -> String {
        let mut parts = Vec::new();
        if !answer.reason.is_empty() {
            parts.push(format!("dropped, {}", answer.reason));
        }
        let sides = [
            ("sending", &answer.sending, ask.part != Part::Receiving),
            ("receiving", &answer.receiving, ask.part != Part::Sending),
        ];
        for (name, verdict, has_say) in sides {
            let Some(verdict) = verdict.as_ref().filter(|_| has_say) else {
                continue;
            };
            let told = outcome(&self.said, table_outcome(verdict.action, verdict.rule));
            let group = self.said.names.group(verdict.group);
            let peer = self.said.names.group(verdict.peer_group);
            let mut text = format!(
                "{name} {} by {}, of {group} with peer in {peer}",
                told.action, told.by
            );
            if let Some(staged) = verdict.staged {
                let told = outcome(&self.said, table_outcome(staged.action, staged.rule));
                text.push_str(&format!(", staged {} by {}", told.action, told.by));
            }
            parts.push(text);
        }
        match parts.is_empty() {
            true => "no policy is asked".to_owned(),
            false => parts.join("; "),
        }
    }
}

fn same(expected: Option<&(Query, Verdict)>, found: Option<&TableVerdict>) -> bool {
    let (Some((query, verdict)), Some(found)) = (expected, found) else {
        return expected.is_none() == found.is_none();
    };
    let staged = found
        .staged
        .map(|staged| table_outcome(staged.action, staged.rule));
    let outcome = table_outcome(found.action, found.rule);
    outcome == verdict.outcome()
        && staged == verdict.staged
        && (found.log, found.keep) == (verdict.log, verdict.keep)
        && (found.group, found.peer_group) == (query.subject_group, query.peer_group)
}

fn table_outcome(action: agent::Action, rule: u32) -> Outcome {
    let action = match action {
        agent::Action::Allow => Action::Allow,
        agent::Action::Deny => Action::Deny,
        agent::Action::Pass => Action::Pass,
    };
    Outcome { action, rule }
}
