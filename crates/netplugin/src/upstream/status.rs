//! The host's status: what is applied, realised, in the way, and known of its endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contiv_model::agent::{EndpointStatus, Foothold, HostStatus, ObjectKind, ObjectRef, Revision};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::data_plane::{EndpointFacts, SharedPlane};
use crate::departures::Departures;
use crate::docker::Observed;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::mirror::Mirror;
use crate::orphans::Orphans;
use crate::reconcile::Outcome;
use crate::replica::Replica;

/// A master takes a host that is silent for longer for absent.
const REPORT: Duration = Duration::from_secs(5);
/// Changes that come together make one report.
const GATHER: Duration = Duration::from_millis(10);

/// Revisions that change nothing here are reported this often at most: fabrics are large, and
/// most of what happens is of no concern to a host.
const PROGRESS: Duration = Duration::from_secs(1);

/// Makes a report of what this host has applied, at once when that changes and now and then
/// anyway.
pub struct Reporter {
    pub host_name: String,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub metrics: Arc<Metrics>,
    pub observed: watch::Receiver<Observed>,
    pub outcome: watch::Receiver<Outcome>,
    pub departures: Arc<Departures>,
    /// The latest report; none before the first.
    pub status: watch::Sender<Option<Arc<HostStatus>>>,
}

impl Reporter {
    /// Makes reports until the agent ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut applications = self.replica.applications();
        let mut works = self.replica.works();
        let (mut progress, mut said) = (Instant::now(), Revision::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = works.changed() => {}
                _ = self.observed.changed() => {}
                _ = self.outcome.changed() => {}
                // The first one after a quiet time at once: somebody may wait for it.
                () = async {
                    let _ = applications.changed().await;
                    sleep_until(progress).await;
                } => {}
                () = sleep(REPORT) => {}
            }
            sleep(GATHER).await;
            progress = Instant::now() + PROGRESS;
            applications.mark_unchanged();
            works.mark_unchanged();
            self.observed.mark_unchanged();
            self.outcome.mark_unchanged();
            match self.look(&mut said).await {
                Ok(status) => drop(self.status.send_replace(Some(Arc::new(status)))),
                Err(error) => tracing::error!(%error, "cannot read the data plane"),
            }
        }
    }

    /// `said` is the revision that was said to be applied last.
    async fn look(&self, said: &mut Revision) -> Result<HostStatus, Error> {
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
        // In this order: what was made anew under its old name is known to be so by the time that
        // its revision is said to be applied, and so is what could not be put in force.
        let applied = self.replica.applied();
        // While masters are to hear of endpoints here, they do not give away the addresses of those
        // that these have replaced: the host has not said that it has heard of their end.
        if !self.departures.orphans.are_untold(&self.replica.read()) {
            *said = applied;
        }
        let outcome = self.outcome.borrow().clone();
        let mut realised = still_the_same(observed.realised.clone(), &self.replica.read());
        realised.extend(interfaces(&kernel, &self.replica.read()));
        let ids = living(
            &self.replica.read(),
            &self.host_name,
            &self.departures.orphans,
        );
        let endpoints: BTreeMap<String, EndpointStatus> = ids
            .into_iter()
            .map(|id| {
                let status = endpoint_status(&id, &kernel, &observed);
                (id, status)
            })
            .collect();
        Ok(HostStatus {
            applied: *said,
            realised,
            problems: [outcome.problems, observed.problems].concat(),
            endpoints,
            taken: Some(outcome.taken),
        })
    }
}

/// Endpoints of this host: those that masters have told it of, and those that live here although
/// masters do not know them. They may have lost these in a restore, and give no address before
/// they know them again.
fn living(mirror: &Mirror, host: &str, orphans: &Orphans) -> Vec<String> {
    let local = mirror.endpoints().filter(|e| e.host == host);
    let known = local.map(|e| e.id.clone());
    let orphans = orphans.views(mirror).into_iter();
    known.chain(orphans.map(|orphan| orphan.id)).collect()
}

/// Of the objects that had their Docker network, those that were not made anew since.
fn still_the_same(realised: BTreeMap<ObjectRef, String>, mirror: &Mirror) -> Vec<ObjectRef> {
    let same = |(object, uid): (ObjectRef, String)| {
        let now = mirror.uid(&object);
        now.is_none_or(|now| now == uid).then_some(object)
    };
    realised.into_iter().filter_map(same).collect()
}

/// Networks in which the kernel has an interface of the host's own: of the same network, or of one
/// that has gone and whose interface has not.
fn interfaces(kernel: &BTreeMap<String, EndpointFacts>, mirror: &Mirror) -> Vec<ObjectRef> {
    let of = |(id, facts): (&String, &EndpointFacts)| {
        let foothold = Foothold::parse(id)?;
        let made = facts.spec.as_ref()?.network;
        let now = mirror.network(foothold.tenant, foothold.network);
        now.is_none_or(|now| now.number == made).then(|| ObjectRef {
            kind: ObjectKind::Network,
            key: foothold.network_key(),
        })
    };
    kernel.iter().filter_map(of).collect()
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
    use contiv_model::agent::{EndpointView, HostObject, Mac, StreamMessage};

    use super::*;
    use crate::mirror::tests::network;

    #[test]
    fn what_lives_here_is_told_whether_masters_know_it_or_not() {
        let endpoint = |id: &str, host: &str| EndpointView {
            id: id.into(),
            tenant: "default".into(),
            network: "net".into(),
            group: None,
            host: host.into(),
            ipv4: [10, 1, 0, 1].into(),
            ipv6: None,
            mac: Mac([2; 6]),
        };
        let mut mirror = Mirror::default();
        let known = [endpoint("known", "h1"), endpoint("theirs", "h2")];
        mirror.apply(StreamMessage::Snapshot {
            revision: Revision::default(),
            objects: known.map(HostObject::Endpoint).into(),
        });
        let orphans = Orphans::default();
        orphans.replace("lost", &endpoint("before", "h1"), None);
        assert_eq!(living(&mirror, "h1", &orphans), ["known", "lost"]);
    }

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
