//! Brings the kernel to what the mirror asks for, as often as the mirror changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contiv_datapath::{Cause, Repair, Shortfall, Subject};
use contiv_model::agent::{ObjectKind, ObjectRef, Problem, TakenPrefix};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::data_plane::SharedPlane;
use crate::departures::Departures;
use crate::error::Error;
use crate::events::EventLog;
use crate::metrics::Metrics;
use crate::mirror::{Remotes, Surroundings, desired, problem};
use crate::replica::Replica;
use crate::underlay::Underlay;

/// How long a look at the host's own prefixes is good for.
const FRESH: Duration = Duration::from_secs(5);
/// Between tries while the kernel refuses, and between looks when all is well.
const PATROL: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);
/// Between two ticks of the data plane.
const TEND: Duration = Duration::from_millis(250);

/// What applying came to, for the status report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub problems: Vec<Problem>,
    pub taken: Vec<TakenPrefix>,
}

/// The one task that fills the kernel; handlers add single endpoints beside it.
pub struct Reconciler {
    pub host_name: String,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub departures: Arc<Departures>,
    pub metrics: Arc<Metrics>,
    pub underlay: Arc<Underlay>,
    pub outcome: watch::Sender<Outcome>,
}

/// When the host's own links and prefixes were looked at, and for which networks.
struct Look {
    at: Instant,
    networks: BTreeSet<u32>,
    mtu: u32,
}

impl Reconciler {
    /// Works until the agent ends. Nothing is torn down before the first snapshot.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.replica.changes();
        let (mut done, mut last) = (None, None);
        let remotes = Arc::new(Mutex::new(Remotes::default()));
        let mut again = Instant::now() + PATROL;
        loop {
            // In this order: what the revision came with is then counted in `change`.
            let revision = self.replica.heard();
            let change = *changes.borrow_and_update();
            if self.replica.read().is_complete() && done != Some(change) {
                let mut pause = PATROL;
                match self.apply(&mut last, &remotes).await {
                    Ok(lacks) => {
                        done = Some(change);
                        // A refused policy stays refused until the rules change.
                        if lacks.iter().any(|lack| lack.cause != Cause::Policy) {
                            pause = RETRY;
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, %revision, "the kernel does not hold what it should");
                        self.outcome
                            .send_modify(|o| o.problems = vec![failure(&error)]);
                        pause = RETRY;
                    }
                }
                again = Instant::now() + pause;
            }
            if done == Some(change) {
                self.replica.set_applied(revision, change);
                self.metrics
                    .applied
                    .set(i64::try_from(revision.number).unwrap_or(i64::MAX));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // Masters say every few seconds that nothing has changed: that puts nothing off.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(again) => {
                    done = None;
                    again = Instant::now() + PATROL;
                }
            }
        }
    }

    async fn apply(
        &self,
        last: &mut Option<Look>,
        remotes: &Arc<Mutex<Remotes>>,
    ) -> Result<Vec<Shortfall>, Error> {
        let networks = self.replica.read().networks().map(|n| n.number).collect();
        // A new network gets no route before it is certain that the host has no use for it.
        let fresh = |last: &&Look| last.at.elapsed() < FRESH && last.networks == networks;
        let known = last.as_ref().filter(fresh).map(|last| last.mtu);
        let known = known.map(|mtu| (self.outcome.borrow().taken.clone(), mtu));
        let look = known.is_none();
        let (replica, departures) = (Arc::clone(&self.replica), Arc::clone(&self.departures));
        let host = self.host_name.clone();
        let (tunnel, remotes) = (self.underlay.known(), Arc::clone(remotes));
        let started = Instant::now();
        let applied = self.plane.with(move |plane| {
            let (taken, mtu) = match known {
                Some(known) => known,
                None => (plane.taken_prefixes()?, plane.link_mtu()?),
            };
            // Read with the data plane in hand: what a handler adds afterwards is in no
            // older picture, and so is not removed by one.
            let mut mirror = replica.read();
            let touched = mirror.take_touched();
            let lost = mirror.has_lost(&touched);
            let remote = {
                let mut remotes = remotes.lock().unwrap_or_else(PoisonError::into_inner);
                remotes.follow(&mirror, touched, &host);
                remotes.specs()
            };
            let mut gone = departures.ids();
            let orphans = &departures.orphans;
            if lost {
                let kernel = plane.endpoints()?;
                orphans.notice(&mirror, &host, &kernel, &gone);
            }
            gone.extend(orphans.replaced());
            let around = Surroundings {
                host,
                mtu,
                taken,
                gone,
                tunnel,
                remote,
                orphans: orphans.views(&mirror),
            };
            let wanted = desired(&mirror, &around);
            drop(mirror);
            let lacks = plane.apply(&wanted.desired)?;
            let mut problems = wanted.problems;
            problems.extend(lacks.iter().filter_map(|l| problem(&replica.read(), l)));
            problems.extend(departures.orphans.problems());
            let taken = around.taken;
            Ok::<_, Error>((Outcome { problems, taken }, lacks, mtu))
        });
        let (outcome, lacks, mtu) = applied.await?;
        self.metrics.apply.observe(started.elapsed().as_secs_f64());
        if look {
            *last = Some(Look {
                at: started,
                networks,
                mtu,
            });
        }
        self.replica.set_closed(closed(&lacks));
        for problem in &outcome.problems {
            if !self.outcome.borrow().problems.contains(problem) {
                let Problem {
                    object,
                    reason,
                    message,
                } = problem;
                tracing::warn!(
                    ?object,
                    reason,
                    message,
                    "an object is not as it should be here"
                );
            }
        }
        self.outcome
            .send_if_modified(|old| std::mem::replace(old, outcome.clone()) != outcome);
        Ok(lacks)
    }
}

/// Has the data plane do what is to be done from time to time, until the agent ends.
///
/// What others took away and was put back is told as events.
pub(crate) async fn tend(
    plane: SharedPlane,
    replica: Arc<Replica>,
    events: Arc<EventLog>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TEND) => {}
        }
        let (done, repairs) = plane.with(|plane| (plane.tick(), plane.repairs())).await;
        for repair in repairs {
            let Repair {
                lost,
                endpoint,
                message,
            } = repair;
            events.push(crate::events::repair(lost.name(), &endpoint, message));
        }
        if matches!(done, Ok(true)) {
            replica.look_again();
        }
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(%error, "the data plane cannot be tended");
        }
        failing = done.is_err();
    }
}

/// Why endpoints are closed, by id.
fn closed(lacks: &[Shortfall]) -> BTreeMap<String, String> {
    let closed = lacks.iter().filter_map(|lack| match &lack.subject {
        Subject::Endpoint(id) => Some((id.clone(), lack.message.clone())),
        _ => None,
    });
    closed.collect()
}

fn failure(error: &Error) -> Problem {
    Problem {
        object: ObjectRef {
            kind: ObjectKind::Global,
            key: "global".into(),
        },
        reason: "DataPlane".into(),
        message: error.to_string(),
    }
}
