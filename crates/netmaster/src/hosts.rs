//! The hosts, as they report themselves. Nothing of it is stored: a host that is
//! alive says all of it again after the master's start. What is to last, they say in
//! their first words, which become a record of the fabric.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_fabric::HostReports;
use contiv_model::agent::{HostStatus, Register, Revision};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A host reports every five seconds; one that is silent for longer than this is
/// absent, even if its connection is not closed.
const SILENCE: Duration = Duration::from_secs(20);

/// What the hosts say, and which of them are there.
#[derive(Debug)]
pub struct Hosts {
    /// Tells hosts whether this master still knows what they have said.
    life: String,
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    reports: HostReports,
    presence: BTreeMap<String, Presence>,
}

/// What `live` follows from.
#[derive(Debug)]
struct Presence {
    streams: usize,
    heard: Instant,
    agent_version: String,
    boot_id: String,
    /// Ends the streams of a host that is removed: it is to register anew.
    removed: CancellationToken,
}

/// A stream to a host, open until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    hosts: Arc<Hosts>,
    host: String,
    removed: CancellationToken,
}

/// A host, with what the master itself knows of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostFacts {
    pub(crate) name: String,
    pub(crate) report: contiv_fabric::HostReport,
    pub(crate) agent_version: String,
    /// For how long nothing was heard of it.
    pub(crate) silent: Option<Duration>,
}

impl Default for Hosts {
    fn default() -> Self {
        Hosts {
            life: Uuid::new_v4().to_string(),
            known: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Hosts {
    /// Changes with each start of the master.
    pub(crate) fn life(&self) -> &str {
        &self.life
    }

    /// Takes a host's first words.
    pub(crate) fn register(&self, host: &str, register: Register) {
        let mut known = self.known();
        let presence = known.presence(host);
        let rebooted = !presence.boot_id.is_empty() && presence.boot_id != register.boot_id;
        presence.heard = Instant::now();
        presence.agent_version = register.agent_version;
        presence.boot_id = register.boot_id;
        let report = known.reports.hosts.entry(host.to_owned()).or_default();
        if rebooted {
            // Its kernel holds nothing of what it reported.
            report.applied = Revision::default();
        }
        report.taken = register.taken;
        drop(known);
        self.tell();
    }

    /// Takes a host's report, which replaces the one before.
    pub(crate) fn report(&self, host: &str, status: HostStatus) {
        let mut known = self.known();
        known.presence(host).heard = Instant::now();
        let report = known.reports.hosts.entry(host.to_owned()).or_default();
        report.applied = status.applied;
        report.realised = status.realised;
        report.problems = status.problems;
        report.endpoints = status.endpoints;
        if let Some(taken) = status.taken {
            report.taken = taken;
        }
        known.judge(host, Instant::now());
        drop(known);
        self.tell();
    }

    /// A stream to the host begins.
    pub(crate) fn open_stream(self: &Arc<Self>, host: &str) -> OpenStream {
        let mut known = self.known();
        let presence = known.presence(host);
        presence.streams += 1;
        presence.heard = Instant::now();
        let removed = presence.removed.clone();
        known.judge(host, Instant::now());
        drop(known);
        self.tell();
        OpenStream {
            hosts: Arc::clone(self),
            host: host.to_owned(),
            removed,
        }
    }

    /// Whether a host has said anything since this master's start.
    pub(crate) fn knows(&self, host: &str) -> bool {
        self.known().presence.contains_key(host)
    }

    /// Forgets a host that is removed, and ends its streams.
    pub(crate) fn forget(&self, host: &str) {
        let mut known = self.known();
        known.reports.hosts.remove(host);
        if let Some(presence) = known.presence.remove(host) {
            presence.removed.cancel();
        }
        drop(known);
        self.tell();
    }

    /// Takes note of who has become silent.
    pub(crate) fn notice_silence(&self, now: Instant) {
        let mut known = self.known();
        let hosts: Vec<String> = known.presence.keys().cloned().collect();
        let mut changed = false;
        for host in hosts {
            changed |= known.judge(&host, now);
        }
        drop(known);
        if changed {
            self.tell();
        }
    }

    /// What `look` sees in the reports.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&HostReports) -> T) -> T {
        look(&self.known().reports)
    }

    /// Every host that has registered, in the order of names.
    pub(crate) fn list(&self) -> Vec<HostFacts> {
        let known = self.known();
        let facts = |(name, report): (&String, &contiv_fabric::HostReport)| HostFacts {
            name: name.clone(),
            report: report.clone(),
            agent_version: known
                .presence
                .get(name)
                .map(|p| p.agent_version.clone())
                .unwrap_or_default(),
            silent: known.presence.get(name).map(|p| p.heard.elapsed()),
        };
        known.reports.hosts.iter().map(facts).collect()
    }

    /// Wakes on each report, registration and stream.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn presence(&mut self, host: &str) -> &mut Presence {
        self.reports.hosts.entry(host.to_owned()).or_default();
        self.presence
            .entry(host.to_owned())
            .or_insert_with(|| Presence {
                streams: 0,
                heard: Instant::now(),
                agent_version: String::new(),
                boot_id: String::new(),
                removed: CancellationToken::new(),
            })
    }

    /// Sets whether the host is live; true when that has changed.
    fn judge(&mut self, host: &str, now: Instant) -> bool {
        let (Some(presence), Some(report)) =
            (self.presence.get(host), self.reports.hosts.get_mut(host))
        else {
            return false;
        };
        let live = presence.streams > 0 && now.saturating_duration_since(presence.heard) < SILENCE;
        if live == report.live {
            return false;
        }
        report.live = live;
        if live {
            tracing::info!(host, agent = presence.agent_version, "host is here");
        } else {
            tracing::warn!(host, "host is away");
        }
        true
    }
}

impl OpenStream {
    /// Waits until the host is removed.
    pub(crate) async fn removed(&self) {
        self.removed.cancelled().await;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        // A host that was removed may have come anew, and this stream is none of its.
        if self.removed.is_cancelled() {
            return;
        }
        known.presence(&self.host).streams -= 1;
        known.judge(&self.host, Instant::now());
        drop(known);
        self.hosts.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        Register {
            stream_version: 1,
            agent_version: "0".into(),
            boot_id: "b".into(),
            taken: Vec::new(),
            tunnel: None,
            mtu: None,
            control: None,
            vxlan_port: None,
        }
    }

    fn live(hosts: &Hosts) -> bool {
        hosts.read(|reports| reports.live().count() > 0)
    }

    #[test]
    fn a_host_is_live_while_a_stream_is_open_and_it_reports() {
        let hosts = Arc::new(Hosts::default());
        hosts.register("h", register());
        assert!(!live(&hosts));
        let old = hosts.open_stream("h");
        assert!(live(&hosts));
        // The agent comes back before the loss of its old connection is noticed.
        let new = hosts.open_stream("h");
        drop(old);
        assert!(live(&hosts));

        hosts.notice_silence(Instant::now() + SILENCE);
        assert!(!live(&hosts));
        hosts.report("h", HostStatus::default());
        assert!(live(&hosts));
        drop(new);
        assert!(!live(&hosts));
    }
}
