//! What rules have decided, as hosts report it. Nothing of it is stored: each host tells a
//! master that has started all that its kernel has counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use contiv_model::agent::{HitsReport, RuleTotals, Totals};

/// The totals of all hosts, added up.
#[derive(Debug, Default)]
pub struct Hits {
    hosts: Mutex<BTreeMap<String, HostHits>>,
}

/// One host's word, over all of the lives of its kernel that this master has heard of.
#[derive(Debug, Default)]
struct HostHits {
    life: String,
    life_since: u64,
    since: u64,
    /// By number.
    rules: BTreeMap<u32, Counted>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    /// In lives that have ended.
    before: Totals,
    /// In the one that lasts.
    now: Totals,
    last_hit: Option<u64>,
}

/// What is known of one rule, or of what is decided where no rule matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) totals: Totals,
    pub(crate) last_hit: Option<u64>,
    /// Those with a hit.
    pub(crate) hosts: Vec<String>,
}

impl Hits {
    /// Takes a host's report at the time `now`, in milliseconds.
    ///
    /// 1. A life that began before the known one has ended: its report comes late.
    /// 2. A new life begins from 0, and what was counted before stays.
    /// 3. Within a life totals only grow, so the greater figure is the newer.
    pub(crate) fn take(&self, host: &str, report: HitsReport, now: u64) {
        let mut hosts = self.hosts();
        let known = hosts.entry(host.to_owned()).or_default();
        if known.life != report.life {
            if report.since < known.life_since {
                return;
            }
            known.begin(report.life, report.since);
        }
        for row in report.totals {
            known.count(row, now);
        }
    }

    /// The sums of rules, by number.
    pub(crate) fn sums(&self) -> BTreeMap<u32, Sum> {
        let mut sums: BTreeMap<u32, Sum> = BTreeMap::new();
        for (host, known) in &*self.hosts() {
            for (number, counted) in &known.rules {
                let total = counted.before.and(counted.now);
                if total.is_zero() {
                    continue;
                }
                let sum = sums.entry(*number).or_default();
                sum.totals = sum.totals.and(total);
                sum.last_hit = sum.last_hit.max(counted.last_hit);
                sum.hosts.push(host.clone());
            }
        }
        sums
    }

    /// The hosts that have reported, and since when the figures of all of them are complete.
    pub(crate) fn sources(&self) -> (Vec<String>, Option<u64>) {
        let hosts = self.hosts();
        let since = hosts.values().map(|known| known.since).max();
        (hosts.keys().cloned().collect(), since)
    }

    /// Forgets what no rule is left of.
    pub(crate) fn retain(&self, exists: impl Fn(u32) -> bool) {
        for known in self.hosts().values_mut() {
            known.rules.retain(|number, _| exists(*number));
        }
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<String, HostHits>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostHits {
    fn begin(&mut self, life: String, since: u64) {
        if self.life.is_empty() {
            self.since = since;
        }
        (self.life, self.life_since) = (life, since);
        for counted in self.rules.values_mut() {
            let ended = std::mem::take(&mut counted.now);
            counted.before = counted.before.and(ended);
        }
    }

    fn count(&mut self, row: RuleTotals, now: u64) {
        let is_new = !self.rules.contains_key(&row.rule);
        let counted = self.rules.entry(row.rule).or_default();
        let grown = counted.now.greater(row.totals);
        let hit = match row.last_hit {
            // The agent was away, or had just begun to look.
            None if !is_new && grown != counted.now => Some(now),
            said => said,
        };
        counted.now = grown;
        counted.last_hit = counted.last_hit.max(hit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(life: &str, since: u64, packets: &[(u32, u64)]) -> HitsReport {
        let row = |&(rule, packets)| RuleTotals {
            rule,
            totals: Totals {
                packets,
                ..Totals::default()
            },
            last_hit: None,
        };
        HitsReport {
            life: life.into(),
            since,
            totals: packets.iter().map(row).collect(),
        }
    }

    fn packets(hits: &Hits, rule: u32) -> u64 {
        hits.sums().get(&rule).map_or(0, |sum| sum.totals.packets)
    }

    #[test]
    fn a_sum_never_goes_back() {
        let hits = Hits::default();
        hits.take("h1", report("a", 10, &[(16, 5), (17, 1)]), 0);
        hits.take("h1", report("a", 10, &[(16, 9)]), 0);
        hits.take("h2", report("x", 30, &[(16, 100)]), 0);
        assert_eq!((packets(&hits, 16), packets(&hits, 17)), (109, 1));
        // A report that was overtaken, a reboot, and a report from before it.
        hits.take("h1", report("a", 10, &[(16, 7)]), 0);
        assert_eq!(packets(&hits, 16), 109);
        hits.take("h1", report("b", 50, &[(16, 2)]), 0);
        assert_eq!(packets(&hits, 16), 111);
        hits.take("h1", report("a", 10, &[(16, 9)]), 0);
        assert_eq!(packets(&hits, 16), 111);
        hits.take("h1", report("b", 50, &[(16, 3)]), 0);
        assert_eq!(packets(&hits, 16), 112);
        assert_eq!(hits.sums()[&16].hosts, ["h1", "h2"]);
        assert_eq!(hits.sources().1, Some(30), "h2's figures begin later");
    }

    #[test]
    fn growth_without_a_time_was_just_now() {
        let hits = Hits::default();
        let last = || hits.sums()[&16].last_hit;
        hits.take("h1", report("a", 10, &[(16, 5)]), 1000);
        assert_eq!(last(), None, "it may have been long ago");
        hits.take("h1", report("a", 10, &[(16, 5)]), 2000);
        assert_eq!(last(), None);
        hits.take("h1", report("a", 10, &[(16, 6)]), 3000);
        assert_eq!(last(), Some(3000));
        let mut said = report("a", 10, &[(16, 8)]);
        said.totals[0].last_hit = Some(2500);
        hits.take("h1", said, 4000);
        assert_eq!(last(), Some(3000));
    }

    #[test]
    fn rules_that_are_gone_are_forgotten() {
        let hits = Hits::default();
        hits.take("h1", report("a", 10, &[(16, 5), (17, 1)]), 0);
        hits.retain(|number| number == 17);
        assert_eq!((packets(&hits, 16), packets(&hits, 17)), (0, 1));
    }
}
