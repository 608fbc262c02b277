//! netplugin's own account of the time that its handlers took.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use contiv_testbed::Stack;

/// Where the agent answers, inside the host.
const AGENT: ([u8; 4], u16) = ([127, 0, 0, 1], 9090);

const LIMIT: Duration = Duration::from_secs(10);

/// How often each call was made, and how many seconds it took in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Calls(pub(crate) BTreeMap<String, Spent>);

/// Calls of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) count: f64,
    pub(crate) seconds: f64,
}

impl Calls {
    /// What the agent has counted since its start.
    pub(crate) fn read(stack: &Stack) -> Result<Self> {
        let netns = stack.host.netns()?;
        let reply = netns.http(AGENT.into(), "GET", "/metrics", None, LIMIT)?;
        ensure!(reply.status == 200, "/metrics answers {}", reply.status);
        Ok(Self::parse(&reply.text))
    }

    fn parse(text: &str) -> Self {
        let mut calls = Self::default();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("contiv_netplugin_call_seconds_") else {
                continue;
            };
            let Some((kind, rest)) = rest.split_once("{call=\"") else {
                continue;
            };
            let Some((call, value)) = rest.split_once("\"} ") else {
                continue;
            };
            let Ok(value) = value.trim().parse() else {
                continue;
            };
            let spent = calls.0.entry(call.to_owned()).or_default();
            match kind {
                "sum" => spent.seconds = value,
                "count" => spent.count = value,
                _ => {}
            }
        }
        calls
    }

    /// What was added since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let added = self.0.iter().map(|(call, now)| {
            let then = before.0.get(call).copied().unwrap_or_default();
            let spent = Spent {
                count: now.count - then.count,
                seconds: now.seconds - then.seconds,
            };
            (call.clone(), spent)
        });
        Self(added.filter(|(_, spent)| spent.count > 0.0).collect())
    }

    /// Adds another account to this one.
    pub(crate) fn add(&mut self, other: &Self) {
        for (call, spent) in &other.0 {
            let sum = self.0.entry(call.clone()).or_default();
            sum.count += spent.count;
            sum.seconds += spent.seconds;
        }
    }

    /// Milliseconds of all calls together.
    pub(crate) fn milliseconds(&self) -> f64 {
        self.0.values().map(|spent| spent.seconds * 1e3).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE contiv_netplugin_call_seconds histogram
contiv_netplugin_call_seconds_sum{call=\"NetworkDriver.Join\"} 0.25
contiv_netplugin_call_seconds_count{call=\"NetworkDriver.Join\"} 2
contiv_netplugin_call_seconds_bucket{le=\"0.0005\",call=\"NetworkDriver.Join\"} 1
contiv_netplugin_call_seconds_sum{call=\"IpamDriver.RequestAddress\"} 0.5
contiv_netplugin_call_seconds_count{call=\"IpamDriver.RequestAddress\"} 1
contiv_netplugin_apply_seconds_sum 9.0
";

    #[test]
    fn only_what_was_added_counts() {
        let now = Calls::parse(PAGE);
        assert_eq!(now.milliseconds(), 750.0);
        let before = Calls::parse(&PAGE.replace("0.25", "0.05").replace("} 2\n", "} 1\n"));
        let added = now.since(&before);
        assert_eq!(added.0.keys().collect::<Vec<_>>(), ["NetworkDriver.Join"]);
        assert!((added.milliseconds() - 200.0).abs() < 1e-9);
        let mut sum = added.clone();
        sum.add(&added);
        assert_eq!(sum.0["NetworkDriver.Join"].count, 2.0);
    }
}
