//! Command lines that reach no master, or none that answers.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::run::netctl;

/// A port that nobody listens on.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn help_that_is_asked_for_is_no_error() {
    for words in [
        &["--help"][..],
        &["net", "create", "-h"],
        &["help", "policy", "rule-add"],
    ] {
        let text = netctl("", words).ok();
        assert!(text.contains("Usage: netctl"), "{text}");
    }
    assert!(
        netctl("", &["net", "create", "--help"])
            .ok()
            .contains("Example")
    );
    assert!(
        netctl("", &["policy", "rule-add", "-help"])
            .ok()
            .contains("--from-ip-address")
    );
}

#[test]
fn what_makes_no_sense_exits_with_1_the_commands_help_and_the_reason() {
    for (words, usage, reason) in [
        (&[][..], "Usage: netctl ", "no command"),
        (&["net"], "Usage: netctl network ", "sub-command is missing"),
        (
            &["net", "create", "n"],
            "Usage: netctl network create ",
            "--subnet",
        ),
        (
            &["net", "create", "-s", "10.1.1.0/24"],
            "Usage: netctl network create ",
            "<NETWORK>",
        ),
        (
            &["net", "create", "n", "--subnt", "x"],
            "Usage: netctl network create ",
            "did you mean --subnet?",
        ),
        (
            &["net", "craete"],
            "Usage: netctl network ",
            "did you mean create?",
        ),
        (
            &["net", "create", "n", "-s", "x", "--pkt-tag", "many"],
            "network create",
            "--pkt-tag",
        ),
        (
            &["ep", "inspect"],
            "Usage: netctl endpoint inspect ",
            "<EPID>",
        ),
        (
            &["trace", "--from", "web1", "--proto", "tcp"],
            "Usage: netctl trace ",
            "--to",
        ),
        (
            &["trace", "--from", "a", "--to", "b", "--port", "many"],
            "Usage: netctl trace ",
            "--port",
        ),
        (
            &["policy", "matrix", "--port", "80", "--format", "xml"],
            "Usage: netctl policy matrix ",
            "--format",
        ),
        (&["policy", "diff"], "Usage: netctl policy diff ", "<PATH>"),
        (&["apply"], "Usage: netctl apply ", "<PATH>"),
        (
            &["tenant", "ls", "-o", "xml"],
            "Usage: netctl tenant ls ",
            "--output",
        ),
        (
            &["tenant", "ls", "-j", "-q"],
            "Usage: netctl tenant ls ",
            "--quiet",
        ),
        (
            &["global", "set"],
            "Usage: netctl global set ",
            "--fwd-mode",
        ),
        (
            &["group", "create", "n"],
            "Usage: netctl group create ",
            "<GROUP>",
        ),
        (
            &["policy", "rule-add", "p"],
            "Usage: netctl policy rule-add ",
            "<RULE_ID>",
        ),
        (
            &["--netmaster", "ftp://m:1", "net", "ls"],
            "Usage: netctl network ls ",
            "--netmaster",
        ),
        (
            &["wait", "network", "n", "--timeout", "soon"],
            "Usage: netctl wait ",
            "--timeout",
        ),
        (
            &["events", "--kind", "loud"],
            "Usage: netctl events ",
            "--kind",
        ),
        (
            &["events", "--limit", "0"],
            "Usage: netctl events ",
            "--limit",
        ),
        (
            &["events", "--since", "yesterday"],
            "Usage: netctl events ",
            "--since",
        ),
        (
            &["policy", "hits", "p", "--all"],
            "Usage: netctl policy hits ",
            "--all",
        ),
        (&["logon"], "Usage: netctl ", "logon"),
    ] {
        let run = netctl("", words);
        assert!(run.stderr.contains(usage), "{words:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{words:?}");
        let complaint = run.fails(1);
        assert!(complaint.contains(reason), "{words:?}: {complaint}");
    }
}

#[test]
fn contradictory_rules_are_refused_before_a_master_is_asked() {
    for (flags, reason) in [
        (
            &["--to-group", "g"][..],
            "--to-group and --to-network make no sense for an incoming rule",
        ),
        (
            &["-d", "in", "-o", "n"],
            "--to-group and --to-network make no sense for an incoming rule",
        ),
        (
            &["-d", "out", "-g", "g"],
            "make no sense for an outgoing rule",
        ),
        (
            &["-d", "out", "-n", "n"],
            "make no sense for an outgoing rule",
        ),
        (
            &["-d", "out", "-i", "10.1.1.1"],
            "make no sense for an outgoing rule",
        ),
        (
            &["-g", "g", "-n", "n"],
            "--from-group and --from-network exclude each other",
        ),
        (
            &["-d", "out", "-e", "g", "-o", "n"],
            "--to-group and --to-network exclude each other",
        ),
    ] {
        for verb in ["rule-add", "rule-update"] {
            let words = [&["policy", verb, "p", "1"], flags].concat();
            let complaint = netctl(&nobody(), &words).fails(1);
            assert!(complaint.contains(reason), "{words:?}: {complaint}");
        }
    }
}

#[test]
fn files_that_are_wrong_are_named_before_a_master_is_asked() {
    let dir = std::env::temp_dir().join(format!("contiv-netctl-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("intent.yaml");
    for (text, said) in [
        (
            "kind: rule\nprot: tcp\n",
            "intent.yaml:2: document 1: prot: is no field",
        ),
        (
            "kind: policy\npolicyName: p\n---\nkind: policy\npolicyName: p\n",
            "intent.yaml:4: document 2: policy :p is declared at",
        ),
        ("# nothing\n", "the files declare nothing"),
    ] {
        std::fs::write(&file, text).unwrap();
        let path = dir.to_str().unwrap();
        for words in [
            &["apply", "-f", path][..],
            &["apply", path],
            &["policy", "diff", "-f", path],
            &["policy", "diff", path],
        ] {
            let complaint = netctl(&nobody(), words).fails(3);
            assert!(complaint.contains(said), "{words:?}: {complaint}");
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
    let complaint = netctl(&nobody(), &["apply", "-f", file.to_str().unwrap()]).fails(4);
    assert!(
        complaint.contains("cannot read") && complaint.contains("intent.yaml"),
        "{complaint}"
    );
}

#[test]
fn names_that_would_be_another_objects_key_are_refused() {
    assert!(
        netctl(&nobody(), &["tenant", "rm", ""])
            .fails(1)
            .contains("TENANT is empty")
    );
    let complaint = netctl(&nobody(), &["net", "rm", "blue:n"]).fails(1);
    assert!(
        complaint.contains("give the tenant by --tenant"),
        "{complaint}"
    );
    assert!(
        netctl(&nobody(), &["net", "ls", "-t", ""])
            .fails(1)
            .contains("--tenant is empty")
    );
}

#[test]
fn no_answer_exits_with_2_and_names_every_master_that_was_tried() {
    let (a, b) = (nobody(), nobody());
    let complaint = netctl(&format!("{a},{b}"), &["net", "ls"]).fails(2);
    assert!(
        complaint.contains(&a) && complaint.contains(&b),
        "{complaint}"
    );
    assert!(complaint.contains("Connection refused") && complaint.contains("--netmaster"));
}

#[test]
fn its_own_version_needs_no_master_and_is_shown_even_without() {
    let own = netctl(&nobody(), &["--version"]).ok();
    let names: Vec<_> = own.lines().map(|l| l.split(": ").next().unwrap()).collect();
    assert_eq!(names, ["Version", "GitCommit", "BuildTime"]);
    let run = netctl(&nobody(), &["version"]);
    assert_eq!(run.stdout, format!("Client Version:\n{own}\n"));
    run.fails(2);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = netctl("", &["completion", shell]).ok();
        assert!(
            script.contains("rule-add") && script.contains("subnetv6"),
            "{shell}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_hears_no_complaint() {
    // The script is larger than a pipe, so that netctl is still writing.
    let mut child = Command::new(env!("CARGO_BIN_EXE_netctl"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), stderr.as_str()),
        (Some(4), "")
    );
}
