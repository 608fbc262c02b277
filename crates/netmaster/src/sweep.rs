//! What only time, or the word of hosts, makes free.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contiv_fabric::{Decision, HostReports, adopted, end_adoption, expire, forsake, settle};
use contiv_model::agent::Revision;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error::Error;
use crate::footholds;
use crate::hosts::Hosts;
use crate::lease::Lease;
use crate::ledger::Ledger;

/// An engine makes an endpoint of an address within seconds of asking for it; it
/// repeats a call that got no answer for about half a minute.
const UNCLAIMED: Duration = Duration::from_secs(60);

/// A Swarm's manager that starts reserves within seconds what it has.
const RESERVED_AGAIN: Duration = Duration::from_secs(600);

/// Between looks at the clock.
const TICK: Duration = Duration::from_secs(1);

/// Reports that come together are looked at together.
const GATHER: Duration = Duration::from_millis(10);

/// Frees addresses that nobody claimed, and those that no host uses any more; gives hosts theirs in
/// `infra` networks.
pub(crate) struct Sweeper {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) clock: Clock,
    /// Of several masters one sweeps.
    pub(crate) lease: Lease,
}

impl Sweeper {
    /// Sweeps until the master ends.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut reports = self.hosts.changes();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ticked = tokio::select! {
                () = stop.cancelled() => return self.lease.release().await,
                _ = tick.tick() => true,
                changed = reports.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
            };
            if ticked {
                self.hosts.notice_silence(Instant::now());
                let committed = self.ledger.read();
                let image = committed.image();
                self.hosts.forget_removed(|host| image.host(host).is_some());
            } else {
                // Hosts hear of a change together, and report it one after the other.
                sleep(GATHER).await;
                reports.mark_unchanged();
            }
            let swept = match (self.lease.hold(Instant::now()).await, ticked) {
                (Err(error), _) => Err(error),
                (Ok(false), _) => Ok(()),
                (Ok(true), true) => self.tick().await,
                (Ok(true), false) => self.heard().await,
            };
            if let Err(error) = swept {
                tracing::warn!(%error, "addresses are not freed or given yet");
            }
        }
    }

    async fn tick(&self) -> Result<(), Error> {
        self.expire(self.clock.now()).await?;
        self.forsake(self.clock.now()).await?;
        self.adopt(self.clock.now()).await?;
        self.heard().await
    }

    /// Hosts have said something: that they are here, or what they have applied.
    async fn heard(&self) -> Result<(), Error> {
        self.settle().await?;
        footholds::give(&self.ledger, &self.lease, self.clock.now()).await
    }

    /// Takes hosts off the list of those that a restored store waits for.
    ///
    /// A host has said what lives on it when it has applied a revision of this epoch and
    /// reports no endpoint that is not registered.
    async fn adopt(&self, now: u64) -> Result<(), Error> {
        let done: Vec<String> = {
            let committed = self.ledger.read();
            let (image, epoch) = (committed.image(), committed.revision().epoch);
            let Some(adoption) = image.adoption() else {
                return Ok(());
            };
            let said = |reports: &HostReports, host: &str| {
                let report = reports.hosts.get(host).filter(|r| r.applied.epoch == epoch);
                let known = |id: &String| image.endpoint(id).is_some_and(|e| e.host == host);
                report.is_some_and(|report| report.endpoints.keys().all(known))
            };
            let hosts = adoption.hosts.iter();
            let gone = |host: &str| {
                image.host(host).is_none() && image.endpoints_on(host).next().is_none()
            };
            self.hosts.read(|reports| {
                let done = hosts.filter(|host| said(reports, host) || gone(host));
                done.cloned().collect()
            })
        };
        for host in done {
            let awaited = self.ledger.decide(|image| adopted(image, &host)).await?;
            tracing::info!(host, awaited = ?awaited.answer, "adopted what lives on a host");
        }
        let late = self.ledger.decide(|image| end_adoption(image, now)).await?;
        if !late.answer.is_empty() {
            tracing::warn!(hosts = ?late.answer, "not waited for any longer");
        }
        Ok(())
    }

    async fn expire(&self, now: u64) -> Result<(), Error> {
        let patience = u64::try_from(UNCLAIMED.as_millis()).unwrap_or(u64::MAX);
        let before = now.saturating_sub(patience);
        if expire(self.ledger.read().image(), before).writes.is_empty() {
            return Ok(());
        }
        let decide = |image: &_| {
            Ok(Decision {
                transaction: self.lease.fence(image, expire(image, before)),
                answer: (),
            })
        };
        self.ledger.decide(decide).await.map(drop)
    }

    async fn forsake(&self, now: u64) -> Result<(), Error> {
        let patience = u64::try_from(RESERVED_AGAIN.as_millis()).unwrap_or(u64::MAX);
        let before = now.saturating_sub(patience);
        if forsake(self.ledger.read().image(), before)
            .writes
            .is_empty()
        {
            return Ok(());
        }
        let decide = |image: &_| {
            Ok(Decision {
                transaction: self.lease.fence(image, forsake(image, before)),
                answer: (),
            })
        };
        self.ledger.decide(decide).await.map(drop)
    }

    async fn settle(&self) -> Result<(), Error> {
        let (applied, everywhere) = {
            let committed = self.ledger.read();
            if !committed.image().has_draining() {
                return Ok(());
            }
            let epoch = committed.revision().epoch;
            self.hosts
                .read(|reports| (applied(reports, epoch), everywhere(reports, epoch)))
        };
        if settle(self.ledger.read().image(), &applied, everywhere)
            .writes
            .is_empty()
        {
            return Ok(());
        }
        let decide = |image: &_| {
            Ok(Decision {
                transaction: self.lease.fence(image, settle(image, &applied, everywhere)),
                answer: (),
            })
        };
        self.ledger.decide(decide).await.map(drop)
    }
}

/// How far each host has come in this history, as far as it has said so.
fn applied(reports: &HostReports, epoch: u64) -> BTreeMap<String, u64> {
    let same = reports
        .hosts
        .iter()
        .filter(|(_, report)| report.applied.epoch == epoch);
    same.map(|(name, report)| (name.clone(), report.applied.number))
        .collect()
}

/// What every host that is here has applied of this history.
fn everywhere(reports: &HostReports, epoch: u64) -> u64 {
    let applied = reports.live().map(|(_, report)| match report.applied {
        Revision { epoch: of, number } if of == epoch => number,
        _ => 0,
    });
    applied.min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use contiv_store::MemoryStore;

    use super::*;
    use crate::ledger::testing::{begin, request};

    #[tokio::test]
    async fn an_address_that_nobody_claims_is_free_after_a_minute() {
        let store = Arc::new(MemoryStore::default());
        let (ledger, follower) = Ledger::open(store, Arc::default()).await.unwrap();
        tokio::spawn(follower.run());
        begin(&ledger).await;
        let granted = request(&ledger, 5_000, None).await.unwrap();
        let sweeper = Sweeper {
            ledger: Arc::clone(&ledger),
            hosts: Arc::default(),
            clock: Clock::default(),
            lease: Lease::new(Arc::clone(&ledger), "sweep", "m"),
        };
        let in_use = || ledger.read().image().addresses().count();
        sweeper.expire(5_000 + 60_000).await.unwrap();
        assert_eq!(in_use(), 1);
        sweeper.expire(5_001 + 60_000).await.unwrap();
        assert_eq!(in_use(), 0);
        assert_eq!(request(&ledger, 70_000, None).await.unwrap(), granted);
    }
}
