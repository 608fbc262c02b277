//! Waiting until the hosts have done what netmaster has stored.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use contiv_client::{Client, HostEntry};
use contiv_model::agent::{ObjectKind, ObjectRef, Problem, Revision};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;

/// How long a create or rm waits for hosts.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at the hosts; short, since a host needs some milliseconds.
const INTERVAL: Duration = Duration::from_millis(100);

/// The flag of commands that wait.
#[derive(Debug, Args)]
pub(crate) struct SettleFlags {
    /// Return at once, before the hosts have realised the change.
    #[arg(long)]
    no_wait: bool,
}

/// What the hosts are to have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Realised,
    Gone,
}

/// A host that has not got there, and what it says about it.
#[derive(Debug, PartialEq, Eq)]
struct Late {
    host: String,
    /// Empty when the host is merely not done yet.
    problem: String,
}

impl SettleFlags {
    /// Waits until every live host is there. With no live host it returns at once,
    /// and it gives up early when each host that is late names a problem.
    pub(crate) async fn wait(
        &self,
        client: &Client,
        kind: ObjectKind,
        key: &str,
        goal: Goal,
    ) -> Result<(), Failure> {
        if self.no_wait {
            return Ok(());
        }
        let object = ObjectRef {
            kind,
            key: key.to_owned(),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let late = late(&client.hosts().await?, &object, goal);
            if late.is_empty() {
                return Ok(());
            }
            let stuck = late.iter().all(|host| !host.problem.is_empty());
            if stuck || Instant::now() >= deadline {
                return Err(Failure::Invalid(report(&object.key, goal, &late)));
            }
            sleep(INTERVAL).await;
        }
    }
}

impl SettleFlags {
    /// Waits until every live host has this revision in its kernel, and what it makes of the
    /// policies of `tenants`. It gives up early as above.
    pub(crate) async fn wait_applied(
        &self,
        client: &Client,
        revision: &str,
        tenants: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let revision = revision.parse::<Revision>().map_err(Failure::Invalid)?;
        if self.no_wait {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let late = unapplied(&client.hosts().await?, revision, tenants);
            if late.is_empty() {
                return Ok(());
            }
            let stuck = late.iter().all(|host| !host.problem.is_empty());
            if stuck || Instant::now() >= deadline {
                return Err(Failure::Invalid(format!(
                    "revision {revision} is stored, but not in force on {}; what was in force \
                     there stays, and the hosts go on trying",
                    named(&late)
                )));
            }
            sleep(INTERVAL).await;
        }
    }
}

/// The live hosts that have not got there.
fn late(hosts: &[HostEntry], object: &ObjectRef, goal: Goal) -> Vec<Late> {
    let behind = |host: &&HostEntry| {
        let has = host.realised.contains(object);
        host.live && (has != (goal == Goal::Realised))
    };
    let describe = |host: &HostEntry| {
        let own = host
            .problems
            .iter()
            .find(|problem| problem.object == *object);
        Late::of(host, own)
    };
    hosts.iter().filter(behind).map(describe).collect()
}

/// The live hosts that have not come to this revision, or could not put policies of these tenants
/// in force. What one says before it has come there is about what there was before.
fn unapplied(hosts: &[HostEntry], revision: Revision, tenants: &BTreeSet<String>) -> Vec<Late> {
    let late = |host: &HostEntry| {
        if host.applied < revision {
            return Some(Late::of(host, None));
        }
        let refused = host.problems.iter().find(|problem| {
            problem.object.kind == ObjectKind::Tenant && tenants.contains(&problem.object.key)
        });
        refused.map(|problem| Late::of(host, Some(problem)))
    };
    let live = hosts.iter().filter(|host| host.live);
    live.filter_map(late).collect()
}

impl Late {
    fn of(host: &HostEntry, problem: Option<&Problem>) -> Late {
        let text = |p: &Problem| format!("{}: {}", p.reason, p.message);
        Late {
            host: host.name.clone(),
            problem: problem.map(text).unwrap_or_default(),
        }
    }
}

fn named(late: &[Late]) -> String {
    let one = |late: &Late| match late.problem.as_str() {
        "" => late.host.clone(),
        problem => format!("{} ({problem})", late.host),
    };
    late.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn report(key: &str, goal: Goal, late: &[Late]) -> String {
    let hosts = named(late);
    match goal {
        Goal::Realised => format!(
            "{key} is stored, but not realised on {hosts}; the hosts go on trying, see its inspect document"
        ),
        Goal::Gone => {
            format!("{key} is deleted, but still present on {hosts}; the hosts go on trying")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ObjectRef {
        ObjectRef {
            kind: ObjectKind::Network,
            key: "default:n".into(),
        }
    }

    fn host(name: &str, live: bool, has: bool) -> HostEntry {
        let realised = if has { vec![object()] } else { vec![] };
        HostEntry {
            name: name.into(),
            live,
            realised,
            ..HostEntry::default()
        }
    }

    #[test]
    fn only_live_hosts_can_be_late() {
        let hosts = [
            host("has", true, true),
            host("lacks", true, false),
            host("dead", false, false),
        ];
        let names = |goal| {
            late(&hosts, &object(), goal)
                .into_iter()
                .map(|l| l.host)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Goal::Realised), ["lacks"]);
        assert_eq!(names(Goal::Gone), ["has"]);
        assert!(late(&[], &object(), Goal::Realised).is_empty());
    }

    #[test]
    fn a_problem_of_this_very_object_is_reported() {
        let mut stuck = host("h1", true, false);
        stuck.problems.push(Problem {
            object: object(),
            reason: "NameTaken".into(),
            message: "a Docker network of that name exists".into(),
        });
        let late = late(&[stuck, host("h2", true, false)], &object(), Goal::Realised);
        assert_eq!(
            report("default:n", Goal::Realised, &late),
            "default:n is stored, but not realised on h1 (NameTaken: a Docker network of that name exists), h2; \
             the hosts go on trying, see its inspect document"
        );
    }

    #[test]
    fn a_host_that_could_not_put_policies_in_force_has_not_got_there() {
        let revision = Revision {
            epoch: 2,
            number: 21,
        };
        let host = |name: &str, epoch, number, tenant: &str| {
            let problem = |tenant: &str| Problem {
                object: ObjectRef {
                    kind: ObjectKind::Tenant,
                    key: tenant.into(),
                },
                reason: "TablesFull".into(),
                message: "no room".into(),
            };
            HostEntry {
                applied: Revision { epoch, number },
                problems: Some(tenant)
                    .filter(|t| !t.is_empty())
                    .map(problem)
                    .into_iter()
                    .collect(),
                ..host(name, true, false)
            }
        };
        let hosts = [
            host("has", 2, 21, ""),
            host("other", 2, 22, "red"),
            host("refuses", 2, 21, "blue"),
            // What it had before did not fit either; this may.
            host("behind", 2, 20, "blue"),
            host("before", 1, 99, ""),
            HostEntry {
                live: false,
                ..host("dead", 2, 21, "blue")
            },
        ];
        let tenants = BTreeSet::from(["blue".to_owned()]);
        assert_eq!(
            named(&unapplied(&hosts, revision, &tenants)),
            "refuses (TablesFull: no room), behind, before"
        );
    }
}
