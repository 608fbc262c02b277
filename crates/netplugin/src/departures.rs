//! Endpoints that are to go, and are not gone everywhere yet.
//!
//! The engine deletes an endpoint once and does not care for the answer. What the
//! kernel or the master could not do then is done later, as often as it takes. An
//! endpoint is forgotten here when the kernel has no trace of it, the master has
//! released it, and the mirror has heard so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_client::HostClient;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::data_plane::SharedPlane;
use crate::orphans::Orphans;
use crate::replica::Replica;

/// Between tries while something refuses or is away.
const AGAIN: Duration = Duration::from_secs(1);

/// The mirror hears of a release within this time.
const NEWS: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InKernel,
    AtMaster,
    /// Since then, as a master has said.
    Released(Instant),
}

/// The endpoints that are to go, by id.
#[derive(Debug, Default)]
pub struct Departures {
    stages: Mutex<BTreeMap<String, Stage>>,
    more: Notify,
    /// What comes in the place of endpoints that are going.
    pub orphans: Arc<Orphans>,
}

impl Departures {
    /// From now on the endpoint is going, and is nobody's to use.
    pub fn add(&self, id: &str) {
        self.stages()
            .entry(id.to_owned())
            .or_insert(Stage::InKernel);
    }

    /// Has [`Departures::run`] look at what is left to do.
    pub fn wake(&self) {
        self.more.notify_one();
    }

    pub fn contains(&self, id: &str) -> bool {
        self.stages().contains_key(id)
    }

    /// Every endpoint that is going.
    pub fn ids(&self) -> BTreeSet<String> {
        self.stages().keys().cloned().collect()
    }

    /// Does the next steps for one endpoint, as far as they succeed.
    pub async fn depart(&self, id: &str, plane: &SharedPlane, host: &HostClient) {
        let stage = |departures: &Departures| departures.stages().get(id).copied();
        if stage(self) == Some(Stage::InKernel) {
            let endpoint = id.to_owned();
            match plane
                .with(move |plane| plane.remove_endpoint(&endpoint))
                .await
            {
                Ok(()) => self.reach(id, Stage::AtMaster),
                Err(error) => tracing::warn!(endpoint = id, %error, "endpoint not removed yet"),
            }
        }
        if stage(self) == Some(Stage::AtMaster) && !self.orphans.keeps(id) {
            match host.delete_endpoint(id).await {
                Err(error) if !error.is_not_found() => {
                    tracing::warn!(endpoint = id, %error, "endpoint not released yet");
                }
                _ => self.reach(id, Stage::Released(Instant::now())),
            }
        }
    }

    /// Forgets those that the mirror no longer holds either. What it holds for long is released
    /// again: the master that answered may have been behind and not have known of it yet, or the
    /// store have been restored from an older copy.
    pub fn forget_released(&self, replica: &Replica) {
        let mirror = replica.read();
        self.stages().retain(|id, stage| match *stage {
            Stage::Released(_) if mirror.endpoint(id).is_none() => false,
            Stage::Released(since) if since.elapsed() >= NEWS => {
                *stage = Stage::AtMaster;
                true
            }
            _ => true,
        });
    }

    fn reach(&self, id: &str, stage: Stage) {
        if let Some(known) = self.stages().get_mut(id) {
            *known = stage;
        }
    }

    fn stages(&self) -> MutexGuard<'_, BTreeMap<String, Stage>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until the agent ends.
    pub async fn run(
        &self,
        plane: SharedPlane,
        host: HostClient,
        replica: &Replica,
        stop: CancellationToken,
    ) {
        let mut changes = replica.changes();
        while !stop.is_cancelled() {
            self.forget_released(replica);
            for id in self.ids() {
                self.depart(&id, &plane, &host).await;
            }
            self.forget_released(replica);
            let idle = self.stages().is_empty();
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.more.notified() => {}
                Ok(()) = changes.changed(), if !idle => {}
                () = tokio::time::sleep(AGAIN), if !idle => {}
            }
        }
    }
}
