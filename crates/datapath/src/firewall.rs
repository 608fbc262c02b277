//! The host's firewall: one nft table of ours, and one jump's worth of rules in Docker's chain.
//!
//! What must hold, whatever others have set up:
//!
//! 1. Endpoints reach the world by the host's address: their private addresses are
//!    masqueraded on the way out.
//! 2. Nobody but the host itself sends to `contiv0`, or by an interface of its own in a network,
//!    replies excepted: other links are not forwarded into containers, and containers not into
//!    other bridges.
//! 3. Endpoints of tenants other than the default one do not reach what listens on
//!    the host, replies excepted. Their private addresses are the upper half of the
//!    private subnet, so that no rule changes when an endpoint comes or goes. By the host's
//!    interface in a network of theirs they do not either, other than hosts by theirs.
//! 4. Containers behind other bridges do not reach the tunnel between hosts.
//! 5. The kernel tracks no connections of the tunnel.
//! 6. Docker drops what it does not know, so its chain for users lets us through;
//!    a drop of ours holds all the same, since every table has its say.

mod docker;
mod generation;
mod nft;

use std::time::{Duration, Instant};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::Error;
use crate::error::Failures;
use generation::generation;

/// How long a look at the rules is good for, while the kernel says that nothing changed.
const FRESH: Duration = Duration::from_secs(30);

/// What the rules depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Private addresses of all endpoints of the host, as they leave `contiv0`.
    pub(crate) private: Ipv4Net,
    pub(crate) private_ipv6: Ipv6Net,
    /// Those that may not reach the host's listeners.
    pub(crate) guests: Ipv4Net,
    pub(crate) guests_ipv6: Ipv6Net,
    /// Bridges of other containers, which ours are kept out of.
    pub(crate) bridges: Vec<String>,
    /// The tunnel's port, which those containers do not reach: they leave by the host's own
    /// address, which other hosts believe.
    pub(crate) tunnel_port: Option<u16>,
    /// Interfaces of the host itself in networks.
    pub(crate) footholds: Vec<String>,
    /// Those of them that are in networks of tenants other than the default one.
    pub(crate) guest_footholds: Vec<GuestFoothold>,
}

/// An interface of the host where it answers, and speaks to other hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestFoothold {
    pub(crate) link: String,
    /// The network, in which there are hosts alone.
    pub(crate) hosts: Ipv4Net,
    pub(crate) hosts_ipv6: Option<Ipv6Net>,
}

/// Keeps the rules as they should be, looking only as often as needed.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    /// What was set up, and how nft lists it.
    ours: Option<(Rules, String)>,
    looked: Option<Look>,
    /// Somebody else changed what was set up, which was not told yet.
    changed: bool,
}

/// When the rules were looked at, and what the kernel called their state.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    generation: Option<u32>,
}

impl Firewall {
    /// Makes the rules so; quick while nothing changed and the last look is fresh.
    pub(crate) fn ensure(&mut self, rules: &Rules) -> Result<(), Error> {
        let same = self.ours.as_ref().is_some_and(|(ours, _)| ours == rules);
        let now = generation();
        let fresh = |look: Look| look.at.elapsed() < FRESH && look.generation == now;
        if same && self.looked.is_some_and(fresh) {
            return Ok(());
        }
        let mut failures = Failures::default();
        failures.note(self.ensure_table(rules));
        failures.note(docker::ensure());
        failures.result()?;
        self.looked = Some(Look {
            at: Instant::now(),
            generation: generation(),
        });
        Ok(())
    }

    /// Looks after the rules of the last [`ensure`](Self::ensure), which others may have flushed.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.ours.clone() {
            Some((rules, _)) => self.ensure(&rules),
            None => Ok(()),
        }
    }

    /// Whether somebody else has changed the rules since this was asked last.
    pub(crate) fn was_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn ensure_table(&mut self, rules: &Rules) -> Result<(), Error> {
        if let Some((ours, listed)) = &self.ours
            && ours == rules
            && nft::list().as_ref() == Some(listed)
        {
            return Ok(());
        }
        if self.ours.as_ref().is_some_and(|(ours, _)| ours == rules) {
            self.changed = true;
        }
        nft::load(&nft::table(rules))?;
        self.ours = nft::list().map(|listed| (rules.clone(), listed));
        Ok(())
    }
}

/// Removes table and rules; fine where there are none, or no firewall at all.
pub(crate) fn remove() -> Result<(), Error> {
    let mut failures = Failures::default();
    failures.note(nft::remove());
    failures.note(docker::remove());
    failures.result()
}
