use contiv_model::manifest::Declared;
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use proptest::prelude::*;

use super::*;

fn source(text: &str) -> Source {
    Source {
        name: "web.yaml".into(),
        text: text.into(),
    }
}

fn wrong(text: &str) -> String {
    read(&source(text)).unwrap_err().to_string()
}

#[test]
fn documents_have_kinds_and_the_fields_of_the_api() {
    let text = "# What web may do.
---
kind: policy
tenantName: blue
policyName: web
order: 7
---   # nothing here
---
kind: rule
tenantName: blue
policyName: web
ruleId: 1
ports: 80,443
log: true
";
    let documents = read(&source(text)).unwrap();
    let kinds: Vec<String> = documents
        .iter()
        .map(|d| format!("{} {} {}", d.at(), d.declared.kind(), d.declared.key()))
        .collect();
    assert_eq!(
        kinds,
        ["web.yaml:3 policy blue:web", "web.yaml:9 rule blue:web:1"]
    );
    match &documents[1].declared {
        Declared::Rule(rule) => assert_eq!((rule.ports.as_str(), rule.log), ("80,443", true)),
        other => panic!("{other:?}"),
    }
    let json = r#"{"kind": "tenant", "tenantName": "blue"}"#;
    assert_eq!(read(&source(json)).unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, said) in [
        (
            "kind: policy\n---\nkind: polcy\n",
            "web.yaml:3: document 2: kind: \"polcy\" is not known",
        ),
        (
            "tenantName: blue\n",
            "web.yaml:1: document 1: kind: is missing",
        ),
        (
            "kind: rule\n# x\npolicyNme: web\n",
            "web.yaml:3: document 1: policyNme: is no field of this kind; did you mean policyName?",
        ),
        (
            "---\nkind: network\npktTag: one\n",
            "web.yaml:3: document 1: pktTag: invalid type",
        ),
        (
            "kind: rule\nlog: 1\n",
            "web.yaml:2: document 1: log: invalid type",
        ),
        ("kind: rule\nruleId: '1'\nruleId: '2'\n", "web.yaml:"),
        ("kind: [\n", "web.yaml:"),
        ("- kind: rule\n", "web.yaml:1: document 1: "),
    ] {
        let message = wrong(text);
        assert!(message.starts_with(said), "{text}: {message}");
    }
}

#[test]
fn a_refusal_of_netmaster_finds_its_line() {
    let documents = read(&source("---\nkind: rule\nports: 80,x\n")).unwrap();
    let wrong = documents[0].wrong("ports", "ports: item 2");
    assert_eq!(wrong.to_string(), "web.yaml:3: document 1: ports: item 2");
    assert_eq!(documents[0].wrong("", "no such tenant").line, 2);
    assert_eq!(documents[0].wrong("policyName", "is empty").line, 2);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "",
        "[a-z0-9.:,/-]{1,12}",
        "yes|no|null|~|1e3|0x1|'|#|: |- ",
        ".{0,8}"
    ]
}

fn any_declared() -> impl Strategy<Value = Declared> {
    let words = prop::collection::vec(word(), 8);
    (0..6usize, words, any::<(u32, bool)>()).prop_map(|(kind, words, (number, flag))| {
        let word = |index: usize| words[index].clone();
        match kind {
            0 => Declared::Global(Global {
                name: word(0),
                vlans: word(1),
                ..Global::default()
            }),
            1 => Declared::Tenant(Tenant {
                tenant_name: word(0),
                ..Tenant::default()
            }),
            2 => Declared::Network(Network {
                tenant_name: word(0),
                network_name: word(1),
                pkt_tag: number,
                subnet: word(2),
                ..Network::default()
            }),
            3 => Declared::EndpointGroup(EndpointGroup {
                group_name: word(0),
                policies: vec![word(1), word(2)],
                default_action_in: word(3),
                ..EndpointGroup::default()
            }),
            4 => Declared::Policy(Policy {
                policy_name: word(0),
                order: flag.then_some(number),
                staged: flag.then_some(flag),
                description: flag.then(|| word(1)),
                ..Policy::default()
            }),
            _ => Declared::Rule(Rule {
                rule_id: word(0),
                from_ip_address: word(1),
                ports: word(2),
                icmp_type: flag.then_some(number),
                description: word(3),
                log: flag,
                ..Rule::default()
            }),
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(objects in prop::collection::vec(any_declared(), 0..4)) {
        let texts: Result<Vec<String>, _> = objects.iter().map(written).collect();
        let read = read(&source(&texts.unwrap().join("---\n"))).unwrap();
        let read: Vec<Declared> = read.into_iter().map(|d| d.declared).collect();
        prop_assert_eq!(read, objects);
    }

    #[test]
    fn no_file_is_too_strange(text in "(kind: (rule|policy)\n|---\n|[a-zA-Z]{1,8}: .{0,8}\n|.{0,20}){0,8}") {
        drop(super::read(&source(&text)));
    }
}
