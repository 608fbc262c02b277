//! etcd that asks who speaks: certificates, users, tokens that expire.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contiv_store::{Error, Outcome, Store};
use etcd_client::{Client, ConnectOptions, Permission, PermissionType};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;

use super::*;

/// Where members serve with TLS, beside where they serve those who watch over them.
const ENCRYPTED: &str = "https://127.0.0.1:2479";

/// An authority and what it has signed, in files.
struct Pki {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Pki {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let pki = Pki { dir, issuer };
        pki.sign("server");
        pki.sign("client");
        pki
    }

    /// Signs `NAME.pem` for the loopback, whose key is in `NAME.key`.
    fn sign(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn text(&self, file: &str) -> String {
        self.path(file).to_str().unwrap().to_owned()
    }
}

/// Runs `act` where a member serves that was started with `arguments`.
fn with_arguments<F: Future<Output = ()>>(
    arguments: &[&str],
    act: impl FnOnce(Arc<Etcd>) -> F + Send,
) {
    let netns = Netns::new().unwrap();
    let etcd = Arc::new(Etcd::start_with(&netns, 1, arguments).unwrap());
    let ran = netns.enter(|| Runtime::new().unwrap().block_on(act(etcd)));
    ran.unwrap();
}

async fn try_open(place: &EtcdPlace) -> Result<EtcdStore, Error> {
    EtcdStore::open(place.clone(), Schema::default()).await
}

/// It opens, commits and hears of it.
async fn works(place: &EtcdPlace, value: &str) -> EtcdStore {
    let store = try_open(place).await.unwrap();
    let mut following = store.follow().await.unwrap();
    let write = transaction(vec![], vec![put("/a", value)]);
    assert!(matches!(
        store.commit(write).await.unwrap(),
        Outcome::Committed(_)
    ));
    let heard = tokio::time::timeout(Duration::from_secs(10), following.changes.next()).await;
    assert_eq!(heard.unwrap().unwrap().writes, [put("/a", value)]);
    store
}

/// It is refused soon, in these words.
async fn refused(place: &EtcdPlace, words: &[&str]) {
    let begin = Instant::now();
    let error = try_open(place).await.unwrap_err();
    let text = error.to_string();
    assert!(begin.elapsed() < Duration::from_secs(10), "{text}");
    for word in words {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn members_and_masters_show_certificates() {
    let (ours, theirs) = (Pki::new(), Pki::new());
    let urls = format!("http://127.0.0.1:2379,{ENCRYPTED}");
    let arguments = [
        "--listen-client-urls",
        &urls,
        "--advertise-client-urls",
        ENCRYPTED,
        "--cert-file",
        &ours.text("server.pem"),
        "--key-file",
        &ours.text("server.key"),
        "--trusted-ca-file",
        &ours.text("ca.pem"),
        "--client-cert-auth",
    ];
    with_arguments(&arguments, |etcd| async move {
        let _serves = etcd;
        let place = |ca: Option<&Pki>, own: Option<&Pki>| EtcdPlace {
            ca: ca.map(|pki| pki.path("ca.pem")),
            identity: own.map(|pki| (pki.path("client.pem"), pki.path("client.key"))),
            ..EtcdPlace::parse("etcds://127.0.0.1:2479/tls").unwrap()
        };
        drop(works(&place(Some(&ours), Some(&ours)), "x").await);
        refused(&place(Some(&theirs), Some(&ours)), &["--store-ca"]).await;
        refused(&place(None, Some(&ours)), &["--store-ca"]).await;
        refused(&place(Some(&ours), None), &["--store-cert"]).await;
        refused(&place(Some(&ours), Some(&theirs)), &["--store-cert"]).await;
        let nothing = EtcdPlace {
            ca: Some(Path::new("/no/such/file").to_owned()),
            ..place(None, None)
        };
        refused(&nothing, &["/no/such/file", "can be read"]).await;
    });
}

async fn root() -> Client {
    let options = ConnectOptions::new().with_user("root", "rootpw");
    Client::connect(["http://127.0.0.1:2379"], Some(options))
        .await
        .unwrap()
}

/// User `contiv` with password `secret` may do everything below `/users`.
async fn enable_users() {
    let client = Client::connect(["http://127.0.0.1:2379"], None)
        .await
        .unwrap();
    let mut auth = client.auth_client();
    auth.user_add("root", "rootpw", None).await.unwrap();
    auth.role_add("root").await.unwrap();
    auth.user_grant_role("root", "root").await.unwrap();
    auth.role_add("contiv").await.unwrap();
    let below = Permission::new(PermissionType::Readwrite, "/users/").with_prefix();
    auth.role_grant_permission("contiv", below).await.unwrap();
    auth.user_add("contiv", "secret", None).await.unwrap();
    auth.user_grant_role("contiv", "contiv").await.unwrap();
    auth.auth_enable().await.unwrap();
}

fn user(prefix: &str, user: Option<(&str, &str)>) -> EtcdPlace {
    EtcdPlace {
        user: user.map(|(name, password)| (name.to_owned(), password.to_owned())),
        ..EtcdPlace::parse(&format!("etcd://127.0.0.1:2379/{prefix}")).unwrap()
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn users_show_passwords_and_come_again_when_their_tokens_are_lost() {
    with_arguments(&["--auth-token-ttl", "2"], |etcd| async move {
        enable_users().await;
        let right = user("users", Some(("contiv", "secret")));
        refused(&user("users", None), &["--store-user"]).await;
        refused(
            &user("users", Some(("contiv", "guess"))),
            &["--store-password"],
        )
        .await;
        refused(
            &user("users", Some(("nobody", "secret"))),
            &["--store-user"],
        )
        .await;
        refused(
            &user("elsewhere", Some(("contiv", "secret"))),
            &["permission"],
        )
        .await;
        let store = works(&right, "x").await;

        // Tokens live in the member's memory.
        let mut following = store.follow().await.unwrap();
        let etcd = tokio::task::spawn_blocking(move || {
            etcd.restart(0).unwrap();
            etcd
        });
        let _serves = etcd.await.unwrap();
        until("it can be written again", || {
            store.writable().is_ok() && store.age() < Duration::from_secs(2)
        })
        .await;
        let again = transaction(vec![], vec![put("/a", "y")]);
        store.commit(again).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(10), following.changes.next()).await;
        assert_eq!(heard.unwrap().unwrap().writes, [put("/a", "y")]);

        // A password that is changed is said so, and goes on once it is right again.
        let mut auth = root().await.auth_client();
        auth.user_change_password("contiv", "other").await.unwrap();
        until("the change is noticed", || store.writable().is_err()).await;
        let why = store.writable().unwrap_err().to_string();
        assert!(why.contains("--store-password"), "{why}");
        auth.user_change_password("contiv", "secret").await.unwrap();
        until("it is right again", || store.writable().is_ok()).await;
        let third = transaction(vec![], vec![put("/a", "z")]);
        store.commit(third).await.unwrap();
    });
}

/// A signed token ends at its time, however often it was used.
#[test]
fn a_token_that_expires_is_renewed_and_nothing_fails_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = |file: &str| dir.path().join(file).to_str().unwrap().to_owned();
    for arguments in [
        vec!["genrsa", "-out", &path("key"), "2048"],
        vec!["rsa", "-in", &path("key"), "-pubout", "-out", &path("pub")],
    ] {
        let made = std::process::Command::new("openssl")
            .args(arguments)
            .output();
        assert!(made.unwrap().status.success());
    }
    let (key, public) = (path("key"), path("pub"));
    let token = format!("jwt,pub-key={public},priv-key={key},sign-method=RS256,ttl=2s");
    with_arguments(&["--auth-token", &token], |etcd| async move {
        let _serves = etcd;
        enable_users().await;
        let store = works(&user("users", Some(("contiv", "secret"))), "x").await;
        let mut following = store.follow().await.unwrap();
        let begin = Instant::now();
        let mut commits = 0;
        while begin.elapsed() < Duration::from_secs(5) {
            let value = commits.to_string();
            let write = transaction(vec![], vec![put("/n", &value)]);
            store.commit(write).await.unwrap();
            let heard = following.changes.next().await.unwrap();
            assert_eq!(heard.writes, [put("/n", &value)]);
            commits += 1;
        }
        assert!(store.writable().is_ok() && commits > 3);
        // A new watch, with a token that was made anew.
        let following = store.follow().await.unwrap();
        assert_eq!(following.entries.len(), 2);
    });
}
