//! What a host has in its state directory, and what it makes of it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use clap::Parser;
use contiv_identity::{Authority, Lifetimes};

use super::*;

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

/// A host's files as after it has joined by `token`.
fn joined(dir: &Path, authority: &Authority, host: &str, token: &JoinToken, lives: &Lifetimes) {
    let files = Files(dir.to_owned());
    let key = files.key().unwrap();
    let request = key.request(host).unwrap();
    let issued = authority.sign_host(now(), lives, host, &request).unwrap();
    files.write("ca.pem", authority.certificate()).unwrap();
    let kept = format!("{BY}{}\n{}", token.id, issued.chain);
    files.write("host.pem", &kept).unwrap();
}

fn config(dir: &Path, more: &[&str]) -> Config {
    let line = ["netplugin", "--state-dir", dir.to_str().unwrap()];
    Config::parse_from([&line, more].concat())
}

async fn asked(config: &Config, masters: &str) -> Result<Access, String> {
    let masters = contiv_client::masters(masters).unwrap();
    let access = access(config, "h1", &masters).await;
    access.map_err(|e| format!("{e:#}"))
}

const FAR: &str = "https://192.0.2.1:9999";

#[tokio::test]
async fn masters_of_the_loopback_want_nothing_and_others_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let near = asked(&config(&state, &[]), "http://127.0.0.1:9999").await;
    assert!(near.unwrap().certificate.is_none());
    assert!(!state.exists());
    let refused = asked(&config(&state, &[]), FAR).await.unwrap_err();
    assert!(
        refused.starts_with("--join-token: host h1 has not joined"),
        "{refused}"
    );
    let refused = asked(&config(&state, &["--join-token=x"]), FAR)
        .await
        .unwrap_err();
    assert!(refused.contains("contiv-join."), "{refused}");
    let file = dir.path().join("none");
    let flag = format!("--join-token-file={}", file.display());
    let refused = asked(&config(&state, &[&flag]), FAR).await.unwrap_err();
    assert!(refused.starts_with("--join-token-file: "), "{refused}");
}

#[tokio::test]
async fn a_host_that_has_joined_needs_its_token_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let authority = Authority::new(now(), &Lifetimes::default()).unwrap();
    let token = JoinToken::new(authority.fingerprint()).unwrap();
    joined(&state, &authority, "h1", &token, &Lifetimes::default());
    let has = asked(&config(&state, &[]), FAR).await.unwrap();
    assert_eq!(has.authority, Some(authority.fingerprint()));
    assert!(has.certificate.is_some() && has.token.is_none());
    // Its own token may stay where it is.
    let file = dir.path().join("token");
    fs::write(&file, format!("{token}\n")).unwrap();
    let flag = format!("--join-token-file={}", file.display());
    asked(&config(&state, &[&flag]), FAR).await.unwrap();

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in ["host.key", "host.pem", "ca.pem"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_is_of_another_life_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files(dir.path().to_owned());
    let authority = Authority::new(now(), &Lifetimes::default()).unwrap();
    let token = JoinToken::new(authority.fingerprint()).unwrap();
    assert!(files.membership("h1", None).unwrap().is_none());
    joined(dir.path(), &authority, "h2", &token, &Lifetimes::default());
    assert!(files.membership("h2", Some(&token)).unwrap().is_some());
    // Of another name; and another token is a wish to join anew, with the key that there is.
    assert!(files.membership("h1", None).unwrap().is_none());
    let other = JoinToken::new(authority.fingerprint()).unwrap();
    assert!(files.membership("h2", Some(&other)).unwrap().is_none());
    let key = files.key().unwrap().public();
    let brief = Lifetimes {
        host: Duration::ZERO,
        ..Lifetimes::default()
    };
    joined(dir.path(), &authority, "h2", &token, &brief);
    assert_eq!(files.key().unwrap().public(), key);
    assert!(
        files.membership("h2", None).unwrap().is_none(),
        "it has expired"
    );
    fs::write(dir.path().join("host.pem"), "damaged").unwrap();
    let error = files.membership("h2", None).unwrap_err().to_string();
    assert!(error.starts_with("host.pem: "), "{error}");
}

#[test]
fn an_answer_about_somebody_else_is_refused() {
    let authority = Authority::new(now(), &Lifetimes::default()).unwrap();
    let other = Authority::new(now(), &Lifetimes::default()).unwrap();
    let token = JoinToken::new(authority.fingerprint()).unwrap();
    let (key, stranger) = (HostKey::new().unwrap(), HostKey::new().unwrap());
    let answer = |authority: &Authority, of: &HostKey, host: &str| Joined {
        certificate: authority
            .sign_host(
                now(),
                &Lifetimes::default(),
                host,
                &of.request(host).unwrap(),
            )
            .unwrap()
            .chain,
        authority: authority.certificate().to_owned(),
    };
    check(&answer(&authority, &key, "h1"), &token, "h1", &key).unwrap();
    for wrong in [
        answer(&other, &key, "h1"),
        answer(&authority, &stranger, "h1"),
        answer(&authority, &key, "h2"),
    ] {
        assert!(check(&wrong, &token, "h1", &key).is_err());
    }
}
