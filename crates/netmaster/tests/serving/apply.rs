//! Many objects at once: one revision, or nothing.

use std::process::{Command, Output, Stdio};

use contiv_model::agent::{
    HostObject, HostStatus, ObjectKind, ObjectRef, Problem, Revision, StreamMessage,
};
use contiv_model::manifest::{Apply, Change, Declared, Step};
use contiv_model::object::{Policy, Rule};
use contiv_testbed::bin;
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
    assert_eq!(status.body["Oper"]["revision"], revision.to_string());
    assert_eq!(status.body["Oper"]["hosts"][0]["state"], "behind");
    let report = HostStatus {
        applied: revision,
        ..HostStatus::default()
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

fn netctl(master: &Master, words: &[&str]) -> Command {
    let mut command = Command::new(bin("netctl").unwrap());
    command
        .args(words)
        .env("NETMASTER", format!("http://{}", master.address))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Exit code, what it printed, and its complaint.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What `netctl policy status` says of host `h1`, in words, after the revision in its head.
fn status(master: &Master) -> (String, Vec<String>, String) {
    let words = ["policy", "status", "p"];
    let (code, printed, complaint) = ended(netctl(master, &words).output().unwrap());
    assert_eq!(code, Some(0), "{complaint}");
    let head = printed.lines().next().unwrap();
    let revision = head.rsplit(' ').next().unwrap().to_owned();
    let row = printed
        .lines()
        .find(|line| line.starts_with("h1 "))
        .unwrap();
    let row = row.split_whitespace().map(str::to_owned).collect();
    (revision, row, printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn netctl_tells_of_hosts_that_did_not_put_a_policy_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let master = Master::start(dir.path());
    master.make_network("n", "10.1.1.0/24");
    let host = master.host("h1").await;
    let mut stream = host.stream(None).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let file = dir.path().join("p.yaml");
    std::fs::write(&file, "kind: policy\ntenantName: default\npolicyName: p\n").unwrap();
    let words = ["apply", "-f", file.to_str().unwrap()];
    let apply = netctl(&master, &words).spawn().unwrap();
    let revision = loop {
        match stream.next().await.unwrap().unwrap() {
            StreamMessage::Change { put, revision, .. } if !put.is_empty() => break revision,
            _ => {}
        }
    };
    let report = |applied: Revision, problems: &[Problem]| HostStatus {
        applied,
        problems: problems.to_vec(),
        ..HostStatus::default()
    };
    let refusal = Problem {
        object: ObjectRef {
            kind: ObjectKind::Tenant,
            key: "default".into(),
        },
        reason: "PolicyRefused".into(),
        message: "rule p:1 is one too many".into(),
    };
    host.report(&report(revision, &[refusal])).await.unwrap();
    let (code, _, complaint) = ended(apply.wait_with_output().unwrap());
    assert_eq!(code, Some(3), "{complaint}");
    assert!(
        complaint.contains(&format!(
            "revision {revision} is stored, but not in force on h1"
        )) && complaint.contains("h1 (PolicyRefused: rule p:1 is one too many)"),
        "{complaint}"
    );
    let number = revision.to_string();
    let (last, row, printed) = status(&master);
    assert_eq!(last, number);
    assert_eq!(row, ["h1", &number, "refused", "PolicyRefused"]);
    assert!(
        printed.contains("h1: rule p:1 is one too many"),
        "{printed}"
    );

    // A group that gets the policy is a change of the policy, too.
    host.report(&report(revision, &[])).await.unwrap();
    assert_eq!(status(&master).1, ["h1", &number, "current"]);
    let group = json!({"networkName": "n", "policies": ["p"]});
    master.make("/api/v1/endpointGroups/default:g/", &group);
    let (last, row, _) = status(&master);
    assert_eq!(row, ["h1", &number, "behind"]);
    let now: Revision = last.parse().unwrap();
    assert!(now > revision, "{now}");
    host.report(&report(now, &[])).await.unwrap();
    assert_eq!(status(&master).1, ["h1", &last, "current"]);
}
