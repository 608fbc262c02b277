//! What hosts say about themselves; known to a master while it runs, and never stored.

use std::collections::BTreeMap;

use contiv_model::agent::{EndpointStatus, ObjectRef, Problem, Revision, TakenPrefix};

/// The hosts that have registered, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostReports {
    pub hosts: BTreeMap<String, HostReport>,
}

/// One host's word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostReport {
    /// Its stream to a master is open.
    pub live: bool,
    /// Everything up to this revision is in its kernel.
    pub applied: Revision,
    pub realised: Vec<ObjectRef>,
    pub problems: Vec<Problem>,
    pub endpoints: BTreeMap<String, EndpointStatus>,
    pub taken: Vec<TakenPrefix>,
}

impl HostReports {
    /// The hosts whose stream is open.
    pub fn live(&self) -> impl Iterator<Item = (&str, &HostReport)> {
        let hosts = self.hosts.iter().filter(|(_, report)| report.live);
        hosts.map(|(name, report)| (name.as_str(), report))
    }
}
