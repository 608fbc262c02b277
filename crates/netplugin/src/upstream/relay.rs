//! Brings one master what this host has to report.
//!
//! Each master has a relay of its own, so that one which is slow or away keeps no other waiting.
//! Nothing piles up for it: of statuses and totals only the newest counts, and events are kept
//! for a while for all masters together.

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_client::{Error as ClientError, HostClient};
use contiv_model::agent::{
    EventBatch, HitsReport, HostStatus, Progress, Registered, Reported, RuleTotals,
};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Introduction, RETRY};
use crate::counters::Counted;
use crate::error::Error;
use crate::events::EventLog;

/// Events that go in one message.
const BATCH: usize = 1_000;

/// Reports to one master, which is the only one that `host` speaks to.
pub struct Relay {
    pub host: HostClient,
    pub introduction: Introduction,
    pub status: watch::Receiver<Option<Arc<HostStatus>>>,
    pub counted: watch::Receiver<Arc<Counted>>,
    pub events: Arc<EventLog>,
    pub registrations: watch::Receiver<u64>,
}

/// What the master has taken in its present life.
#[derive(Debug, Default)]
struct Taken {
    /// Empty before the host is introduced.
    life: Option<String>,
    /// The master takes the host's progress alone.
    progress: bool,
    status: Option<Arc<HostStatus>>,
    counting: String,
    totals: BTreeMap<u32, RuleTotals>,
    /// The number of the next event.
    next: u64,
    /// What the master is too old to take; one that is upgraded has another life.
    unknown: Unknown,
}

/// Kinds of reports that a master has no path for.
#[derive(Clone, Copy, Debug, Default)]
struct Unknown {
    totals: bool,
    events: bool,
}

impl Relay {
    /// Reports until the agent ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut taken = Taken::default();
        let mut pause = RETRY.0;
        let mut events = self.events.changes();
        loop {
            let mut anew = false;
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.status.changed() => {}
                Ok(()) = self.counted.changed() => {}
                Ok(()) = events.changed() => {}
                Ok(()) = self.registrations.changed() => anew = true,
                else => return,
            }
            if anew {
                // The status tells whether it was this master that has started.
                taken.status = None;
            }
            let mut brought = self.bring(&mut taken).await;
            while let Err(error) = brought {
                tracing::debug!(%error, "a master takes no reports");
                // Whoever answers next may be of an earlier version, and take no progress alone.
                taken.status = None;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(pause) => pause = (pause * 2).min(RETRY.1),
                }
                brought = self.bring(&mut taken).await;
            }
            pause = RETRY.0;
        }
    }

    /// Reports whatever the master has not taken yet.
    ///
    /// 1. A master that does not know the host is introduced to it, and has taken nothing.
    /// 2. The newest status, for which more is waiting than for all else.
    /// 3. The totals that have changed.
    /// 4. Events, in batches.
    ///
    /// A master of an earlier version that knows nothing of totals or of events is asked once.
    async fn bring(&mut self, taken: &mut Taken) -> Result<(), Error> {
        loop {
            let life = match &taken.life {
                Some(life) => life.clone(),
                None => {
                    let Registered { life, progress, .. } =
                        self.introduction.to(&self.host).await?;
                    *taken = Taken {
                        life: Some(life.clone()),
                        progress,
                        ..Taken::default()
                    };
                    life
                }
            };
            let Some(answer) = self.step(taken).await? else {
                return Ok(());
            };
            if answer.life != life {
                tracing::debug!("a master has started, and is told all of it again");
                *taken = Taken::default();
            }
        }
    }

    /// Makes one report; none when there is nothing to say.
    async fn step(&mut self, taken: &mut Taken) -> Result<Option<Reported>, Error> {
        let status = self.status.borrow_and_update().clone();
        if let Some(status) = status
            && !taken
                .status
                .as_ref()
                .is_some_and(|old| Arc::ptr_eq(old, &status))
        {
            let before = taken.status.as_deref().filter(|_| taken.progress);
            let answer = match before.is_some_and(|before| differ_in_progress(before, &status)) {
                true => {
                    let applied = status.applied;
                    self.host.report_progress(&Progress { applied }).await?
                }
                false => self.host.report(&status).await?,
            };
            taken.status = Some(status);
            return Ok(Some(answer));
        }
        let counted = Arc::clone(&self.counted.borrow_and_update());
        if !taken.unknown.totals
            && let Some(report) = changed(&counted, taken)
        {
            match known("totals", self.host.report_hits(&report).await)? {
                Some(answer) => {
                    taken.counting = report.life;
                    let rows = report.totals.into_iter().map(|row| (row.rule, row));
                    taken.totals.extend(rows);
                    return Ok(Some(answer));
                }
                None => taken.unknown.totals = true,
            }
        }
        let batch = self.events.batch(taken.next, BATCH);
        if !taken.unknown.events && !batch.events.is_empty() {
            match known("events", self.host.report_events(&batch).await)? {
                Some(answer) => {
                    taken.next = end(&batch);
                    return Ok(Some(answer));
                }
                None => taken.unknown.events = true,
            }
        }
        Ok(None)
    }
}

/// The answer; none from a master that has no path for such a report.
fn known(what: &str, answer: Result<Reported, ClientError>) -> Result<Option<Reported>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => {
            tracing::info!(%error, what, "a master is of an earlier version and does not take them");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the host has come further since, and all else is as it was.
fn differ_in_progress(before: &HostStatus, now: &HostStatus) -> bool {
    let HostStatus {
        applied: _,
        realised,
        problems,
        endpoints,
        taken,
    } = now;
    before.realised == *realised
        && before.problems == *problems
        && before.endpoints == *endpoints
        && before.taken == *taken
}

/// The totals that the master has not taken; none when it has them all.
fn changed(counted: &Counted, taken: &Taken) -> Option<HitsReport> {
    if counted.life.is_empty() {
        return None; // Nothing was read yet.
    }
    let same_life = counted.life == taken.counting;
    let fresh = |row: &&RuleTotals| !same_life || taken.totals.get(&row.rule) != Some(row);
    let totals: Vec<RuleTotals> = counted.rules.values().filter(fresh).cloned().collect();
    (!same_life || !totals.is_empty()).then(|| HitsReport {
        life: counted.life.clone(),
        since: counted.since,
        totals,
    })
}

fn end(batch: &EventBatch) -> u64 {
    let count = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
    batch.first.saturating_add(count)
}

#[cfg(test)]
mod tests;
