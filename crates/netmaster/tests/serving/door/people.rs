//! Strangers, and people with the administrator's token.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use contiv_client::{Access, Client, Error, Timeouts, masters};
use contiv_identity::{AdminToken, Fingerprint};
use serde_json::Value;

use super::{Door, refused};
use crate::master::{Master, command};

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_but_how_to_say_who_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let stranger = door.stranger();
    let description: Value = serde_json::from_str(&netmaster::document()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    let more = [
        "/metrics",
        "/agent/v1/hosts/h/stream",
        "/agent/v1/hosts/h/docker-networks/d",
        "/agent/v1/hosts//stream",
        "/agent/v1/joined",
        "/no/such/path",
    ];
    for path in paths.keys().map(String::as_str).chain(more) {
        let path = path.replace(['{', '}'], "x");
        refused(stranger.get_json::<Value>(&path).await, 401, "netctl login");
    }
    let h = stranger.host("h").unwrap();
    refused(h.delete_endpoint("e").await, 401, "--join-token");
    refused(h.report(&Default::default()).await, 401, "--join-token");
    // The same is there on the loopback.
    assert_eq!(door.master.get("/version").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrators_token_opens_everything_until_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let file = dir.path().join("admin.token");
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    let store = std::fs::read(dir.path().join("netmaster.redb")).unwrap();
    let secret = token.trim().rsplit('.').next().unwrap().as_bytes();
    assert!(!store.windows(secret.len()).any(|part| part == secret));

    let admin = door.bearer(&token);
    assert!(admin.hosts().await.unwrap().is_empty());
    admin.make_join_token(&Default::default()).await.unwrap();
    for wrong in [
        AdminToken::new().unwrap().to_string(),
        "x".into(),
        "contiv-admin.".into(),
    ] {
        let wrong = door.bearer(&wrong);
        refused(wrong.hosts().await, 401, "netmaster token rotate");
    }

    // On the master's machine, by its loopback or by TLS.
    for (nth, listen) in [
        door.master.address.to_string(),
        format!("https://{}", door.address),
    ]
    .into_iter()
    .enumerate()
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netmaster"));
        command.args(["--listen-url", &listen, "token", "rotate", "--data-dir"]);
        let done = command.arg(dir.path()).output().unwrap();
        assert!(done.status.success(), "{nth}: {done:?}");
    }
    refused(admin.hosts().await, 401, "not the administrator's");
    let new = std::fs::read_to_string(&file).unwrap();
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    door.bearer(&new).hosts().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_authority_and_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let token = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let (authority, host) = (door.authority, door.host("h1").await);
    host.host("h1")
        .unwrap()
        .report(&Default::default())
        .await
        .unwrap();
    door.master.kill();
    let door = Door::start(dir.path());
    assert_eq!(door.authority, authority);
    door.bearer(&token).hosts().await.unwrap();
    let pem = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    assert_eq!(Fingerprint::of_pem(&pem).unwrap(), authority);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_say_nothing_to_masters_of_another_authority_nor_without_tls() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (door, other) = (Door::start(dir.path()), Door::start(other.path()));
    let token = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let access = Access::with_token(door.authority, token);
    let error = other.client(&access).hosts().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains("not of the authority"),
        "{error}"
    );

    let refused = |url: &str, access: &Access| {
        let master = masters(url).unwrap();
        let client = Client::of(master, Timeouts::default(), access);
        client.unwrap_err().to_string()
    };
    assert!(refused("http://192.0.2.1:9999", &access).contains("https://"));
    assert!(refused("http://m1:9999", &access).contains("https://"));
    assert!(refused("https://m1:9999", &Access::default()).contains("netctl login"));
    assert!(refused("192.0.2.1", &Access::default()).contains("netctl login"));
}

#[test]
fn nothing_but_the_loopback_is_served_plain() {
    let dir = tempfile::tempdir().unwrap();
    let plain = command(dir.path())
        .args(["--listen-url", "http://192.0.2.1:9999"])
        .output()
        .unwrap();
    assert_eq!(plain.status.code(), Some(22));
    let said = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert!(said.contains("https://"), "{said}");
    // Without such a listener there is nothing to join.
    let master = Master::start(dir.path());
    let refused = master.post("/api/v1/tokens/join/", &serde_json::json!({}));
    assert_eq!(refused.status, 409);
    assert!(
        refused.body["error"]
            .as_str()
            .unwrap()
            .contains("--listen-url")
    );
    assert!(!dir.path().join("admin.token").exists());
}

/// The loopback trusts everybody with policy, and root alone with the cluster's keys.
#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_keys_are_roots_on_the_loopback_too() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let token = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let address = door.master.address;
    // Speaks HTTP by bash alone, as somebody else: nobody, and root.
    let ask = |uid: &str, method: &str, path: &str, header: &str| {
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{}; printf '{method} {path} HTTP/1.0\\r\\n{header}\\r\\n' >&3; cat <&3",
            address.port()
        );
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            uid,
            "--regid",
            uid,
            "--clear-groups",
            "bash",
            "-c",
            &script,
        ]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    for (method, path) in [
        ("GET", "/api/v1/snapshot/"),
        ("GET", "/api/v1/snapshot"),
        ("POST", "/api/v1/tokens/admin/"),
        ("POST", "/api/v1/tokens/admin"),
        ("POST", "/api/v1/tokens/join/"),
        ("POST", "/api/v1/tokens/join"),
    ] {
        let answer = ask("65534", method, path, "");
        assert!(answer.starts_with("HTTP/1.0 403"), "{path}: {answer}");
        assert!(answer.contains("for root alone"), "{answer}");
    }
    assert!(ask("65534", "GET", "/api/v1/tenants/", "").starts_with("HTTP/1.0 200"));
    let bearer = |token: &str| format!("Authorization: Bearer {}\\r\\n", token.trim());
    let shown = ask("65534", "GET", "/api/v1/snapshot/", &bearer(&token));
    assert!(
        shown.starts_with("HTTP/1.0 200") && shown.contains("contivSnapshot"),
        "{shown}"
    );
    let guessed = AdminToken::new().unwrap().to_string();
    let refused = ask("65534", "GET", "/api/v1/snapshot/", &bearer(&guessed));
    assert!(refused.starts_with("HTTP/1.0 401"), "{refused}");
    let root = ask("0", "GET", "/api/v1/snapshot/", "");
    assert!(root.starts_with("HTTP/1.0 200"), "{root}");
}
