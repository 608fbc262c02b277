//! What the kernel's tables say about a connection that begins, as a message.

use contiv_model::agent::{
    Action as WireAction, OpeningAnswer, OpeningQuestion, TableOutcome, TableVerdict,
};
use contiv_policy::{Action, Beginning, Course, Query, Verdict};

/// The connection that is meant.
pub(crate) fn beginning(question: &OpeningQuestion) -> Beginning {
    Beginning {
        tenant: question.tenant,
        from: question.from,
        to: question.to,
        by_host: question.by_host,
        protocol: question.protocol,
        port: question.port,
    }
}

/// Its course, as masters compare it.
pub(crate) fn answer_of(course: &Course) -> OpeningAnswer {
    let verdict = |side: &Option<(Query, Verdict)>| {
        side.as_ref().map(|(query, verdict)| TableVerdict {
            group: query.subject_group,
            peer_group: query.peer_group,
            action: action(verdict.action),
            rule: verdict.rule,
            log: verdict.log,
            keep: verdict.keep,
            staged: verdict.staged.map(|staged| TableOutcome {
                action: action(staged.action),
                rule: staged.rule,
            }),
        })
    };
    OpeningAnswer {
        delivery: match course.way {
            Ok(way) => way.word().to_owned(),
            Err(_) => String::new(),
        },
        reason: match course.way {
            Ok(_) => String::new(),
            Err(reason) => reason.name().to_owned(),
        },
        sending: verdict(&course.sending),
        receiving: verdict(&course.receiving),
        ..OpeningAnswer::default()
    }
}

fn action(action: Action) -> WireAction {
    match action {
        Action::Allow => WireAction::Allow,
        Action::Deny => WireAction::Deny,
        Action::Pass => WireAction::Pass,
    }
}
