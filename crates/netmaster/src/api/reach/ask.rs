//! What the hosts' tables hold about what was traced.

use std::time::Duration;

use contiv_fabric::reach::{Ask, Heard, Tracing};
use contiv_model::agent::{Answer, Question, Revision};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::api::Shared;
use crate::questions::PATIENCE;

/// Between two questions to a host that has not applied yet what was looked at.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks all hosts at once and takes what they say.
pub(super) async fn hosts(shared: &Shared, tracing: &mut Tracing, revision: Revision) {
    let until = Instant::now() + PATIENCE;
    let asks = std::mem::take(&mut tracing.asks);
    let heard = {
        let tracing = &*tracing;
        let asking = asks
            .iter()
            .map(|ask| one(shared, tracing, ask, revision, until));
        join_all(asking).await
    };
    for (ask, heard) in asks.iter().zip(&heard) {
        tracing.compare(ask, heard);
    }
}

/// Asks a host, and again while it says something else and is still on its way to the revision.
async fn one(
    shared: &Shared,
    tracing: &Tracing,
    ask: &Ask,
    revision: Revision,
    until: Instant,
) -> Heard {
    loop {
        let question = Question::Opening(ask.question.clone());
        let answer = match shared.questions.ask(&ask.host, question, until).await? {
            Answer::Opening(answer) => answer,
            other => return Err(format!("it answers something else: {other:?}")),
        };
        let is_due = answer.applied >= revision || Instant::now() + AGAIN >= until;
        if is_due || tracing.agrees(ask, &answer) {
            return Ok(answer);
        }
        sleep(AGAIN).await;
    }
}
