//! Examines this host: what the kernel is and holds, and the ways to the other hosts.
//!
//! Facts are gathered here; [`kernel`], [`hooks`], [`addresses`] and [`ways`] judge them, each in
//! pure code. Masters ask for it, and the agent itself once after its start.

mod addresses;
mod hails;
mod hooks;
mod kernel;
mod ways;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contiv_datapath::Inspection;
use contiv_model::agent::{DoctorAnswer, DoctorQuestion, Peer};
use contiv_model::doctor::{Finding, Severity};
use tokio_util::sync::CancellationToken;

use crate::counters::now;
use crate::data_plane::SharedPlane;
use crate::error::Error;
use crate::replica::Replica;
pub(crate) use hails::Hails;
use ways::Ways;

/// The other agents may still be on their way when this one is ready.
const SETTLED: Duration = Duration::from_secs(5);

/// Knows how to examine the host.
#[derive(Clone)]
pub struct Doctor {
    pub host_name: String,
    pub replica: Arc<Replica>,
    pub plane: SharedPlane,
    pub(crate) hails: Arc<Hails>,
}

impl Doctor {
    /// Makes one that hails nobody before [`Hails::run`] runs.
    pub fn new(host_name: &str, replica: &Arc<Replica>, plane: &SharedPlane) -> Doctor {
        Doctor {
            host_name: host_name.to_owned(),
            replica: Arc::clone(replica),
            plane: plane.clone(),
            hails: Arc::default(),
        }
    }

    /// Examines the host, and repairs what can be if that is asked for.
    pub async fn examine(&self, question: DoctorQuestion) -> Result<DoctorAnswer, Error> {
        let before = self.inspect().await?;
        let peers = self.peers(question.peers, &before);
        let ways = self.ways(&before, &peers).await;
        // What arrives damaged arrives meanwhile.
        let facts = self.inspect().await?;
        let mut findings = kernel::judge(&facts.kernel);
        findings.extend(hooks::judge(&facts));
        findings.extend(ways::judge(&facts, &ways));
        findings.extend(ways::judge_checksums(
            facts.underlay.as_ref(),
            before.bad_checksums,
            facts.bad_checksums,
        ));
        findings.extend(addresses::conflicts(
            &self.plane.with(|plane| plane.taken_prefixes()).await?,
            &self.replica.read().networks().cloned().collect::<Vec<_>>(),
        ));
        findings.extend(self.strays(&facts, question.fix).await?);
        for finding in &mut findings {
            finding.host.clone_from(&self.host_name);
        }
        Ok(DoctorAnswer {
            clock: now(),
            findings,
        })
    }

    /// Examines the host once after the agent's start, and says in the log what is not well.
    pub async fn check_start(self, stop: CancellationToken) {
        let first = async {
            let mut applied = self.replica.applications();
            let _ = applied.wait_for(|revision| revision.number > 0).await;
            tokio::time::sleep(SETTLED).await;
            self.examine(DoctorQuestion::default()).await
        };
        let answer = tokio::select! {
            () = stop.cancelled() => return,
            answer = first => answer,
        };
        match answer {
            Ok(answer) => answer.findings.iter().for_each(tell),
            Err(error) => tracing::warn!(%error, "the host cannot be examined"),
        }
    }

    async fn inspect(&self) -> Result<Inspection, Error> {
        self.plane.with(|plane| plane.inspect()).await
    }

    /// Hosts that endpoints here may want to reach, and those that the master names.
    fn peers(&self, named: Vec<Peer>, facts: &Inspection) -> BTreeMap<String, IpAddr> {
        let named = named.into_iter().map(|peer| (peer.name, peer.tunnel));
        let paths = facts.underlay.iter().flat_map(|underlay| &underlay.paths);
        let known = paths.map(|(name, path)| (name.clone(), path.address));
        let mut peers: BTreeMap<String, IpAddr> = named.chain(known).collect();
        peers.remove(&self.host_name);
        peers
    }

    async fn ways(&self, facts: &Inspection, peers: &BTreeMap<String, IpAddr>) -> Ways {
        match &facts.underlay {
            Some(underlay) => self.hails.around(peers, underlay.mtu).await,
            None => Ways::unknown(peers),
        }
    }

    async fn strays(&self, facts: &Inspection, fix: bool) -> Result<Vec<Finding>, Error> {
        let swept = match fix && !facts.stray.is_empty() {
            true => self.plane.with(|plane| plane.sweep()).await?,
            false => Vec::new(),
        };
        Ok(addresses::strays(&facts.stray, &swept))
    }
}

/// A finding as a line of the log.
fn tell(finding: &Finding) {
    let Finding {
        check,
        subject,
        what,
        remedy,
        ..
    } = finding;
    match finding.severity {
        Severity::Ok => tracing::debug!(check, subject, "{what}"),
        Severity::Warning => tracing::warn!(check, subject, remedy, "{what}"),
        Severity::Error => tracing::error!(check, subject, remedy, "{what}"),
    }
}
