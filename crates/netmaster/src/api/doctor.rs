//! What is not well, and what helps: the fabric as this master knows it, and what hosts find.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use contiv_fabric::doctor::{Examiner, clock, examine, leaks};
use contiv_fabric::{HostReports, Image, mend};
use contiv_model::agent::{Answer, DoctorQuestion, Peer, Question};
use contiv_model::doctor::{Diagnosis, DoctorRequest, Finding};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::answer::Problem;
use super::body::Document;
use super::{Shared, YOUNG, both};

/// How long a host may take: it hails others several times. People wait for ten seconds.
const PATIENCE: Duration = Duration::from_secs(7);
/// Other hosts that one hails, at most, besides those that it knows by its endpoints.
const PEERS: usize = 64;

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    both(router, "/api/v1/doctor/", post(doctor))
}

async fn doctor(
    State(shared): State<Shared>,
    Document(request): Document<DoctorRequest>,
) -> Result<Json<Diagnosis>, Problem> {
    let (image, revision) = {
        let committed = shared.ledger.read();
        (committed.image().clone(), committed.revision())
    };
    let reports = shared.hosts.read(HostReports::clone);
    for name in &request.hosts {
        if image.host(name).is_none() && !reports.hosts.contains_key(name) {
            let message = format!("host {name} has not registered; see netctl host ls");
            return Err(Problem::bad_request("hosts", message));
        }
    }
    let asked = |host: &str| request.hosts.is_empty() || request.hosts.iter().any(|h| h == host);
    let mut diagnosis = Diagnosis {
        revision: revision.to_string(),
        ..Diagnosis::default()
    };
    let live: Vec<&str> = reports.live().map(|(host, _)| host).collect();
    let asking = live.iter().filter(|host| asked(host)).map(|host| {
        let peers = peers(&image, &live, host);
        examined(&shared, host, request.fix, peers)
    });
    for (host, found) in join_all(asking).await {
        match found {
            Ok(findings) => {
                diagnosis.hosts.push(host);
                diagnosis.findings.extend(findings);
            }
            Err(reason) => {
                let remedy =
                    "look at the log of netplugin there, and whether it is of this version";
                let what = format!("it could not be examined: {reason}");
                let finding = Finding::warning("host-silent", what, remedy).on(host);
                diagnosis.findings.push(finding);
            }
        }
    }
    let by = Examiner {
        now: shared.clock.now(),
        version: env!("CARGO_PKG_VERSION"),
        revision,
    };
    let own = examine(&image, &reports, by).into_iter();
    diagnosis
        .findings
        .extend(own.filter(|f| f.host.is_empty() || asked(&f.host)));
    if request.hosts.is_empty() {
        diagnosis.findings.push(store(shared.ledger.store().age()));
        diagnosis
            .findings
            .extend(leaked(&shared, request.fix).await?);
    }
    diagnosis.conclude();
    Ok(Json(diagnosis))
}

/// What a host finds, and whether its clock is right.
async fn examined(
    shared: &Shared,
    host: &str,
    fix: bool,
    peers: Vec<Peer>,
) -> (String, Result<Vec<Finding>, String>) {
    let question = Question::Doctor(DoctorQuestion { fix, peers });
    let asked = shared.clock.now();
    let until = Instant::now() + PATIENCE;
    let found = match shared.questions.ask(host, question, until).await {
        Ok(Answer::Doctor(answer)) => {
            let mut findings = answer.findings;
            // A host speaks of itself alone.
            findings
                .iter_mut()
                .for_each(|f| host.clone_into(&mut f.host));
            findings.push(clock(host, asked, answer.clock, shared.clock.now()));
            Ok(findings)
        }
        Ok(_) => Err("it answers something else".to_owned()),
        Err(reason) => Err(reason),
    };
    (host.to_owned(), found)
}

/// The hosts that follow in the order of names, so that each pair of a small fabric meets, and in
/// a large one everybody is hailed by somebody.
fn peers(image: &Image, live: &[&str], host: &str) -> Vec<Peer> {
    let at = live.iter().position(|name| *name == host).unwrap_or(0);
    let (before, after) = live.split_at(at);
    let others = after.iter().chain(before).filter(|name| **name != host);
    let tunnel = |name: &str| -> Option<IpAddr> { image.host(name)?.tunnel };
    let peers = others.filter_map(|name| {
        let name = (*name).to_owned();
        Some(Peer {
            tunnel: tunnel(&name)?,
            name,
        })
    });
    peers.take(PEERS).collect()
}

fn store(age: Duration) -> Finding {
    if age <= YOUNG {
        return Finding::ok("store", "the store answers");
    }
    Finding::error(
        "store",
        format!(
            "the store has not been heard for {} s: nothing can be changed",
            age.as_secs()
        ),
        "look after the members of etcd (etcdctl endpoint status --cluster), a majority of which \
         must live and be reached from this master",
    )
}

/// Addresses that nobody uses, freed if that is asked for.
async fn leaked(shared: &Shared, fix: bool) -> Result<Vec<Finding>, Problem> {
    let mut findings: Vec<Finding> = {
        let committed = shared.ledger.read();
        let image = committed.image();
        let leaks = shared.hosts.read(|reports| leaks(image, reports));
        leaks.iter().map(|leak| leak.finding(image)).collect()
    };
    if findings.is_empty() {
        let what = "every address is a living endpoint's, or will be free in time";
        return Ok(vec![Finding::ok("leaked-address", what)]);
    }
    if fix {
        loop {
            let decide = |image: &Image| shared.hosts.read(|reports| mend(image, reports));
            let mended = shared.ledger.decide(decide).await?.answer;
            if mended.is_empty() {
                break;
            }
            tracing::info!(?mended, "addresses that leaked are freed");
        }
        findings.iter_mut().for_each(|finding| finding.fixed = true);
    }
    Ok(findings)
}
