//! What hosts tell of packets: totals of rules, and events.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use contiv_client::{EventFilter, HostClient};
use contiv_model::agent::{
    EndpointStatus, EventBatch, EventEnd, EventKind, FabricEvent, HitsReport, HostStatus,
    RuleTotals, Totals,
};
use serde_json::{Value, json};

use crate::master::Master;

fn policy(master: &Master) -> u32 {
    master.make("/api/v1/tenants/blue/", &json!({}));
    master.make("/api/v1/policys/blue:p/", &json!({"staged": true}));
    for rule in ["1", "2"] {
        let body = json!({"direction": "in", "action": "deny", "protocol": "tcp"});
        master.make(&format!("/api/v1/rules/blue:p:{rule}/"), &body);
    }
    let hits = master.get("/api/v1/hits/?tenant=blue").body;
    u32::try_from(hits["rules"][0]["number"].as_u64().unwrap()).unwrap()
}

async fn count(host: &HostClient, life: &str, since: u64, rows: &[(u32, u64)]) {
    let row = |&(rule, n): &(u32, u64)| RuleTotals {
        rule,
        totals: Totals {
            packets: 2 * n,
            bytes: 200 * n,
            connections: n,
            staged_connections: 3 * n,
            ..Totals::default()
        },
        last_hit: Some(1_000 * n),
    };
    let report = HitsReport {
        life: life.into(),
        since,
        totals: rows.iter().map(row).collect(),
    };
    host.report_hits(&report).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_of_all_hosts_and_lives_are_added_up() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let number = policy(&master);
    let (h1, h2) = (master.host("h1").await, master.host("h2").await);
    count(&h1, "a", 10, &[(number, 5), (1, 7)]).await;
    count(&h2, "x", 20, &[(number, 1)]).await;
    count(&h1, "b", 30, &[(number, 2)]).await;

    let document = master.client().hits(Some("blue"), None).await.unwrap();
    assert_eq!((document.hosts.len(), document.since), (2, Some(20)));
    let first = &document.rules[0];
    assert_eq!((first.policy.as_str(), first.rule.as_str()), ("p", "1"));
    assert_eq!(
        (first.packets, first.bytes, first.connections),
        (16, 1600, 8)
    );
    assert_eq!((first.staged, first.staged_connections), (true, 24));
    assert_eq!(first.last_hit, Some(5_000));
    assert_eq!(first.hosts, ["h1", "h2"]);
    assert!(!document.rules[1].is_hit(), "never hit, and shown");
    assert_eq!(
        document.rules.len(),
        2,
        "what no rule decides is of all tenants together"
    );
    let of_all = master.client().hits(None, None).await.unwrap();
    let default = of_all.rules.last().unwrap();
    assert_eq!((default.rule.as_str(), default.connections), ("default", 7));

    let of_policy = master.client().hits(Some("blue"), Some("p")).await.unwrap();
    assert_eq!(of_policy.rules.len(), 2);
    assert_eq!(master.get("/api/v1/hits/?tenant=red").status, 404);
    assert_eq!(master.get("/api/v1/hits/?tenant=blue&policy=q").status, 404);
    master.delete("/api/v1/rules/blue:p:1/");
    let rest = master.client().hits(Some("blue"), Some("p")).await.unwrap();
    assert_eq!(rest.rules.len(), 1);
    assert!(!rest.rules[0].is_hit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_hears_when_its_master_has_forgotten_all() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    let status = HostStatus::default();
    let life = host.report(&status).await.unwrap().life;
    assert!(!life.is_empty());
    assert_eq!(host.report(&status).await.unwrap().life, life);
    master.kill();
    let master = Master::start(dir.path());
    let host = master.host("h").await;
    assert_ne!(host.report(&status).await.unwrap().life, life);
}

fn batch(first: u64, kinds: &[EventKind]) -> EventBatch {
    let event = |kind: &EventKind| FabricEvent {
        time: 1_000,
        kind: *kind,
        tenant: "blue".into(),
        to: EventEnd {
            endpoint: "e2".into(),
            host: "h2".into(),
            ..EventEnd::default()
        },
        ..FabricEvent::default()
    };
    EventBatch {
        life: "l".into(),
        first,
        events: kinds.iter().map(event).collect(),
    }
}

/// Data and id of the next event.
fn next(stream: &mut BufReader<TcpStream>) -> (Value, String) {
    let (mut data, mut id) = (Value::Null, String::new());
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        match line.trim_end().split_once(": ") {
            Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
            Some(("id", value)) => value.clone_into(&mut id),
            _ if line.trim().is_empty() && !data.is_null() => return (data, id),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_and_followed_with_the_names_that_other_hosts_know() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let (h1, h2) = (master.host("h1").await, master.host("h2").await);
    let known = EndpointStatus {
        container_name: "web".into(),
        ..EndpointStatus::default()
    };
    let status = HostStatus {
        endpoints: [("e2".to_owned(), known)].into(),
        ..HostStatus::default()
    };
    h2.report(&status).await.unwrap();
    let mut watcher = master.open("/api/v1/events/watch/?kind=log", &[]);
    h1.report_events(&batch(0, &[EventKind::Drop, EventKind::Log]))
        .await
        .unwrap();
    // The answer got lost, and it comes again with one more.
    h1.report_events(&batch(1, &[EventKind::Log, EventKind::Log]))
        .await
        .unwrap();
    let (first, id) = next(&mut watcher);
    assert_eq!(
        (&first["id"], &first["host"]),
        (&json!("h1.l.1"), &json!("h1"))
    );
    assert_eq!(first["to"]["container"], "web");
    assert_eq!(next(&mut watcher).0["id"], "h1.l.2");

    let mut again = master.open("/api/v1/events/watch", &[("Last-Event-ID", &id)]);
    assert_eq!(next(&mut again).0["id"], "h1.l.2");
    let mut strange = master.open("/api/v1/events/watch", &[("Last-Event-ID", "x.1")]);
    assert_eq!(next(&mut strange).0, json!({}));
    assert_eq!(next(&mut strange).0["id"], "h1.l.0");

    let client = master.client();
    let all = client.events(&EventFilter::default(), None).await.unwrap();
    assert_eq!(all.len(), 3);
    let newest = client
        .events(&EventFilter::default(), Some(1))
        .await
        .unwrap();
    assert_eq!(newest[0].id, "h1.l.2");
    let filter = EventFilter {
        endpoint: Some("web".into()),
        kind: Some(EventKind::Drop),
        since: Some(1_000),
        ..EventFilter::default()
    };
    assert_eq!(client.events(&filter, None).await.unwrap().len(), 1);
    let mut stream = client.follow_events(&filter).await.unwrap();
    assert_eq!(stream.next().await.unwrap().id, "h1.l.0");
    for bad in ["kind=loud", "since=noon", "limit=0"] {
        let reply = master.get(&format!("/api/v1/events/?{bad}"));
        assert_eq!(reply.status, 400, "{bad}");
    }
}
