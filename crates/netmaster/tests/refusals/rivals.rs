//! Several who change one object at once, by netctl.

use serde_json::{Value, json};

use crate::master::{Master, Run};
use crate::noun::{GLOBAL, GROUP, NETWORK, POLICY, RULE, group, network, policy};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Runs all of these command lines at once.
fn at_once(master: &Master, lines: &[String]) -> Vec<Run> {
    std::thread::scope(|scope| {
        let runs: Vec<_> = lines
            .iter()
            .map(|line| scope.spawn(|| master.netctl(&words(line))))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[track_caller]
fn all_succeed(master: &Master, lines: &[String]) {
    for run in at_once(master, lines) {
        assert_eq!(run.code, 0, "{run:?}");
    }
}

fn stage() -> Master {
    let master = Master::start();
    NETWORK.accept(&master, &network("n", "10.1.1.0/24"));
    for name in ["p", "q"] {
        POLICY.accept(&master, &policy(name));
    }
    master
}

fn rule() -> Value {
    json!({
        "tenantName": "default", "policyName": "p", "ruleId": "1", "direction": "in",
        "action": "allow", "protocol": "tcp",
    })
}

#[test]
fn nobody_undoes_what_another_set() {
    let master = stage();
    GROUP.accept(&master, &group("g", "n"));
    for round in 1..=5 {
        RULE.accept(&master, &rule());
        let flags = [
            format!("--priority {round}"),
            format!("--ports {round}"),
            format!("--from-ip-address 10.0.0.{round}"),
            format!("--description round-{round}"),
            "--action deny".to_owned(),
            "--log".to_owned(),
        ];
        let set = |flags: &String| format!("policy rule-set p 1 {flags}");
        all_succeed(&master, &flags.iter().map(set).collect::<Vec<_>>());
        let stored = RULE.get(&master, &rule()).body;
        for (field, value) in [
            ("priority", json!(round)),
            ("ports", json!(round.to_string())),
            ("fromIpAddress", json!(format!("10.0.0.{round}"))),
            ("description", json!(format!("round-{round}"))),
            ("action", json!("deny")),
            ("log", json!(true)),
        ] {
            assert_eq!(stored[field], value, "round {round}: {stored}");
        }

        let policy = if round % 2 == 0 { "p" } else { "q" };
        let action = if round % 2 == 0 { "allow" } else { "deny" };
        let flags = [
            format!("-p {policy}"),
            format!("--default-action-in {action}"),
            format!("--default-action-out {action}"),
        ];
        let set = |flags: &String| format!("group set g {flags}");
        all_succeed(&master, &flags.iter().map(set).collect::<Vec<_>>());
        let stored = GROUP.get(&master, &group("g", "n")).body;
        assert_eq!(
            stored["policies"],
            json!([policy]),
            "round {round}: {stored}"
        );
        // `allow` goes without saying.
        let action = (action == "deny").then_some(action);
        for field in ["defaultActionIn", "defaultActionOut"] {
            assert_eq!(stored[field].as_str(), action, "round {round}: {stored}");
        }

        let range = format!("1-{}", 1000 + round);
        let set = |flag: &str| format!("global set {flag} {range}");
        all_succeed(&master, &["-v", "-x"].map(set));
        let stored = GLOBAL.get(&master, &json!({"name": "global"})).body;
        assert_eq!(
            (&stored["vlans"], &stored["vxlans"]),
            (&json!(range), &json!(range))
        );
    }
}

#[test]
fn of_several_who_add_one_rule_one_does() {
    let master = stage();
    for round in 1..=5 {
        let add = |priority| format!("policy rule-add p {round} --priority {priority}");
        let lines: Vec<String> = (1..=6).map(add).collect();
        let runs = at_once(&master, &lines);
        let added: Vec<usize> = (0..6).filter(|i| runs[*i].code == 0).collect();
        assert_eq!(added.len(), 1, "{runs:?}");
        for run in runs.iter().filter(|run| run.code != 0) {
            assert_eq!(run.code, 3, "{run:?}");
            let said = format!("RULE_ID: rule {round} of policy default:p exists");
            assert!(run.complaint.contains(&said), "{run:?}");
        }
        let path = format!("rules/default:p:{round}/");
        let stored = master.call("GET", &path, &Value::Null).body;
        assert_eq!(stored["priority"], json!(added[0] + 1));
    }
}

#[test]
fn what_is_not_there_is_not_changed_into_being() {
    let master = stage();
    for (line, said) in [
        ("policy rule-set p 1 --log", "rule default:p:1 not found"),
        ("policy rule-update p 1 --log", "rule default:p:1 not found"),
        ("policy set x --staged", "policy default:x not found"),
        ("group set x -p p", "group default:x not found"),
    ] {
        let run = master.netctl(&words(line));
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.complaint.contains(said), "{run:?}");
    }
    assert_eq!(master.call("GET", "rules/", &Value::Null).body, json!([]));
}
