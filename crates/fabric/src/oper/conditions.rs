//! The conditions of an object.
//!
//! 1. `Realised`, one for each live host: the object has its Docker network there, or the host
//!    its interface in an `infra` network. Only what is to have one has this condition.
//! 2. Each problem that a live host has with the object, under the problem's own name.
//! 3. `Ready`, for the whole fabric: every live host has applied the object's last
//!    change, has realised it where it is to, and has no problem with it.

use contiv_model::agent::{ObjectKind, ObjectRef, Problem, Revision};
use contiv_model::inspect::Condition;

use crate::image::Image;
use crate::key::Key;
use crate::reports::{HostReport, HostReports};

const READY: &str = "Ready";
const REALISED: &str = "Realised";

/// What each live host is to make of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    DockerNetwork,
    /// Its own, in an `infra` network.
    Interface,
}

/// What the conditions are of.
pub(super) struct Subject<'a> {
    /// How hosts call it.
    object: ObjectRef,
    /// What else hosts name when they have a problem with it.
    beside: Option<ObjectRef>,
    /// Its last commit.
    revision: Revision,
    made: Option<Made>,
    /// The one host that it is on.
    host: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// A policy, which its own object, its rules and the groups that have it make up. Hosts put
    /// all policies of a tenant in force as one, or none of them: what is wrong there is a
    /// problem of the tenant.
    pub(super) fn of_policy(name: &str, tenant: &str, revision: Revision) -> Subject<'a> {
        Subject {
            object: object(ObjectKind::Policy, name),
            beside: Some(object(ObjectKind::Tenant, tenant)),
            revision,
            made: None,
            host: None,
        }
    }

    pub(super) fn new(image: &Image, kind: ObjectKind, name: &str, key: &Key) -> Subject<'a> {
        Subject {
            object: object(kind, name),
            beside: None,
            revision: image.revision(image.number_of(&key.to_string())),
            made: None,
            host: None,
        }
    }

    pub(super) fn with_docker_network(self) -> Subject<'a> {
        Subject {
            made: Some(Made::DockerNetwork),
            ..self
        }
    }

    pub(super) fn with_interfaces(self) -> Subject<'a> {
        Subject {
            made: Some(Made::Interface),
            ..self
        }
    }

    pub(super) fn on(self, host: &'a str) -> Subject<'a> {
        Subject {
            host: Some(host),
            ..self
        }
    }

    pub(super) fn conditions(&self, reports: &HostReports) -> Vec<Condition> {
        let here = |(host, _): &(&str, &HostReport)| self.host.is_none_or(|own| own == *host);
        let mut conditions = Vec::new();
        let mut late = Vec::new();
        let mut hosts = 0;
        for (host, report) in reports.live().filter(here) {
            hosts += 1;
            let problems = self.problems(report);
            let realised = self.made.is_none() || self.is_realised(report);
            if let Some(made) = self.made {
                let problem = problems.first().copied();
                conditions.push(realised_on(host, made, realised, problem));
            }
            conditions.extend(problems.iter().map(|problem| problem_on(host, problem)));
            match problems.first() {
                Some(problem) => late.push(format!("{host}: {}", problem.message)),
                None if !self.is_heard(report) => {
                    late.push(format!("{host} has not applied it yet"));
                }
                None => late.extend(self.made.filter(|_| !realised).map(|made| match made {
                    Made::DockerNetwork => format!("{host} has no Docker network for it yet"),
                    Made::Interface => format!("{host} has no interface in it yet"),
                })),
            }
        }
        if self.host.is_some() && hosts == 0 {
            late.push("its host is away".into());
        }
        conditions.insert(0, ready(&late));
        conditions
    }

    pub(super) fn problems<'r>(&self, report: &'r HostReport) -> Vec<&'r Problem> {
        let own = |problem: &&Problem| {
            self.object == problem.object || self.beside.as_ref() == Some(&problem.object)
        };
        report.problems.iter().filter(own).collect()
    }

    /// Whether the host has applied the last change.
    pub(super) fn is_heard(&self, report: &HostReport) -> bool {
        report.applied >= self.revision
    }

    fn is_realised(&self, report: &HostReport) -> bool {
        // Before it has applied the last change, its word may be about another object that had
        // the same name.
        self.is_heard(report) && report.realised.contains(&self.object)
    }
}

fn object(kind: ObjectKind, key: &str) -> ObjectRef {
    ObjectRef {
        kind,
        key: key.to_owned(),
    }
}

fn ready(late: &[String]) -> Condition {
    Condition {
        kind: READY.into(),
        status: late.is_empty(),
        reason: match late {
            [] => "Applied".into(),
            _ => "Waiting".into(),
        },
        message: late.join("; "),
        host: String::new(),
    }
}

fn realised_on(host: &str, made: Made, status: bool, problem: Option<&Problem>) -> Condition {
    let (reason, message) = match (status, problem, made) {
        (true, _, Made::DockerNetwork) => ("DockerNetworkMade", ""),
        (true, _, Made::Interface) => ("InterfaceMade", ""),
        (false, Some(problem), _) => (problem.reason.as_str(), problem.message.as_str()),
        (false, None, Made::DockerNetwork) => {
            ("Waiting", "the host has not made its Docker network yet")
        }
        (false, None, Made::Interface) => (
            "Waiting",
            "the host has no interface in it yet; are there addresses left?",
        ),
    };
    Condition {
        kind: REALISED.into(),
        status,
        reason: reason.into(),
        message: message.into(),
        host: host.into(),
    }
}

fn problem_on(host: &str, problem: &Problem) -> Condition {
    Condition {
        kind: problem.reason.clone(),
        status: true,
        reason: problem.reason.clone(),
        message: problem.message.clone(),
        host: host.into(),
    }
}
