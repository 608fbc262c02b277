//! The conversation with the masters: what they tell, and what the host reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contiv_client::{Error as ClientError, HostClient};
use contiv_model::agent::{EndpointStatus, HostStatus, ObjectRef, Register, STREAM_VERSION};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::data_plane::{EndpointFacts, SharedPlane};
use crate::docker::Observed;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::mirror::Mirror;
use crate::reconcile::Outcome;
use crate::replica::Replica;

const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// A master takes a host that is silent for longer for absent.
const REPORT: Duration = Duration::from_secs(5);
/// Changes that come together make one report.
const GATHER: Duration = Duration::from_millis(10);

/// Reads the stream into the replica, and reads on after every failure.
pub struct Listener {
    pub host: HostClient,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub metrics: Arc<Metrics>,
    /// Counts registrations: after each, the master wants a report.
    pub registrations: watch::Sender<u64>,
}

impl Listener {
    /// Listens until the agent ends.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = RETRY.0;
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.listen(&mut pause) => heard,
            };
            if self.metrics.stream.set(0) == 1 {
                tracing::warn!(error = %heard, "no master tells of changes; enforcing what is known");
            } else {
                tracing::debug!(error = %heard, "no master yet");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => pause = (pause * 2).min(RETRY.1),
            }
        }
    }

    async fn listen(&self, pause: &mut Duration) -> Error {
        match self.register().await {
            Ok(()) => self.registrations.send_modify(|n| *n += 1),
            Err(error) => return error,
        }
        let after = {
            let mirror = self.replica.read();
            mirror.is_complete().then(|| mirror.revision())
        };
        let mut stream = match self.host.stream(after).await {
            Ok(stream) => stream,
            Err(error) => return error.into(),
        };
        let master = stream.master().to_owned();
        while let Some(message) = stream.next().await {
            match message {
                Ok(message) => self.replica.apply(message),
                Err(error) => return error.into(),
            }
            *pause = RETRY.0;
            if self.metrics.stream.set(1) == 0 {
                tracing::info!(master, revision = %self.replica.heard(), "listening to a master");
            }
        }
        Error::Master(ClientError::StreamEnded {
            master,
            reason: "it ended".into(),
        })
    }

    async fn register(&self) -> Result<(), Error> {
        let taken = self.plane.with(|plane| plane.taken_prefixes()).await?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let register = Register {
            stream_version: STREAM_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            boot_id: boot_id.unwrap_or_default().trim().to_owned(),
            taken,
        };
        self.host.register(&register).await?;
        Ok(())
    }
}

/// Reports what this host has applied, at once when it changes and now and then anyway.
pub struct Reporter {
    pub host_name: String,
    pub host: HostClient,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub metrics: Arc<Metrics>,
    pub observed: watch::Receiver<Observed>,
    pub outcome: watch::Receiver<Outcome>,
    pub registrations: watch::Receiver<u64>,
}

impl Reporter {
    /// Reports until the agent ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut applications = self.replica.applications();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = applications.changed() => {}
                _ = self.observed.changed() => {}
                _ = self.outcome.changed() => {}
                _ = self.registrations.changed() => {}
                () = sleep(REPORT) => {}
            }
            sleep(GATHER).await;
            applications.mark_unchanged();
            self.observed.mark_unchanged();
            self.outcome.mark_unchanged();
            if *self.registrations.borrow_and_update() == 0 {
                continue; // Masters do not know this host yet.
            }
            let status = match self.status().await {
                Ok(status) => status,
                Err(error) => {
                    tracing::error!(%error, "cannot read the data plane");
                    continue;
                }
            };
            if let Err(error) = self.host.report(&status).await {
                tracing::debug!(%error, "no master takes the report");
            }
        }
    }

    async fn status(&self) -> Result<HostStatus, Error> {
        let kernel = self.plane.with(|plane| plane.endpoints()).await?;
        self.metrics
            .endpoints
            .set(i64::try_from(kernel.len()).unwrap_or(i64::MAX));
        self.metrics
            .set_drops(kernel.iter().flat_map(|(id, facts)| {
                facts
                    .drops
                    .iter()
                    .map(|(reason, n)| (id.as_str(), reason.as_str(), *n))
            }));
        let observed = self.observed.borrow().clone();
        let outcome = self.outcome.borrow().clone();
        // In this order: what was made anew under its old name is known to be so by the time that
        // its revision is said to be applied.
        let applied = self.replica.applied();
        let realised = still_the_same(observed.realised.clone(), &self.replica.read());
        let ids: Vec<String> = {
            let mirror = self.replica.read();
            let local = mirror.endpoints().filter(|e| e.host == self.host_name);
            local.map(|e| e.id.clone()).collect()
        };
        let endpoints: BTreeMap<String, EndpointStatus> = ids
            .into_iter()
            .map(|id| {
                let status = endpoint_status(&id, &kernel, &observed);
                (id, status)
            })
            .collect();
        Ok(HostStatus {
            applied,
            realised,
            problems: [outcome.problems, observed.problems].concat(),
            endpoints,
            taken: Some(outcome.taken),
        })
    }
}

/// Of the objects that had their Docker network, those that were not made anew since.
fn still_the_same(realised: BTreeMap<ObjectRef, String>, mirror: &Mirror) -> Vec<ObjectRef> {
    let same = |(object, uid): (ObjectRef, String)| {
        let now = mirror.uid(&object);
        now.is_none_or(|now| now == uid).then_some(object)
    };
    realised.into_iter().filter_map(same).collect()
}

fn endpoint_status(
    id: &str,
    kernel: &BTreeMap<String, EndpointFacts>,
    observed: &Observed,
) -> EndpointStatus {
    let facts = kernel.get(id).cloned().unwrap_or_default();
    let container = observed.containers.get(id).cloned().unwrap_or_default();
    EndpointStatus {
        container_id: container.id,
        container_name: container.name,
        labels: container.labels,
        interface: facts.interface,
        private_address: facts.private_address,
        drops: facts.drops,
    }
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::{ObjectKind, Revision, StreamMessage};

    use super::*;
    use crate::mirror::tests::network;

    #[test]
    fn a_word_about_an_object_is_not_one_about_its_namesake() {
        let mut mirror = Mirror::default();
        mirror.apply(StreamMessage::Snapshot {
            revision: Revision::default(),
            objects: vec![network("default", "kept", 1, "10.1.0.0/16")],
        });
        let named = |name: &str| ObjectRef {
            kind: ObjectKind::Network,
            key: format!("default:{name}"),
        };
        let realised = |uid: &str| BTreeMap::from([(named("kept"), uid.to_owned())]);
        let told = still_the_same(realised("uid-default-kept"), &mirror);
        assert_eq!(told, [named("kept")]);
        assert_eq!(still_the_same(realised("uid-of-before"), &mirror), []);
        // What is deleted still has its Docker network, until somebody has seen that go.
        let gone = BTreeMap::from([(named("gone"), "uid-of-before".to_owned())]);
        assert_eq!(still_the_same(gone, &mirror), [named("gone")]);
    }
}
