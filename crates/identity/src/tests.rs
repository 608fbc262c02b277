//! Tokens as texts, and certificates against each other as a handshake sees them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConnection};

use super::*;

const LIVES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(3600),
    server: Duration::from_secs(600),
    host: Duration::from_secs(600),
    skew: Duration::from_secs(300),
};

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}

fn ago(seconds: u64) -> u64 {
    now() - seconds * 1000
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn certificate(issued: Issued) -> Certificate {
    Certificate {
        chain: issued.chain,
        key: issued.key,
    }
}

fn server(authority: &Authority, made: u64, lives: &Lifetimes) -> Certificate {
    let names = ["localhost".to_owned(), "10.1.1.1".to_owned()];
    certificate(authority.sign_server(made, lives, &names).unwrap())
}

fn host(authority: &Authority, made: u64) -> Certificate {
    let key = HostKey::new().unwrap();
    let request = key.request("h1").unwrap();
    let issued = authority.sign_host(made, &LIVES, "h1", &request).unwrap();
    Certificate {
        chain: issued.chain,
        key: key.to_pem(),
    }
}

/// What the client says about the handshake, and who the server takes the client for.
fn shake(
    authority: &Authority,
    shown: &Certificate,
    trusted: Fingerprint,
    own: Option<&Certificate>,
    name: &str,
) -> Result<Option<String>, String> {
    let shown = Arc::new(Shown(Arc::new(shown.certified().unwrap())));
    let server = server_config(authority.certificate(), shown).unwrap();
    let client = client_config(Some(trusted), own).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut refused = None;
    for _ in 0..8 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && server.read_tls(&mut rest).unwrap() > 0 {
            refused = server.process_new_packets().err().or(refused);
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && client.read_tls(&mut rest).unwrap() > 0 {
            client.process_new_packets().map_err(|e| human(&e))?;
        }
    }
    assert_eq!(refused, None, "the client has heard of it");
    client.writer().write_all(b"hello").unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    server.read_tls(&mut bytes.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut hello = [0; 5];
    server.reader().read_exact(&mut hello).unwrap();
    let shown = server.peer_certificates().unwrap_or_default();
    Ok(shown
        .first()
        .and_then(|der| Presented::read(der).unwrap().host))
}

#[test]
fn both_ends_know_each_other_by_one_authority() {
    let authority = Authority::new(now(), &LIVES).unwrap();
    let (shown, own) = (server(&authority, now(), &LIVES), host(&authority, now()));
    let trusted = authority.fingerprint();
    for name in ["localhost", "10.1.1.1"] {
        let known = shake(&authority, &shown, trusted, Some(&own), name).unwrap();
        assert_eq!(known.as_deref(), Some("h1"));
    }
    let nobody = shake(&authority, &shown, trusted, None, "localhost").unwrap();
    assert_eq!(nobody, None);
    // As it is stored and read again.
    let again = Authority::from_pem(authority.certificate(), authority.key()).unwrap();
    assert_eq!(again.fingerprint(), trusted);
    let own = host(&again, now());
    let known = shake(&authority, &shown, trusted, Some(&own), "localhost").unwrap();
    assert_eq!(known.as_deref(), Some("h1"));
}

#[test]
fn what_does_not_fit_is_refused_in_words_that_say_what_to_do() {
    let authority = Authority::new(now(), &LIVES).unwrap();
    let other = Authority::new(now(), &LIVES).unwrap();
    let trusted = authority.fingerprint();
    let good = server(&authority, now(), &LIVES);
    let refused = |shown: &Certificate, own: Option<&Certificate>, name: &str| {
        shake(&authority, shown, trusted, own, name).unwrap_err()
    };
    let foreign = server(&other, now(), &LIVES);
    // The authority's certificate is no secret: whoever sends it along is not yet of it.
    let posing = Certificate {
        chain: format!("{}{}", foreign.chain, authority.certificate()),
        key: foreign.key.clone(),
    };
    let expired = server(&authority, ago(700), &LIVES);
    let early = server(&authority, now() + 400_000, &LIVES);
    let mine = host(&authority, now());
    for (shown, name, word) in [
        (
            &foreign,
            "localhost",
            "not of the authority that is trusted",
        ),
        (&posing, "localhost", "not of the authority that is trusted"),
        (&expired, "localhost", "expired"),
        (&early, "localhost", "clock is behind"),
        (&good, "example.org", "--advertise-url"),
        (&mine, "localhost", "cannot be believed"),
    ] {
        let said = refused(shown, None, name);
        assert!(said.contains(word), "{word}: {said}");
    }
    for (own, word) in [
        (host(&authority, ago(700)), "expired"),
        (host(&other, now()), "of another cluster"),
        (server(&authority, now(), &LIVES), "refuses"),
    ] {
        let said = refused(&good, Some(&own), "localhost");
        assert!(said.contains(word), "{word}: {said}");
    }
    let nobody = client_config(None, None);
    assert!(nobody.is_ok());
    let said = shake(&authority, &good, Fingerprint::NOBODY, None, "localhost").unwrap_err();
    assert!(said.contains("not of the authority"), "{said}");
}

#[test]
fn a_clock_that_is_five_minutes_behind_does_no_harm() {
    // Who signs is ahead of who looks.
    let ahead = now() + 290_000;
    let authority = Authority::new(ahead, &LIVES).unwrap();
    let shown = server(&authority, ahead, &LIVES);
    shake(
        &authority,
        &shown,
        authority.fingerprint(),
        None,
        "localhost",
    )
    .unwrap();
}

#[test]
fn a_certificate_takes_nothing_but_the_key_from_its_request_and_ends_with_its_authority() {
    let authority = Authority::new(now(), &LIVES).unwrap();
    let key = HostKey::new().unwrap();
    let request = key.request("h2").unwrap();
    let long = Lifetimes {
        host: Duration::from_secs(999_999),
        ..LIVES
    };
    let issued = authority.sign_host(now(), &long, "h1", &request).unwrap();
    let presented = Presented::read_pem(&issued.chain).unwrap();
    assert_eq!(presented.host.as_deref(), Some("h1"));
    assert_eq!(presented.fingerprint, issued.fingerprint);
    assert_eq!(presented.public_key, key.public());
    assert_eq!(
        presented.public_key,
        public_key_of_request(&request).unwrap()
    );
    let end = Presented::read_pem(authority.certificate()).unwrap().until;
    assert_eq!(presented.until, end);
    // A server is no host, whatever its name.
    let server = server(&authority, now(), &LIVES);
    assert_eq!(Presented::read_pem(&server.chain).unwrap().host, None);
}

#[test]
fn a_request_that_is_changed_on_its_way_is_refused() {
    let request = HostKey::new().unwrap().request("h1").unwrap();
    let other = HostKey::new().unwrap().request("h1").unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (mut mixed, other) = (lines(&request), lines(&other));
    let last = mixed.len() - 2;
    mixed[last].clone_from(&other[last]);
    assert!(public_key_of_request(&mixed.join("\n")).is_err());
    assert!(public_key_of_request("").is_err());
}

#[test]
fn renewal_is_due_after_two_thirds() {
    assert_eq!(renew_at(1000, 4000), 3000);
    assert_eq!(renew_at(5, 4), 5);
}

#[test]
fn fingerprints_are_read_as_other_programs_print_them() {
    let plain = Fingerprint::of(b"x").to_string();
    let pairs: Vec<&str> = (0..32).map(|i| &plain[2 * i..2 * i + 2]).collect();
    for text in [
        format!(" {plain}\n"),
        format!("SHA256:{}", plain.to_uppercase()),
        pairs.join(":").to_uppercase(),
    ] {
        assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), plain);
    }
    for bad in [
        "",
        "00",
        &plain[1..],
        &format!("{plain}00"),
        &"g".repeat(64),
        "ü",
    ] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
}

#[test]
fn a_secret_is_told_to_nobody_and_matches_its_own_hash_alone() {
    let (token, other) = (AdminToken::new().unwrap(), AdminToken::new().unwrap());
    assert_ne!(token, other);
    assert!(hash_matches(&token.secret, &token.secret.hash()));
    assert!(!hash_matches(&other.secret, &token.secret.hash()));
    assert!(!hash_matches(&token.secret, ""));
    assert!(!format!("{token:?}").contains(&token.to_string()[13..]));
    let read: AdminToken = format!(" {token}\n").parse().unwrap();
    assert!(hash_matches(&read.secret, &token.secret.hash()));
}

proptest! {
    #[test]
    fn a_token_is_read_as_it_is_written_and_not_when_it_is_damaged(at in 0usize..158, c in "[ -~]") {
        let token = JoinToken::new(Fingerprint::of(b"ca")).unwrap();
        let text = token.to_string();
        prop_assert_eq!(text.len(), 158);
        prop_assert_eq!(&text.parse::<JoinToken>().unwrap(), &token);
        prop_assert!(text[..at].parse::<JoinToken>().is_err(), "cut off");
        let mut damaged = text.clone();
        damaged.replace_range(at..=at, &c);
        match damaged.parse::<JoinToken>() {
            Ok(read) => prop_assert!((read == token) == damaged.eq_ignore_ascii_case(&text)),
            Err(error) => {
                let parts: Vec<&str> = text.split('.').collect();
                prop_assert!(!error.to_string().contains(parts[2]), "it is a secret");
            }
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,200}") {
        let _ = text.parse::<JoinToken>();
        let _ = format!("contiv-join.{text}").parse::<JoinToken>();
        let _ = format!("contiv-admin.{text}").parse::<AdminToken>();
        let _ = text.parse::<Fingerprint>();
        let _ = public_key_of_request(&text);
        let _ = Presented::read_pem(&text);
        let _ = Presented::read(text.as_bytes());
    }
}
