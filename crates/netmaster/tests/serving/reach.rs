//! Who may reach whom: trace with what hosts answer, matrix, and diff.

use contiv_client::HostClient;
use contiv_model::agent::{
    Action, Answer, Asked, EndpointRequest, EndpointStatus, HostStatus, OpeningAnswer, PoolRef,
    Question, TableVerdict,
};
use contiv_model::reach::{PolicyDiff, PolicyMatrix, Trace};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::master::{Master, Reply};

/// Networks `net` and `far`; groups `web` and `db` in `net`, `lab` in `far`; `db` takes TCP 5432
/// of `web` below 10.1.0.64, and nothing else.
fn fabric(master: &Master) {
    master.make_network("net", "10.1.0.0/24");
    master.make_network("far", "10.2.0.0/24");
    let key = |kind: &str, name: &str| format!("/api/v1/{kind}/default:{name}/");
    master.make(&key("policys", "p"), &json!({}));
    let group = |name: &str, network: &str, policies: &[&str]| {
        let body = json!({"networkName": network, "policies": policies});
        master.make(&key("endpointGroups", name), &body);
    };
    group("web", "net", &[]);
    group("db", "net", &["p"]);
    group("lab", "far", &[]);
    let rule = |id: &str, body: Value| master.make(&key("rules", &format!("p:{id}")), &body);
    rule("all", json!({"direction": "in", "action": "deny"}));
    rule(
        "web",
        json!({
            "direction": "in", "action": "allow", "priority": 10, "protocol": "tcp",
            "port": 5432, "fromEndpointGroup": "web", "fromIpAddress": "10.1.0.0/26"
        }),
    );
}

/// A host with an endpoint in each group.
async fn populated(master: &Master) -> HostClient {
    let host = master.host("h1").await;
    let mut status = HostStatus::default();
    for (name, group, network, address) in [
        ("web1", "web", "net", "10.1.0.10"),
        ("web2", "web", "net", "10.1.0.200"),
        ("db1", "db", "net", "10.1.0.20"),
        ("lab1", "lab", "far", "10.2.0.10"),
    ] {
        let request = EndpointRequest {
            pool: PoolRef {
                tenant: "default".into(),
                network: network.into(),
                group: Some(group.into()),
            },
            ipv4: Some(address.parse().unwrap()),
            ipv6: None,
            mac: None,
            replaces: None,
            of_swarm: false,
            begins: false,
        };
        let id = format!("{name}-id");
        host.put_endpoint(&id, &request).await.unwrap();
        let of = EndpointStatus {
            container_name: format!("/{name}"),
            container_id: format!("c0ffee-{name}"),
            ..EndpointStatus::default()
        };
        status.endpoints.insert(id, of);
    }
    host.report(&status).await.unwrap();
    host
}

/// Answers every question so.
async fn answering(
    host: HostClient,
    answer: impl Fn(&Question) -> Answer + Send + 'static,
) -> JoinHandle<()> {
    let mut questions = host.questions().await.unwrap();
    tokio::spawn(async move {
        while let Some(Ok(Asked { id, question })) = questions.next().await {
            host.answer(&id, &answer(&question)).await.unwrap();
        }
    })
}

fn read<T: serde::de::DeserializeOwned>(reply: Reply) -> T {
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_value(reply.body).unwrap()
}

fn trace(master: &Master, from: &str, to: &str, port: u16) -> Trace {
    let path = format!("/api/v1/trace/?from={from}&to={to}&protocol=tcp&port={port}");
    read(master.get(&path))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_names_the_way_the_rules_and_the_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    fabric(&master);
    let _host = populated(&master).await;
    let open = trace(&master, "web1", "db1", 5432);
    assert_eq!(open.verdict, "allow");
    let receiving = open.cases[0].receiving.as_ref().unwrap();
    assert!(
        receiving.outcome.by.starts_with("p:web (rule "),
        "{receiving:?}"
    );
    let rules = &receiving.tiers[0].policies[0].rules;
    assert_eq!((rules[0].rule_id.as_str(), rules[0].decides), ("web", true));
    assert!(rules[1].matches && rules[1].why.contains("shadowed by p:web"));
    assert_eq!(open.unanswered.len(), 1, "{:?}", open.unanswered);

    assert_eq!(trace(&master, "web1", "db1", 22).verdict, "deny");
    assert_eq!(trace(&master, "web2", "10.1.0.20", 5432).verdict, "deny");
    let ends = [("db1", "web1"), ("host", "web1"), ("web1", "9.9.9.9")];
    for (from, to) in ends {
        assert_eq!(trace(&master, from, to, 80).verdict, "allow", "{from} {to}");
    }
    for (from, to, reason) in [
        ("web1", "lab1", "other-network"),
        ("web1", "10.1.0.99", "unknown-address"),
        ("9.9.9.9", "web1", "firewall"),
        ("web1", "127.0.0.1", "bad-destination"),
    ] {
        let told = trace(&master, from, to, 80);
        let case = &told.cases[0];
        assert_eq!(
            (told.verdict.as_str(), case.reason.as_str()),
            ("unreachable", reason)
        );
    }
    // Both members of the group, and those that it might have, are two cases.
    let groups = trace(&master, "web", "db", 5432);
    assert_eq!(
        (groups.verdict.as_str(), groups.cases.len()),
        ("depends", 2)
    );
    let of = |verdict: &str| groups.cases.iter().find(|c| c.verdict == verdict).unwrap();
    assert_eq!(
        (&*of("allow").from, &*of("deny").from),
        ("10.1.0.10", "10.1.0.200")
    );
    assert!(
        of("allow").addresses[0]
            .from
            .starts_with("10.1.0.1-10.1.0."),
        "{groups:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_says_of_its_tables_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    fabric(&master);
    let host = populated(&master).await;
    let expected = trace(&master, "web1", "db1", 5432);
    let sides = [&expected.cases[0].sending, &expected.cases[0].receiving];
    let rules = sides.map(|side| side.as_ref().unwrap().outcome.rule);
    let number = |group: &str| {
        let inspect = master.get(&format!("/api/v1/inspect/endpointGroups/default:{group}/"));
        assert_eq!(inspect.status, 200);
        match group {
            "web" => 1,
            _ => 2,
        }
    };
    let (web, db) = (number("web"), number("db"));
    let verdict = |group, peer_group, rule| TableVerdict {
        group,
        peer_group,
        action: Action::Allow,
        rule,
        log: false,
        keep: false,
        staged: None,
    };
    let right = OpeningAnswer {
        applied: expected.revision.parse().unwrap(),
        delivery: "local".into(),
        reason: String::new(),
        sending: Some(verdict(web, db, rules[0])),
        receiving: Some(verdict(db, web, rules[1])),
    };
    let mut wrong = right.clone();
    wrong.receiving = Some(TableVerdict {
        action: Action::Deny,
        ..verdict(db, web, rules[1])
    });
    for (answer, agrees) in [(right, true), (wrong, false)] {
        let answer = Answer::Opening(answer);
        let answering = answering(host.clone(), move |_| answer.clone()).await;
        let told = trace(&master, "web1", "db1", 5432);
        assert_eq!(told.disagrees, !agrees, "{told:?}");
        assert_eq!(told.cases[0].tables[0].agrees, agrees);
        assert_eq!(told.verdict, "allow");
        assert!(told.unanswered.is_empty());
        answering.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_end_is_answered_with_the_field_and_names_that_are_near() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    fabric(&master);
    let _host = populated(&master).await;
    let body =
        |from: &str, to: &str| json!({"from": from, "to": to, "protocol": "tcp", "port": 80});
    for (request, field, says) in [
        (body("wbe1", "db1"), "from", "did you mean web1"),
        (body("web1", ""), "to", "missing"),
        (body("web", "c0ffee"), "to", "beginning of 4 endpoints"),
        (body("8.8.8.8", "host"), "to", "neither end"),
        (
            json!({"from": "web", "to": "db", "protocol": "tcp"}),
            "port",
            "destination port",
        ),
        (
            json!({"from": "web", "to": "db", "protocol": "tpc"}),
            "protocol",
            "tcp",
        ),
        (
            json!({"from": "web", "to": "db", "tenantName": "no"}),
            "tenantName",
            "does not exist",
        ),
    ] {
        let reply = master.post("/api/v1/trace/", &request);
        assert_eq!(
            (reply.status, &reply.body["field"]),
            (422, &json!(field)),
            "{}",
            reply.body
        );
        let error = reply.body["error"].as_str().unwrap();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(master.get("/api/v1/trace/?port=many").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_has_every_pair_and_what_staged_policies_would_change() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    fabric(&master);
    let look = || -> PolicyMatrix { read(master.get("/api/v1/matrix/?protocol=tcp&port=5432")) };
    let matrix = look();
    let names: Vec<&str> = matrix.entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["outside", "db", "lab", "web", "10.1.0.0-10.1.0.63"]);
    let words = |matrix: &PolicyMatrix, row: usize| -> Vec<String> {
        matrix.cells[row]
            .iter()
            .map(|cell| cell.verdict.clone())
            .collect()
    };
    assert_eq!(words(&matrix, 0), ["", "deny", "allow", "allow", ""]);
    assert_eq!(
        words(&matrix, 2),
        ["allow", "unreachable", "allow", "unreachable", "allow"]
    );
    assert_eq!(
        words(&matrix, 3),
        ["allow", "depends", "unreachable", "allow", "allow"]
    );
    assert!(
        matrix.cells[0][1].by.starts_with("receiving: p:all"),
        "{:?}",
        matrix.cells[0][1]
    );

    master.make("/api/v1/policys/default:p/", &json!({"staged": true}));
    let staged = look();
    let cell = &staged.cells[0][1];
    assert_eq!(
        (cell.verdict.as_str(), cell.staged.as_str()),
        ("allow", "deny")
    );
    let reply = master.get("/api/v1/matrix/?protocol=tcp");
    assert_eq!((reply.status, &reply.body["field"]), (422, &json!("port")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_tells_what_opens_and_closes_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    fabric(&master);
    let before = master.get("/healthz").body["revision"].clone();
    let rule = |action: &str, port: u32| {
        json!({"objects": [{
            "kind": "rule", "tenantName": "default", "policyName": "p", "ruleId": "ssh",
            "direction": "in", "action": action, "priority": 20, "protocol": "tcp", "port": port
        }]})
    };
    let diff: PolicyDiff = read(master.post("/api/v1/diff/", &rule("allow", 22)));
    let changes = &diff.tenants[0].changes;
    assert!(
        changes
            .iter()
            .all(|c| c.change == "opens" && c.to == "db" && c.ports == "22")
    );
    let senders: std::collections::BTreeSet<&str> = changes.iter().map(|c| &*c.from).collect();
    assert_eq!(
        senders.into_iter().collect::<Vec<_>>(),
        ["db", "lab", "outside", "web"]
    );
    assert_eq!(diff.steps.len(), 1);

    let nothing: PolicyDiff = read(master.post("/api/v1/diff/", &rule("deny", 22)));
    assert!(nothing.tenants.is_empty(), "{nothing:?}");
    let wrong = master.post("/api/v1/diff/", &rule("perhaps", 22));
    assert_eq!(
        (wrong.status, &wrong.body["field"]),
        (422, &json!("objects[0].action"))
    );
    assert_eq!(master.get("/healthz").body["revision"], before);
}
