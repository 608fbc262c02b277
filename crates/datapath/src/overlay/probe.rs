//! What the underlay takes on the way to each host, found out now and then.
//!
//! Nobody listens for it: the other host's kernel answers an echo request that must not be cut, or
//! a router on the way says what it takes. Where large ones vanish and small ones are answered,
//! the largest that passes is searched for. A host that answers none is taken at the word of
//! the kernel's own routes.

mod echo;
mod search;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use echo::{Echo, Heard};
use search::{Outcome, Said, Search};

use super::hosts::Here;

/// Requests that are under way at once, at most.
const AT_ONCE: usize = 8;
/// From the begin of one round to that of the next.
const ROUND: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The smallest size that is asked for; every link of IPv6 takes it.
const LEAST: u32 = 1280;

/// The search on the way to one host.
#[derive(Debug)]
struct Probe {
    host: String,
    echo: Echo,
    search: Search,
    sent: Instant,
}

/// All searches: a few at a time, each host's once in a round.
#[derive(Debug, Default)]
pub(super) struct Probes {
    running: Vec<Probe>,
    /// The host that was begun with last in this round.
    last: Option<String>,
    begun: Option<Instant>,
}

impl Probes {
    /// Takes the next step without waiting for anything; answers with what was found out.
    pub(super) fn step(
        &mut self,
        hosts: &BTreeMap<String, IpAddr>,
        here: &Here,
    ) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        self.running.retain_mut(|probe| {
            if hosts.get(&probe.host) != Some(&probe.echo.target()) {
                return false;
            }
            match probe.listen() {
                None => true,
                Some(Outcome::Path(mtu)) => {
                    found.push((probe.host.clone(), mtu.min(here.mtu)));
                    false
                }
                Some(Outcome::Unknown) => false,
            }
        });
        self.begin(hosts, here);
        found
    }

    fn begin(&mut self, hosts: &BTreeMap<String, IpAddr>, here: &Here) {
        if self.running.len() >= AT_ONCE {
            return;
        }
        let next = match &self.last {
            Some(last) => hosts
                .range::<String, _>((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)),
            None => {
                if self.begun.is_some_and(|at| at.elapsed() < ROUND) {
                    return;
                }
                self.begun = Some(Instant::now());
                hosts.range::<String, _>(..)
            }
        }
        .next();
        let Some((host, address)) = next else {
            self.last = None;
            return;
        };
        self.last = Some(host.clone());
        match Echo::open(here.address, *address) {
            Ok(echo) => {
                let mut probe = Probe {
                    host: host.clone(),
                    echo,
                    search: Search::new(here.mtu, LEAST.min(here.mtu)),
                    sent: Instant::now(),
                };
                // A request that cannot be sent is one that is not answered.
                probe.send();
                self.running.push(probe);
            }
            Err(error) => tracing::debug!(%host, %error, "the path's MTU cannot be probed"),
        }
    }
}

impl Probe {
    fn send(&mut self) {
        self.sent = Instant::now();
        self.echo.send(self.search.size());
    }

    /// Reads what came, and asks on.
    fn listen(&mut self) -> Option<Outcome> {
        let said = match self.echo.hear() {
            Some(Heard::Answer(size)) if size == self.search.size() => Said::Passed,
            Some(Heard::TooBig) => self.echo.route_mtu().map_or(Said::Silence, Said::Narrow),
            _ if self.sent.elapsed() < PATIENCE => return None,
            _ => Said::Silence,
        };
        let outcome = self.search.hear(said);
        match outcome {
            None => self.send(),
            Some(Outcome::Unknown) => {
                let known = self.echo.route_mtu();
                return known.map_or(outcome, |mtu| Some(Outcome::Path(mtu)));
            }
            Some(Outcome::Path(_)) => {}
        }
        outcome
    }
}
