use std::collections::BTreeMap as Map;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use contiv_client::{Client, Timeouts};
use contiv_model::agent::{FabricEvent, Revision, Totals};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::data_plane::SharedPlane;
use crate::data_plane::tests::Idle;

/// How long anything here may take.
const SOON: Duration = Duration::from_secs(10);

fn counted(life: &str, packets: &[(u32, u64)]) -> Counted {
    let row = |&(rule, packets)| {
        let totals = Totals {
            packets,
            ..Totals::default()
        };
        let row = RuleTotals {
            rule,
            totals,
            last_hit: None,
        };
        (rule, row)
    };
    Counted {
        life: life.into(),
        since: 1,
        rules: packets.iter().map(row).collect(),
    }
}

fn numbers(report: Option<HitsReport>) -> Option<Vec<u32>> {
    report.map(|report| report.totals.iter().map(|row| row.rule).collect())
}

#[test]
fn a_master_hears_what_has_changed_and_of_a_new_life_everything() {
    let mut taken = Taken::default();
    assert_eq!(numbers(changed(&counted("", &[]), &taken)), None);
    let first = counted("a", &[(16, 1), (17, 2)]);
    assert_eq!(numbers(changed(&first, &taken)), Some(vec![16, 17]));
    taken.counting = "a".into();
    taken.totals = first.rules.clone();
    assert_eq!(numbers(changed(&first, &taken)), None);
    let second = counted("a", &[(16, 1), (17, 3), (18, 1)]);
    assert_eq!(numbers(changed(&second, &taken)), Some(vec![17, 18]));
    let reborn = counted("b", &[(16, 1)]);
    assert_eq!(numbers(changed(&reborn, &taken)), Some(vec![16]));
    assert_eq!(numbers(changed(&counted("b", &[]), &taken)), Some(vec![]));
}

/// What a master has been told: the paths' last parts, with the bodies.
#[derive(Default)]
struct Told {
    life: String,
    progress: bool,
    /// It has no paths for these, but counts who asks.
    lacks: Vec<&'static str>,
    calls: Vec<(String, Value)>,
}

/// A master that takes everything.
#[derive(Clone, Default)]
struct Master(Arc<(Mutex<Told>, Notify)>);

impl Master {
    async fn start(life: &str) -> (Master, String) {
        let master = Master::default();
        master.begin(life);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let take = |State(master): State<Master>, Path(call): Path<String>, body: Json<Value>| async move {
            let (life, progress, lacks) = {
                let mut told = master.0.0.lock().unwrap();
                let lacks = told.lacks.contains(&call.as_str());
                told.calls.push((call, body.0));
                (told.life.clone(), told.progress, lacks)
            };
            master.0.1.notify_waiters();
            let revision = Revision::default();
            if lacks {
                let error = Json(json!({"error": "no such path", "field": ""}));
                return (StatusCode::NOT_FOUND, error);
            }
            let answer = Json(json!({
                "life": life, "masterVersion": "0", "revision": revision, "progress": progress,
            }));
            (StatusCode::OK, answer)
        };
        let router = Router::new()
            .route("/agent/v1/hosts/h/{call}", post(take))
            .with_state(master.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (master, address)
    }

    /// As after a start: nothing is known.
    fn begin(&self, life: &str) {
        let mut told = self.0.0.lock().unwrap();
        life.clone_into(&mut told.life);
        told.calls.clear();
    }

    /// From now on it takes progress, which masters of an earlier version do not know.
    fn takes_progress(&self) {
        self.0.0.lock().unwrap().progress = true;
    }

    /// It is of an earlier version, or no longer.
    fn lacks(&self, calls: &[&'static str]) {
        self.0.0.lock().unwrap().lacks = calls.to_vec();
    }

    /// It is one of an earlier version from now on, and has started anew.
    fn goes_back(&self, life: &str) {
        self.begin(life);
        let mut told = self.0.0.lock().unwrap();
        told.progress = false;
        told.lacks.extend(["progress"]);
    }

    /// Waits until it has been told so much of each.
    async fn hears(&self, wanted: &[(&str, usize)]) {
        let limit = Instant::now() + SOON;
        let wanted: Map<&str, usize> = wanted.iter().copied().collect();
        loop {
            let news = self.0.1.notified();
            let heard = self.heard();
            if wanted.iter().all(|(call, n)| heard.get(*call) == Some(n)) {
                return;
            }
            let left = limit.saturating_duration_since(Instant::now());
            let more = tokio::time::timeout(left, news).await;
            assert!(more.is_ok(), "{heard:?} is not {wanted:?}");
        }
    }

    fn heard(&self) -> Map<String, usize> {
        let told = self.0.0.lock().unwrap();
        let mut heard = Map::new();
        for (call, body) in &told.calls {
            let rows = match call.as_str() {
                "events" => body["events"].as_array().map_or(0, Vec::len),
                "hits" => body["totals"].as_array().map_or(0, Vec::len),
                _ => 1,
            };
            *heard.entry(call.clone()).or_default() += rows;
        }
        heard
    }
}

/// What an agent has to say, and relays that bring it to masters.
struct Agent {
    status: watch::Sender<Option<Arc<HostStatus>>>,
    totals: watch::Sender<Arc<Counted>>,
    registrations: watch::Sender<u64>,
    events: Arc<EventLog>,
    stop: CancellationToken,
}

impl Agent {
    fn of(masters: &str) -> Agent {
        let timeouts = Timeouts {
            connect: Duration::from_secs(1),
            call: Duration::from_secs(2),
            ..Timeouts::default()
        };
        let agent = Agent {
            status: watch::Sender::new(None),
            totals: watch::Sender::new(Arc::default()),
            registrations: watch::Sender::new(0),
            events: Arc::default(),
            stop: CancellationToken::new(),
        };
        let introduction = Introduction {
            plane: SharedPlane::new(Idle::default()),
            underlay: Arc::default(),
        };
        for master in Client::new(masters, timeouts).unwrap().each() {
            let relay = Relay {
                host: master.host("h").unwrap(),
                introduction: introduction.clone(),
                status: agent.status.subscribe(),
                counted: agent.totals.subscribe(),
                events: Arc::clone(&agent.events),
                registrations: agent.registrations.subscribe(),
            };
            tokio::spawn(relay.run(agent.stop.clone()));
        }
        agent
    }

    fn reports(&self) {
        self.status.send_replace(Some(Arc::default()));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn every_master_hears_all_of_it_whoever_is_away() {
    let (one, first) = Master::start("1").await;
    let (two, second) = Master::start("2").await;
    // Nobody listens at the last one.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let third = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let agent = Agent::of(&format!("{third},{first},{second}"));
    agent.reports();
    agent
        .totals
        .send_replace(Arc::new(counted("a", &[(16, 1), (17, 1)])));
    for _ in 0..3 {
        agent.events.push(FabricEvent::default());
    }
    let all = [("register", 1), ("status", 1), ("hits", 2), ("events", 3)];
    one.hears(&all).await;
    two.hears(&all).await;
    agent
        .totals
        .send_replace(Arc::new(counted("a", &[(16, 1), (17, 2)])));
    agent.events.push(FabricEvent::default());
    let more = [("register", 1), ("status", 1), ("hits", 3), ("events", 4)];
    one.hears(&more).await;
    two.hears(&more).await;

    // One starts anew, and is told all of it again; the other is told what is new.
    one.begin("3");
    agent.reports();
    one.hears(&[("register", 1), ("status", 2), ("hits", 2), ("events", 4)])
        .await;
    two.hears(&[("register", 1), ("status", 2), ("hits", 3), ("events", 4)])
        .await;
}

#[tokio::test]
async fn a_master_that_takes_the_host_in_again_wants_its_status() {
    let (master, address) = Master::start("1").await;
    let agent = Agent::of(&address);
    agent.reports();
    master.hears(&[("register", 1), ("status", 1)]).await;
    agent.registrations.send_modify(|n| *n += 1);
    master.hears(&[("register", 1), ("status", 2)]).await;
}

#[tokio::test]
async fn a_master_that_takes_progress_hears_a_status_only_when_something_else_is_new() {
    let (master, address) = Master::start("1").await;
    master.takes_progress();
    let agent = Agent::of(&address);
    let come = |number: u64, endpoints: usize| {
        let status = HostStatus {
            applied: Revision { epoch: 1, number },
            endpoints: (0..endpoints)
                .map(|e| (e.to_string(), Default::default()))
                .collect(),
            ..HostStatus::default()
        };
        agent.status.send_replace(Some(Arc::new(status)));
    };
    come(1, 0);
    master.hears(&[("register", 1), ("status", 1)]).await;
    come(2, 0);
    let progress = [("register", 1), ("status", 1), ("progress", 1)];
    master.hears(&progress).await;
    come(3, 1);
    let both = [("register", 1), ("status", 2), ("progress", 1)];
    master.hears(&both).await;
}

#[tokio::test]
async fn a_master_of_an_earlier_version_is_asked_once_and_again_when_it_is_upgraded() {
    let (master, address) = Master::start("1").await;
    master.lacks(&["hits", "events"]);
    let agent = Agent::of(&address);
    let count = |packets| {
        let totals = counted("a", &[(16, packets)]);
        agent.totals.send_replace(Arc::new(totals));
        agent.events.push(FabricEvent::default());
    };
    agent.reports();
    count(1);
    let once = [("register", 1), ("status", 1), ("hits", 1), ("events", 1)];
    master.hears(&once).await;
    // A status goes after all that there is to say, and is heard alone.
    for round in 2..5 {
        count(round);
        agent.reports();
        let number = usize::try_from(round).unwrap();
        let all = [
            ("register", 1),
            ("status", number),
            ("hits", 1),
            ("events", 1),
        ];
        master.hears(&all).await;
    }
    master.lacks(&[]);
    master.begin("2");
    agent.reports();
    master
        .hears(&[("register", 1), ("status", 2), ("hits", 1), ("events", 4)])
        .await;
}

#[tokio::test]
async fn a_master_that_goes_back_a_version_hears_whole_reports_again() {
    let (master, address) = Master::start("1").await;
    master.takes_progress();
    let agent = Agent::of(&address);
    let come = |number: u64| {
        let applied = Revision { epoch: 1, number };
        let status = HostStatus {
            applied,
            ..HostStatus::default()
        };
        agent.status.send_replace(Some(Arc::new(status)));
    };
    come(1);
    master.hears(&[("register", 1), ("status", 1)]).await;
    master.goes_back("2");
    come(2);
    // The first whole report tells that it has started, and then it is told all of it again.
    master
        .hears(&[("progress", 1), ("register", 1), ("status", 2)])
        .await;
    come(3);
    master
        .hears(&[("progress", 1), ("register", 1), ("status", 3)])
        .await;
}
