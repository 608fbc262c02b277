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
    /// It has registered here.
    introduced: bool,
    /// Its status is known, so that its progress is all that is new.
    reported: bool,
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
        presence.introduced = true;
        let report = known.reports.hosts.entry(host.to_owned()).or_default();
        if rebooted {
            // Its kernel holds nothing of what it reported.
            report.applied = Revision::default();
        }
        report.taken = register.taken;
    }

    /// Takes a host's report, which replaces the one before.
    pub(crate) fn report(&self, host: &str, status: HostStatus) {
        let mut known = self.known();
        let presence = known.presence(host);
        presence.heard = Instant::now();
        presence.reported = true;
        let report = known.reports.hosts.entry(host.to_owned()).or_default();
        let moved = report.applied != status.applied;
        report.applied = status.applied;
        report.realised = status.realised;
        report.problems = status.problems;
        report.endpoints = status.endpoints;
        if let Some(taken) = status.taken {
            report.taken = taken;
        }
        let changed = known.judge(host, Instant::now());
        drop(known);
        if moved || changed {
            self.tell();
        }
    }

    /// Takes how far a host has come; false when its status is not known here.
    pub(crate) fn progress(&self, host: &str, applied: Revision) -> bool {
        let mut known = self.known();
        let presence = known.presence.get_mut(host).filter(|p| p.reported);
        let Some(presence) = presence else {
            return false;
        };
        presence.heard = Instant::now();
        let report = known.reports.hosts.entry(host.to_owned()).or_default();
        let moved = std::mem::replace(&mut report.applied, applied) != applied;
        let changed = known.judge(host, Instant::now());
        drop(known);
        if moved || changed {
            self.tell();
        }
        true
    }

    /// A stream to the host begins.
    pub(crate) fn open_stream(self: &Arc<Self>, host: &str) -> OpenStream {
        let mut known = self.known();
        let presence = known.presence(host);
        presence.streams += 1;
        presence.heard = Instant::now();
        let removed = presence.removed.clone();
        let changed = known.judge(host, Instant::now());
        drop(known);
        if changed {
            self.tell();
        }
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

    /// Forgets hosts that were removed at another master: those that have registered and are on
    /// record no more.
    pub(crate) fn forget_removed(&self, is_on_record: impl Fn(&str) -> bool) {
        let gone: Vec<String> = {
            let known = self.known();
            let here = known.presence.iter().filter(|(_, p)| p.introduced);
            let gone = here.filter(|(host, _)| !is_on_record(host));
            gone.map(|(host, _)| host.clone()).collect()
        };
        for host in gone {
            tracing::info!(host, "host was removed");
            self.forget(&host);
        }
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

    /// Wakes when a host has come further, is here or is away.
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
                introduced: false,
                reported: false,
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
        let changed = known.judge(&self.host, Instant::now());
        drop(known);
        if changed {
            self.hosts.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        Register {
            stream_version: 1,
            oldest_stream_version: None,
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

    #[test]
    fn progress_is_taken_of_a_host_whose_status_is_known() {
        let hosts = Arc::new(Hosts::default());
        hosts.register("h", register());
        let applied = Revision {
            epoch: 1,
            number: 7,
        };
        assert!(!hosts.progress("h", applied));
        let mut status = HostStatus::default();
        status.endpoints.insert("e".into(), Default::default());
        hosts.report("h", status);
        let changes = hosts.changes();
        assert!(hosts.progress("h", applied));
        assert!(changes.has_changed().unwrap());
        let report = hosts.read(|reports| reports.hosts["h"].clone());
        assert_eq!((report.applied, report.endpoints.len()), (applied, 1));

        hosts.forget_removed(|host| host == "h");
        assert!(hosts.knows("h"));
        let stream = hosts.open_stream("h");
        hosts.forget_removed(|_| false);
        assert!(!hosts.knows("h") && stream.removed.is_cancelled());
        assert!(!hosts.progress("h", applied));
    }
}
