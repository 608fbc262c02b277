//! The one task that commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use etcd_client::{Txn, TxnOp, TxnOpResponse};
use tokio::sync::{mpsc, oneshot};

use super::batch::{self, Batch};
use super::{Shared, connect, staging};
use crate::error::Error;
use crate::memory::written_once;
use crate::tickets::Tickets;
use crate::transaction::{Outcome, Transaction};

pub(super) type Answer = oneshot::Sender<Result<Outcome, Error>>;
pub(super) type Request = (Transaction, Answer);

/// How often a batch is sent again because the meta record was newer than known.
const TRIES: usize = 3;

/// Sends one batch at a time: who waits meanwhile is the next one.
pub(super) struct Writer {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Request>,
    waiting: VecDeque<Request>,
    tickets: Tickets,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, inbox: mpsc::UnboundedReceiver<Request>) -> Writer {
        Writer {
            shared,
            inbox,
            waiting: VecDeque::new(),
            tickets: Tickets::default(),
        }
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                match self.inbox.recv().await {
                    Some(request) => self.waiting.push_back(request),
                    None => return,
                }
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.waiting.push_back(request);
            }
            let (batch, answers) = self.compose();
            if !batch.members.is_empty() {
                self.commit(batch.members, answers).await;
            }
        }
    }

    /// The first of those that wait, as far as they can go together.
    fn compose(&mut self) -> (Batch, Vec<Answer>) {
        let (mut batch, mut answers) = (Batch::default(), Vec::new());
        let hindrance = self.shared.state().hindrance.clone();
        while let Some((transaction, answer)) = self.waiting.pop_front() {
            let said = match (&hindrance, written_once(&transaction.writes)) {
                (Some(error), _) => Some(Err(error.clone())),
                (None, Err(error)) => Some(Err(error)),
                (None, Ok(())) => None,
            };
            if let Some(said) = said {
                let _ = answer.send(said);
                continue;
            }
            let mut settled = transaction.clone();
            // A ticket of this batch has no number yet: who builds on it meets its writes.
            let outcome = match self.tickets.settle(&mut settled) {
                Ok(()) => batch.take(settled),
                Err(_) if batch.has_tickets_of(&transaction) => Err(settled),
                Err(key) => {
                    self.shared.conflicts.fetch_add(1, Ordering::Relaxed);
                    let _ = answer.send(Ok(Outcome::Conflict { key }));
                    continue;
                }
            };
            match outcome {
                Ok(()) => answers.push(answer),
                Err(_) => {
                    self.waiting.push_front((transaction, answer));
                    break;
                }
            }
        }
        (batch, answers)
    }

    async fn commit(&mut self, members: Vec<Transaction>, answers: Vec<Answer>) {
        let outcomes = match &members[..] {
            [single] if batch::is_large(single) => {
                let outcome = staging::commit(&self.shared, single).await;
                outcome.map(|outcome| vec![outcome])
            }
            members => self.send(members).await,
        };
        match outcomes {
            Ok(outcomes) => {
                let count = |outcome: &&Outcome| matches!(outcome, Outcome::Committed(_));
                let committed = outcomes.iter().filter(count).count() as u64;
                let shared = &self.shared;
                shared
                    .flushes
                    .fetch_add(u64::from(committed > 0), Ordering::Relaxed);
                shared.commits.fetch_add(committed, Ordering::Relaxed);
                shared.largest_batch.fetch_max(committed, Ordering::Relaxed);
                let lost = outcomes.len() as u64 - committed;
                shared.conflicts.fetch_add(lost, Ordering::Relaxed);
                for ((outcome, answer), member) in outcomes.into_iter().zip(answers).zip(members) {
                    if let Outcome::Committed(number) = outcome {
                        self.tickets.take(member.ticket, number);
                    }
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::warn!(%error, transactions = answers.len(), "not committed");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn send(&self, members: &[Transaction]) -> Result<Vec<Outcome>, Error> {
        let shared = &self.shared;
        let operation = |member| batch::operation(&shared.keys, &**shared, member);
        let operations: Vec<TxnOp> = members.iter().map(operation).collect();
        for _ in 0..TRIES {
            let revision = staging::settled(shared).await?.1;
            let mut all = operations.clone();
            all.push(TxnOp::put(shared.keys.last(), "", None));
            let txn = Txn::new()
                .when([connect::unchanged(&shared.keys, revision)])
                .and_then(all)
                .or_else([TxnOp::get(shared.keys.meta(), None)]);
            let answer = shared
                .members
                .call(async |mut kv| kv.txn(txn).await)
                .await?;
            if answer.succeeded() {
                let number = answer
                    .header()
                    .map_or(0, etcd_client::ResponseHeader::revision);
                return Ok(outcomes(members, &answer, batch::unsigned(number)));
            }
            connect::take_meta(shared, &answer)?;
        }
        Err(Error::Busy {
            doing: "its versions or its place change".into(),
        })
    }
}

fn outcomes(
    members: &[Transaction],
    answer: &etcd_client::TxnResponse,
    number: u64,
) -> Vec<Outcome> {
    let each = members.iter().zip(answer.op_responses());
    each.map(|(member, response)| match response {
        TxnOpResponse::Txn(inner) if inner.succeeded() => Outcome::Committed(number),
        TxnOpResponse::Txn(inner) => Outcome::Conflict {
            key: batch::culprit(member, &inner),
        },
        _ => Outcome::Conflict { key: String::new() },
    })
    .collect()
}
