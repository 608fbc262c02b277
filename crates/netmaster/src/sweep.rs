//! What only time, or the word of hosts, makes free.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contiv_fabric::{Decision, HostReports, expire, settle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::api::now;
use crate::error::Error;
use crate::hosts::Hosts;
use crate::ledger::Ledger;

/// An engine makes an endpoint of an address within seconds of asking for it; it
/// repeats a call that got no answer for about half a minute.
const UNCLAIMED: Duration = Duration::from_secs(60);

/// Between looks at the clock.
const TICK: Duration = Duration::from_secs(1);

/// Frees addresses that nobody claimed, and those that no host uses any more.
pub(crate) struct Sweeper {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) hosts: Arc<Hosts>,
}

impl Sweeper {
    /// Sweeps until the master ends.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut reports = self.hosts.changes();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ticked = tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => true,
                changed = reports.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
            };
            let swept = match ticked {
                true => {
                    self.hosts.notice_silence(Instant::now());
                    self.expire(now()).await
                }
                false => self.settle().await,
            };
            if let Err(error) = swept {
                tracing::warn!(%error, "addresses are not freed yet");
            }
        }
    }

    async fn expire(&self, now: u64) -> Result<(), Error> {
        let patience = u64::try_from(UNCLAIMED.as_millis()).unwrap_or(u64::MAX);
        let before = now.saturating_sub(patience);
        if expire(self.ledger.read().image(), before).writes.is_empty() {
            return Ok(());
        }
        let decide = |image: &_| {
            Ok(Decision {
                transaction: expire(image, before),
                answer: (),
            })
        };
        self.ledger.decide(decide).await.map(drop)
    }

    async fn settle(&self) -> Result<(), Error> {
        let epoch = self.ledger.read().revision().epoch;
        let applied = self.hosts.read(|reports| applied(reports, epoch));
        if settle(self.ledger.read().image(), &applied)
            .writes
            .is_empty()
        {
            return Ok(());
        }
        let decide = |image: &_| {
            Ok(Decision {
                transaction: settle(image, &applied),
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
        };
        let in_use = || ledger.read().image().addresses().count();
        sweeper.expire(5_000 + 60_000).await.unwrap();
        assert_eq!(in_use(), 1);
        sweeper.expire(5_001 + 60_000).await.unwrap();
        assert_eq!(in_use(), 0);
        assert_eq!(request(&ledger, 70_000, None).await.unwrap(), granted);
    }
}
