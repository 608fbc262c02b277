//! Hosts that are lost for good, and what they leave behind.
//!
//! A host is lost when nothing was heard of it for as long as `--host-timeout` says. What
//! is no proof of that does not count:
//!
//! 1. time in which this master did not run, or stood still;
//! 2. time in which it heard of no host at all: then it is more likely cut off itself;
//! 3. anything before another master, or this one in an earlier life, last took note in
//!    the store that it hears the host, which each does several times in such a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contiv_fabric::{Decision, Image, collect_boots, collect_host, collect_rest, hear_host};
use contiv_store::Transaction;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error::Error;
use crate::hosts::Hosts;
use crate::lease::Lease;
use crate::ledger::Ledger;

/// Between looks.
const TICK: Duration = Duration::from_secs(1);

/// Masters take note of hosts this many times in the time after which one is lost.
const NOTES: u32 = 6;

/// Hosts that are taken note of at a time: they came together, and shall not all go on so.
const AT_ONCE: usize = 16;

/// Removes hosts that are lost.
pub(crate) struct Collector {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) clock: Clock,
    /// None keeps lost hosts until somebody removes them.
    pub(crate) timeout: Option<Duration>,
    /// Of several masters that miss a host one collects it.
    pub(crate) lease: Lease,
}

impl Collector {
    /// Collects until the master ends.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(timeout) = self.timeout else {
            return stop.cancelled().await;
        };
        let mut silences = Silences::new(timeout);
        let mut tick = interval(TICK.min(timeout / 10).max(Duration::from_millis(10)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let now = Instant::now();
            let elapsed = now.duration_since(before).min(tick.period() * 2);
            before = now;
            let found = self.look(&mut silences, elapsed);
            if let Err(error) = self.act(found).await {
                tracing::warn!(%error, "lost hosts are not collected yet");
            }
        }
    }

    fn look(&self, silences: &mut Silences, elapsed: Duration) -> Found {
        let live: BTreeSet<String> = self
            .hosts
            .read(|reports| reports.live().map(|(host, _)| host.to_owned()).collect());
        let committed = self.ledger.read();
        let hosts = committed.image().hosts().map(|record| Seen {
            host: &record.name,
            heard: record.heard,
            live: live.contains(&record.name),
        });
        silences.look(elapsed, hosts)
    }

    async fn act(&self, found: Found) -> Result<(), Error> {
        for host in found.due {
            let time = self.clock.now();
            let decide = |image: &Image| hear_host(image, time, &host);
            self.ledger.decide(decide).await?;
        }
        if found.lost.is_empty() {
            return Ok(());
        }
        let collected = self.collect(found.lost).await;
        // A master that is cut off from the hosts must not keep the others from it.
        self.lease.release().await;
        collected
    }

    async fn collect(&self, lost: Vec<(String, u64)>) -> Result<(), Error> {
        for (host, heard) in lost {
            if !self.lease.hold(Instant::now()).await? {
                return Ok(());
            }
            tracing::warn!(host, "host is lost: collecting what it left behind");
            let fence = |image: &Image, transaction| self.lease.fence(image, transaction);
            if !remove_host(&self.ledger, &host, Some(heard), fence).await? {
                return Ok(());
            }
            self.hosts.forget(&host);
        }
        Ok(())
    }
}

/// Removes a host with all that it left behind; false when `fence` takes a transaction back.
///
/// What another master makes for the host at the same time comes before its end or after it:
/// whatever came before is collected when the end is known.
pub(crate) async fn remove_host(
    ledger: &Ledger,
    host: &str,
    heard: Option<u64>,
    fence: impl Fn(&Image, Transaction) -> Transaction,
) -> Result<bool, Error> {
    let fenced = |image: &Image, decision: Decision<bool>| {
        let settled = decision.is_settled();
        let transaction = fence(image, decision.transaction);
        let may = settled || !transaction.writes.is_empty();
        Decision {
            transaction,
            answer: may.then_some(decision.answer),
        }
    };
    let end = |image: &Image| Ok(fenced(image, collect_host(image, host, heard)?));
    let rest = |image: &Image| Ok(fenced(image, collect_rest(image, host)?));
    let mut ended = false;
    loop {
        let answer = match ended {
            false => ledger.decide(end).await?.answer,
            true => ledger.decide(rest).await?.answer,
        };
        match answer {
            None => return Ok(false),
            Some(true) if ended => return Ok(true),
            Some(done) => ended |= done,
        }
    }
}

/// Ends what a host left behind in earlier boots.
pub(crate) async fn collect_earlier(ledger: &Ledger, host: &str) -> Result<(), Error> {
    loop {
        let decide = |image: &Image| collect_boots(image, host);
        if ledger.decide(decide).await?.answer == 0 {
            return Ok(());
        }
    }
}

/// For how long each host is silent, as far as this master can tell.
#[derive(Debug)]
struct Silences {
    timeout: Duration,
    hosts: BTreeMap<String, Silence>,
}

#[derive(Clone, Copy, Debug)]
struct Silence {
    /// What the store says; it changes whenever some master hears the host.
    heard: u64,
    /// Since that has changed.
    age: Duration,
    silent: Duration,
}

/// A host, as a look finds it.
struct Seen<'a> {
    host: &'a str,
    heard: u64,
    live: bool,
}

/// What a look comes to.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Hosts with what the store says of them.
    lost: Vec<(String, u64)>,
    /// Hosts that the store is to be told of again.
    due: Vec<String>,
}

impl Silences {
    fn new(timeout: Duration) -> Silences {
        Silences {
            timeout,
            hosts: BTreeMap::new(),
        }
    }

    /// Takes a look, `elapsed` after the one before.
    fn look<'a>(&mut self, elapsed: Duration, seen: impl Iterator<Item = Seen<'a>>) -> Found {
        let seen: Vec<Seen<'_>> = seen.collect();
        let hearing = seen.iter().any(|seen| seen.live);
        let mut found = Found::default();
        let mut before = std::mem::take(&mut self.hosts);
        for Seen { host, heard, live } in seen {
            let known = before.remove(host).filter(|known| known.heard == heard);
            let mut silence = match known {
                Some(known) => Silence {
                    age: known.age + elapsed,
                    silent: known.silent + if hearing { elapsed } else { Duration::ZERO },
                    heard,
                },
                None => Silence {
                    heard,
                    age: Duration::ZERO,
                    silent: Duration::ZERO,
                },
            };
            if live {
                silence.silent = Duration::ZERO;
                if silence.age >= self.timeout / NOTES && found.due.len() < AT_ONCE {
                    found.due.push(host.to_owned());
                }
            } else if silence.silent >= self.timeout {
                found.lost.push((host.to_owned(), heard));
            }
            self.hosts.insert(host.to_owned(), silence);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn look(silences: &mut Silences, seconds: u64, seen: &[(&'static str, u64, bool)]) -> Found {
        let seen = seen.iter().map(|(host, heard, live)| Seen {
            host,
            heard: *heard,
            live: *live,
        });
        silences.look(Duration::from_secs(seconds), seen)
    }

    #[test]
    fn a_host_is_lost_after_the_time_while_others_are_heard() {
        let mut silences = Silences::new(TIMEOUT);
        look(&mut silences, 1, &[("a", 1, false), ("b", 1, true)]);
        assert!(
            look(&mut silences, 59, &[("a", 1, false), ("b", 2, true)])
                .lost
                .is_empty()
        );
        let found = look(&mut silences, 1, &[("a", 1, false), ("b", 2, true)]);
        assert_eq!(found.lost, [("a".to_owned(), 1)]);
    }

    #[test]
    fn a_master_that_hears_nobody_does_not_count() {
        let mut silences = Silences::new(TIMEOUT);
        for _ in 0..10 {
            let found = look(&mut silences, 30, &[("a", 1, false), ("b", 1, false)]);
            assert_eq!(found, Found::default());
        }
    }

    #[test]
    fn what_another_master_hears_counts_from_then_on() {
        let mut silences = Silences::new(TIMEOUT);
        for heard in [1, 2, 3] {
            let found = look(
                &mut silences,
                50,
                &[("a", heard, false), ("b", heard, true)],
            );
            assert!(found.lost.is_empty());
        }
        let found = look(&mut silences, 60, &[("a", 3, false), ("b", 3, true)]);
        assert_eq!(found.lost, [("a".to_owned(), 3)]);
    }

    #[test]
    fn the_store_is_told_of_live_hosts_now_and_then() {
        let mut silences = Silences::new(TIMEOUT);
        let here = [("a", 1, true)];
        assert!(look(&mut silences, 5, &here).due.is_empty());
        assert!(look(&mut silences, 9, &here).due.is_empty());
        assert_eq!(look(&mut silences, 1, &here).due, ["a"]);
        assert!(look(&mut silences, 1, &[("a", 2, true)]).due.is_empty());
    }
}
