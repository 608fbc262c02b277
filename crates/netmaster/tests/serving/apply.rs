//! Many objects at once: one revision, or nothing.

use contiv_model::agent::{HostObject, ObjectKind, StreamMessage};
use contiv_model::manifest::{Apply, Change, Declared, Step};
use contiv_model::object::{Policy, Rule};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::master::{Master, Reply};

const RULES: u32 = 1000;

fn policy(name: &str) -> Declared {
    Declared::Policy(Policy {
        tenant_name: "default".into(),
        policy_name: name.into(),
        ..Policy::default()
    })
}

fn rule(policy: &str, number: u32) -> Declared {
    Declared::Rule(Rule {
        tenant_name: "default".into(),
        policy_name: policy.into(),
        rule_id: number.to_string(),
        direction: "in".into(),
        action: "deny".into(),
        protocol: "tcp".into(),
        port: number,
        ..Rule::default()
    })
}

fn everything() -> Apply {
    let rules = (1..=RULES).map(|number| rule("p", number));
    Apply {
        objects: rules.chain([policy("p")]).collect(),
        ..Apply::default()
    }
}

fn apply(master: &Master, request: &Apply) -> Reply {
    let body = serde_json::to_value(request).unwrap();
    master.post("/api/v1/apply/", &body)
}

fn count(master: &Master, kind: &str) -> usize {
    let reply = master.get(&format!("/api/v1/{kind}/"));
    reply.body.as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_rules_reach_a_host_as_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let host = master.host("h1").await;
    let mut stream = host.stream(None).await.unwrap();
    assert!(matches!(
        stream.next().await.unwrap().unwrap(),
        StreamMessage::Snapshot { .. }
    ));
    let reply = apply(&master, &everything());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let (put, revision) = loop {
        match stream.next().await.unwrap().unwrap() {
            StreamMessage::Change { put, revision, .. } if !put.is_empty() => {
                break (put, revision);
            }
            _ => {}
        }
    };
    let rules = put
        .iter()
        .filter(|o| matches!(o, HostObject::Rule(_)))
        .count();
    let policies = put
        .iter()
        .filter(|o| o.object_ref().kind == ObjectKind::Policy);
    assert_eq!((rules, policies.count()), (1000, 1));
    assert_eq!(reply.body["revision"], revision.to_string());

    let status = master.get("/api/v1/inspect/policys/default:p/");
    assert_eq!(status.body["Oper"]["revision"], revision.number);
    assert_eq!(status.body["Oper"]["hosts"][0]["state"], "behind");
    let report = contiv_model::agent::HostStatus {
        applied: revision,
        ..Default::default()
    };
    host.report(&report).await.unwrap();
    let status = master.get("/api/v1/inspect/policys/default:p/");
    assert_eq!(status.body["Oper"]["hosts"][0]["state"], "current");
}

#[test]
fn a_refusal_changes_nothing_and_names_the_object() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    let mut request = everything();
    if let Declared::Rule(rule) = &mut request.objects[700] {
        rule.action = "drop".into();
    }
    let reply = apply(&master, &request);
    assert_eq!(
        (reply.status, &reply.body["field"]),
        (422, &json!("objects[700].action"))
    );
    let error = reply.body["error"].as_str().unwrap();
    assert!(
        error.contains("rule default:p:701: action: \"drop\""),
        "{error}"
    );
    assert_eq!((count(&master, "rules"), count(&master, "policys")), (0, 0));
    let body = json!({"objects": [{"kind": "volume"}]});
    assert_eq!(master.post("/api/v1/apply/", &body).status, 400);
    let body = json!({"objects": [], "prun": true});
    assert_eq!(master.post("/api/v1/apply/", &body).status, 400);
}

#[test]
fn a_plan_is_told_first_and_pruned_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    assert_eq!(apply(&master, &everything()).status, 200);
    let request = Apply {
        objects: vec![policy("q")],
        prune: true,
        dry_run: true,
        expected: None,
    };
    let reply = apply(&master, &request);
    let steps: Vec<Step> = serde_json::from_value(reply.body["steps"].clone()).unwrap();
    let of = |change| steps.iter().filter(|s| s.change == change).count();
    assert_eq!((of(Change::Create), of(Change::Remove)), (1, 1001));
    assert_eq!(count(&master, "rules"), 1000);
    let request = Apply {
        dry_run: false,
        expected: Some(steps),
        ..request
    };
    let reply = apply(&master, &request);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((count(&master, "rules"), count(&master, "policys")), (0, 1));
    // The answer may have got lost: the same again is no conflict.
    let again = apply(&master, &request);
    assert_eq!(
        (again.status, &again.body["steps"]),
        (200, &Value::Array(Vec::new()))
    );
}
