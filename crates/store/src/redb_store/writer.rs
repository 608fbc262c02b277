//! The one thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::file::File;
use super::witness::note;
use crate::error::Error;
use crate::follow::{Changes, Commit, Following, Revision};
use crate::schema::Schema;
use crate::transaction::{Outcome, Transaction};

/// Who waits longer than for this many others would gain nothing by a larger batch.
const BATCH: usize = 256;

/// How often the witness is told how far the file has come.
const NOTE: Duration = Duration::from_secs(1);

type Answer<T> = oneshot::Sender<Result<T, Error>>;

pub(super) enum Request {
    Commit(Transaction, Answer<Outcome>),
    Follow(Answer<Following>),
}

pub(super) struct Writer {
    inbox: Receiver<Request>,
    shared: Arc<Shared>,
    followers: Vec<mpsc::UnboundedSender<Arc<Commit>>>,
    path: PathBuf,
    schema: Schema,
    /// None after an error, until it can be opened again.
    file: Option<File>,
    /// What the followers know of.
    revision: Revision,
    life: u64,
    /// When the witness was told last.
    noted: Instant,
}

impl Writer {
    pub(super) fn new(
        file: File,
        life: u64,
        inbox: Receiver<Request>,
        shared: Arc<Shared>,
    ) -> Result<Writer, Error> {
        let (revision, _) = file.whereabouts()?;
        Ok(Writer {
            inbox,
            shared,
            followers: Vec::new(),
            path: file.path().to_owned(),
            schema: file.schema(),
            file: Some(file),
            revision,
            life,
            noted: Instant::now(),
        })
    }

    /// Serves until nobody can ask any more.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            let mut next = Some(first);
            let mut batch = Vec::new();
            while let Some(request) = next.take() {
                match request {
                    Request::Commit(transaction, answer) => batch.push((transaction, answer)),
                    Request::Follow(answer) => {
                        self.commit(std::mem::take(&mut batch));
                        let _ = answer.send(self.follow());
                    }
                }
                if batch.len() < BATCH {
                    next = self.inbox.try_recv().ok();
                }
            }
            self.commit(batch);
            if self.noted.elapsed() > NOTE {
                note(&self.path, self.revision, self.life, false);
                self.noted = Instant::now();
            }
        }
        note(&self.path, self.revision, self.life, true);
    }

    fn follow(&mut self) -> Result<Following, Error> {
        let (revision, entries) = self.file()?.read()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        self.followers.push(sender);
        Ok(Following {
            revision,
            entries,
            changes: Changes::new(receiver),
        })
    }

    fn commit(&mut self, batch: Vec<(Transaction, Answer<Outcome>)>) {
        if batch.is_empty() {
            return;
        }
        let (transactions, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let outcomes = self.flush(transactions);
        *self.shared.hindrance() = outcomes.as_ref().err().cloned();
        match outcomes {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, transactions = answers.len(), "not committed");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn flush(&mut self, batch: Vec<Transaction>) -> Result<Vec<Result<Outcome, Error>>, Error> {
        match self.file()?.write(&batch) {
            Ok(outcomes) => {
                self.publish(batch, &outcomes);
                Ok(outcomes)
            }
            Err(error) => {
                // redb does not go on with this handle.
                self.file = None;
                Err(error)
            }
        }
    }

    fn publish(&mut self, batch: Vec<Transaction>, outcomes: &[Result<Outcome, Error>]) {
        let before = self.revision;
        for (transaction, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Ok(Outcome::Committed(number)) if *number > self.revision.number => {
                    self.revision.number = *number;
                    let commit = Arc::new(Commit {
                        revision: self.revision,
                        writes: transaction.writes,
                    });
                    self.followers
                        .retain(|follower| follower.send(Arc::clone(&commit)).is_ok());
                }
                Ok(Outcome::Conflict { .. }) => {
                    self.shared.conflicts.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        let committed = self.revision.number - before.number;
        if committed > 0 {
            self.shared
                .largest_batch
                .fetch_max(committed, Ordering::Relaxed);
            self.shared.commits.fetch_add(committed, Ordering::Relaxed);
            self.shared.flushes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The open file. After an error, opening it again shows what became of the batch.
    fn file(&mut self) -> Result<&File, Error> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        Ok(self.file.insert(file))
    }

    fn reopen(&mut self) -> Result<File, Error> {
        let file = File::open(&self.path, self.schema)?;
        let (found, life) = file.whereabouts()?;
        if life != self.life || found < self.revision {
            return Err(Error::WentBack {
                path: self.path.clone(),
                found,
                seen: self.revision,
            });
        }
        if found != self.revision {
            // The batch was done after all, and who follows was not told: they begin anew.
            self.followers.clear();
            self.revision = found;
        }
        tracing::info!(revision = %found, "the store is open again");
        Ok(file)
    }
}
