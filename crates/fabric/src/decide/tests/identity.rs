//! Who may speak to masters.

use super::given::expect;
use crate::identity::{AdminRecord, AuthorityRecord, CertificateRecord, TokenRecord};
use crate::refusal::{Kind, Refusal};
use crate::world::World;
use crate::{Join, expel, found_admin, found_authority, join, put_token, rotate_admin};

const HOUR: u64 = 3_600_000;

fn authority(name: &str) -> AuthorityRecord {
    AuthorityRecord {
        certificate: name.into(),
        key: "secret".into(),
    }
}

fn token(host: Option<&str>, until: u64) -> TokenRecord {
    TokenRecord {
        hash: "right".into(),
        host: host.map(str::to_owned),
        until,
        used: None,
    }
}

/// The certificate that a host with this key would get for its `nth` request.
fn certificate(key: &str, nth: u64) -> CertificateRecord {
    CertificateRecord {
        chain: format!("{key}-{nth}"),
        fingerprint: format!("{key}-{nth}"),
        public_key: key.into(),
        until: 10 * HOUR + nth,
    }
}

/// A cluster with token `t`, for this host or any.
fn world(host: Option<&str>) -> World {
    let mut world = World::new();
    world.grant(found_authority(&world.image, &authority("ca")));
    world.grant(put_token(&world.image, 0, "t", &token(host, HOUR)));
    world
}

fn ask(
    world: &World,
    now: u64,
    (host, id): (&str, &str),
    certificate: &CertificateRecord,
    secret: &str,
) -> crate::Decided<CertificateRecord> {
    let request = Join {
        host,
        token: id,
        certificate,
    };
    join(&world.image, now, &request, |stored| stored == secret)
}

fn refused(world: &World, now: u64, host: &str, id: &str, secret: &str) -> Refusal {
    ask(world, now, (host, id), &certificate("k9", 9), secret).unwrap_err()
}

#[test]
fn the_first_masters_authority_and_token_stand() {
    let mut world = World::new();
    let first = world.grant(found_authority(&world.image, &authority("first")));
    let second = world.grant(found_authority(&world.image, &authority("second")));
    assert_eq!((first, second), (authority("first"), authority("first")));
    let admin = |hash: &str| AdminRecord { hash: hash.into() };
    assert!(world.grant(found_admin(&world.image, &admin("a"))));
    assert!(!world.grant(found_admin(&world.image, &admin("b"))));
    world.grant(rotate_admin(&world.image, &admin("c")));
    assert_eq!(world.image.identity().admin(), Some(&admin("c")));
    assert!(!format!("{:?}", world.image).contains("secret"));
}

#[test]
fn a_token_lets_one_host_join_once_and_is_used_up_by_what_records_it() {
    let mut world = world(None);
    let wrong = refused(&world, 1, "h1", "t", "wrong");
    expect(&wrong, Kind::Denied, "token", "not known");
    let wrong = refused(&world, 1, "h1", "u", "right");
    expect(&wrong, Kind::Denied, "token", "not known");
    let late = refused(&world, HOUR, "h1", "t", "right");
    expect(&late, Kind::Denied, "token", "expired");

    let decision = ask(&world, 1, ("h1", "t"), &certificate("k1", 1), "right").unwrap();
    assert_eq!(
        decision.transaction.writes.len(),
        2,
        "token and certificate"
    );
    world.grant(Ok(decision));
    let known = world.image.identity().certificate("h1");
    assert_eq!(known, Some(&certificate("k1", 1)));

    // The answer got lost: the same key gets the same certificate, and nobody else one.
    let again = world.grant(ask(&world, 2, ("h1", "t"), &certificate("k1", 2), "right"));
    assert_eq!(again, certificate("k1", 1));
    for (host, key) in [("h1", "k2"), ("h2", "k1"), ("h2", "k2")] {
        let refusal = ask(&world, 2, (host, "t"), &certificate(key, 3), "right").unwrap_err();
        expect(&refusal, Kind::Denied, "token", "used by host h1 already");
    }
    // Not even the same one once the host was removed.
    world.grant(expel(&world.image, "h1"));
    let refusal = ask(&world, 3, ("h1", "t"), &certificate("k1", 3), "right").unwrap_err();
    expect(&refusal, Kind::Denied, "token", "used");
}

#[test]
fn a_race_for_one_token_is_lost_by_all_but_one() {
    let mut world = world(None);
    let image = world.image.clone();
    let both = ["k1", "k2"].map(|key| {
        let certificate = certificate(key, 1);
        let request = Join {
            host: key,
            token: "t",
            certificate: &certificate,
        };
        join(&image, 1, &request, |_| true).unwrap().transaction
    });
    let [first, second] = both;
    world.grant(Ok(crate::Decision {
        transaction: first,
        answer: (),
    }));
    let stale =
        |compare: &contiv_store::Compare| world.image.number_of(&compare.key) != compare.number;
    assert!(second.compares.iter().any(stale), "the store refuses it");
}

#[test]
fn a_living_name_is_taken_over_by_its_own_key_or_by_a_token_that_names_it() {
    let mut world = world(None);
    world.grant(ask(&world, 1, ("h1", "t"), &certificate("k1", 1), "right"));
    let more = [("any", None), ("mine", Some("h1")), ("other", Some("h2"))];
    for (id, host) in more {
        world.grant(put_token(&world.image, 1, id, &token(host, 20 * HOUR)));
    }
    let refusal = refused(&world, 2, "h1", "any", "right");
    expect(
        &refusal,
        Kind::Conflict,
        "host",
        "netctl host token --host h1",
    );
    let refusal = refused(&world, 2, "h1", "other", "right");
    expect(&refusal, Kind::Denied, "token", "for host h2, not for h1");
    // Once it has expired, the name is free.
    let late = ask(
        &world,
        11 * HOUR,
        ("h1", "any"),
        &certificate("k9", 9),
        "right",
    );
    assert!(late.is_ok());
    // The host itself.
    let same = ask(&world, 2, ("h1", "any"), &certificate("k1", 2), "right");
    assert_eq!(same.unwrap().answer, certificate("k1", 2));
    // Somebody whom the administrator has named.
    world.grant(ask(
        &world,
        2,
        ("h1", "mine"),
        &certificate("k2", 1),
        "right",
    ));
    let known = world.image.identity().certificate("h1");
    assert_eq!(known, Some(&certificate("k2", 1)));
}

#[test]
fn tokens_need_an_authority_and_old_ones_go_when_new_ones_come() {
    let mut world = World::new();
    let refusal = put_token(&world.image, 0, "t", &token(None, HOUR)).unwrap_err();
    expect(&refusal, Kind::Conflict, "", "--listen-url");
    world.grant(found_authority(&world.image, &authority("ca")));
    world.grant(put_token(&world.image, 0, "old", &token(None, HOUR)));
    world.grant(put_token(
        &world.image,
        HOUR - 1,
        "new",
        &token(None, 2 * HOUR),
    ));
    assert_eq!(world.image.identity().tokens.len(), 2);
    world.grant(put_token(
        &world.image,
        HOUR,
        "newer",
        &token(None, 2 * HOUR),
    ));
    let left: Vec<_> = world.image.identity().tokens.keys().collect();
    assert_eq!(left, ["new", "newer"]);
}
