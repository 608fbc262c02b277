//! What rules have decided on this host, read from the kernel every few seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contiv_model::agent::{Action, RuleTotals};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::data_plane::{Counts, SharedPlane};
use crate::metrics::Metrics;
use crate::mirror::Mirror;
use crate::replica::Replica;

/// Between readings.
const READ: Duration = Duration::from_secs(5);

/// The totals of this host's rules, as they were read last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Names what totals begin from 0 with; empty before the first reading.
    pub life: String,
    /// When that was, in milliseconds since 1970.
    pub since: u64,
    /// By number.
    pub rules: BTreeMap<u32, RuleTotals>,
}

/// Reads the kernel's counters.
pub struct Counter {
    pub plane: SharedPlane,
    pub replica: Arc<Replica>,
    pub metrics: Arc<Metrics>,
    pub counted: watch::Sender<Arc<Counted>>,
}

impl Counter {
    /// Reads until the agent ends.
    pub async fn run(self, stop: CancellationToken) {
        let mut tick = interval(READ);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut actions = Actions::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let counts = match self.plane.with(|plane| plane.counts()).await {
                Ok(counts) => counts,
                Err(error) => {
                    tracing::warn!(%error, "the counters of rules cannot be read");
                    continue;
                }
            };
            let before = Arc::clone(&self.counted.borrow());
            self.observe(&before, &counts, &mut actions);
            let counted = counted(&before, counts, now());
            if counted != *before {
                self.counted.send_replace(Arc::new(counted));
            }
        }
    }

    /// Adds what is new to the sums of actions.
    fn observe(&self, before: &Counted, counts: &Counts, actions: &mut Actions) {
        let same_life = before.life == counts.life;
        let mut learnt = false;
        for (number, totals) in &counts.rules {
            let old = before.rules.get(number).filter(|_| same_life);
            let old = old.map(|row| row.totals).unwrap_or_default();
            if *totals == old {
                continue;
            }
            if !std::mem::replace(&mut learnt, true) {
                actions.learn(&self.replica.read());
            }
            self.metrics
                .add_rule_totals(actions.of(*number), old, *totals);
        }
        self.metrics.set_flow_use(&counts.flows, |number| {
            let mirror = self.replica.read();
            let tenant = mirror.tenants().find(|tenant| tenant.number == number);
            tenant.map_or_else(|| number.to_string(), |tenant| tenant.name.clone())
        });
    }
}

/// What rules do, also of those that went a while ago.
#[derive(Debug, Default)]
struct Actions(BTreeMap<u32, &'static str>);

impl Actions {
    fn learn(&mut self, mirror: &Mirror) {
        self.0.extend(mirror.rules().map(|rule| {
            let action = match rule.action {
                Action::Allow => "allow",
                Action::Deny => "deny",
                Action::Pass => "pass",
            };
            (rule.number, action)
        }));
    }

    fn of(&self, number: u32) -> &'static str {
        match number {
            1 => "allow",
            3 | 4 => "deny",
            _ => self.0.get(&number).copied().unwrap_or("unknown"),
        }
    }
}

/// What was read, with the time for each rule whose totals have grown since the reading before.
fn counted(before: &Counted, counts: Counts, now: u64) -> Counted {
    let same_life = before.life == counts.life;
    let rows = counts.rules.into_iter().map(|(rule, totals)| {
        let old = before.rules.get(&rule).filter(|_| same_life);
        let last_hit = match old {
            Some(old) if old.totals == totals => old.last_hit,
            // Read for the first time: it may have been long ago.
            None if before.life.is_empty() => None,
            _ => Some(now),
        };
        let row = RuleTotals {
            rule,
            totals,
            last_hit,
        };
        (rule, row)
    });
    let rules = rows.filter(|(_, row)| !row.totals.is_zero()).collect();
    Counted {
        life: counts.life,
        since: counts.since,
        rules,
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::Totals;

    use super::*;

    fn counts(life: &str, packets: &[(u32, u64)]) -> Counts {
        let row = |&(rule, packets)| {
            let totals = Totals {
                packets,
                ..Totals::default()
            };
            (rule, totals)
        };
        Counts {
            life: life.into(),
            rules: packets.iter().map(row).collect(),
            ..Counts::default()
        }
    }

    fn hits(counted: &Counted) -> Vec<(u32, u64, Option<u64>)> {
        let rows = counted.rules.values();
        rows.map(|row| (row.rule, row.totals.packets, row.last_hit))
            .collect()
    }

    #[test]
    fn a_hit_is_dated_when_the_total_has_grown() {
        let first = counted(&Counted::default(), counts("a", &[(16, 5), (17, 0)]), 100);
        assert_eq!(hits(&first), [(16, 5, None)], "long ago, or not at all");
        let second = counted(&first, counts("a", &[(16, 5), (17, 1)]), 200);
        assert_eq!(hits(&second), [(16, 5, None), (17, 1, Some(200))]);
        let third = counted(&second, counts("a", &[(16, 6), (17, 1)]), 300);
        assert_eq!(hits(&third), [(16, 6, Some(300)), (17, 1, Some(200))]);
        let reborn = counted(&third, counts("b", &[(17, 1)]), 400);
        assert_eq!(hits(&reborn), [(17, 1, Some(400))]);
    }

    #[test]
    fn what_a_rule_did_is_known_after_it_has_gone() {
        let mut actions = Actions::default();
        actions.0.insert(16, "deny");
        actions.learn(&Mirror::default());
        assert_eq!((actions.of(16), actions.of(17)), ("deny", "unknown"));
        assert_eq!((actions.of(1), actions.of(4)), ("allow", "deny"));
    }
}
