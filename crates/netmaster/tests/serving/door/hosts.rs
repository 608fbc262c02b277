//! Hosts: how they join, and what they may then do.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use contiv_client::HostClient;
use contiv_identity::HostKey;
use contiv_model::agent::{EndpointRequest, EndpointStatus, HostStatus, PoolRef, STREAM_VERSION};
use contiv_model::identity::JoinTokenRequest;
use contiv_testbed::wait_for;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{Door, refused};
use crate::master::PATIENCE;

async fn register(host: &HostClient) {
    let register = json!({
        "streamVersion": STREAM_VERSION, "agentVersion": "test", "bootId": "boot", "taken": [],
    });
    let register = serde_json::from_value(register).unwrap();
    host.register(&register).await.unwrap();
}

fn endpoint() -> EndpointRequest {
    let pool = PoolRef {
        tenant: "default".into(),
        network: "n".into(),
        group: None,
    };
    let request = json!({"pool": pool, "ipv4": null, "ipv6": null, "mac": null});
    serde_json::from_value(request).unwrap()
}

fn status(ids: &[&str]) -> HostStatus {
    let known = |id: &&str| ((*id).to_owned(), EndpointStatus::default());
    HostStatus {
        endpoints: ids.iter().map(known).collect::<BTreeMap<_, _>>(),
        ..HostStatus::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_joins_once_by_a_token_and_speaks_for_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    door.master.make_network("n", "10.1.0.0/16");
    let (one, two) = (door.host("h1").await, door.host("h2").await);
    let (h1, h2) = (one.host("h1").unwrap(), two.host("h2").unwrap());
    register(&h1).await;
    register(&h2).await;
    h1.put_endpoint("e1", &endpoint()).await.unwrap();
    h2.put_endpoint("e2", &endpoint()).await.unwrap();
    let mut stream = h1.stream(None).await.unwrap();
    stream.next().await.unwrap().unwrap();

    // What is another one's.
    let as_h2 = one.host("h2").unwrap();
    refused(
        as_h2.stream(None).await,
        403,
        "good for /agent/v1/hosts/h1/ alone",
    );
    refused(as_h2.report(&status(&[])).await, 403, "h1");
    refused(as_h2.delete_endpoint("e2").await, 403, "h1");
    refused(h1.put_endpoint("e2", &endpoint()).await, 403, "host h2");
    refused(h1.delete_endpoint("e2").await, 403, "host h2");
    refused(
        h1.report(&status(&["e1", "e2"])).await,
        403,
        "endpoint e2 is one of host h2",
    );
    let event = |host: &str| json!({"from": {"endpoint": "e2", "host": host}});
    let batch = |host| serde_json::from_value(json!({"events": [event(host)]})).unwrap();
    refused(h1.report_events(&batch("h1")).await, 403, "one of host h2");
    // Whose packet came here.
    h1.report_events(&batch("h2")).await.unwrap();
    // What is people's.
    for path in [
        "/api/v1/hosts/",
        "/api/v1/endpoints/",
        "/metrics",
        "/version",
        "/nowhere",
    ] {
        refused(
            one.get_json::<Value>(path).await,
            403,
            "administrator's token",
        );
    }
    refused(one.make_join_token(&Default::default()).await, 403, "h1");
    refused(one.rotate_admin_token().await, 403, "h1");
    for path in [
        "/agent/v1/hosts/h1/../h2/stream",
        "/agent/v1/hosts/h1%2F..%2Fh2/stream",
        "/agent/v1/hosts/H1/stream",
        "/agent/v1/hosts/h1%00/stream",
        "/agent/v1/hosts//h1/stream",
    ] {
        refused(one.get_json::<Value>(path).await, 403, "h1");
    }
    // What is its own, however it is written.
    h1.report(&status(&["e1"])).await.unwrap();
    let own = one
        .get_json::<Value>("/agent/v1/hosts/%681/docker-networks/d")
        .await;
    refused(own, 404, "not found");
    h1.delete_endpoint("e1").await.unwrap();
    assert!(
        door.master
            .get("/api/v1/endpoints/")
            .body
            .to_string()
            .contains("\"e2\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_used_up_expire_and_may_be_for_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let (key, other) = (HostKey::new().unwrap(), HostKey::new().unwrap());
    let token = door.token("").await;
    let first = door.join("h1", &token, &key).await.unwrap();
    // A lost answer is given again, to the same key.
    assert_eq!(door.join("h1", &token, &key).await.unwrap(), first);
    refused(
        door.join("h1", &token, &other).await,
        403,
        "used by host h1 already",
    );
    refused(
        door.join("h2", &token, &key).await,
        403,
        "used by host h1 already",
    );
    let forged = token.replacen("contiv-join.", "contiv-join.0", 1);
    refused(door.join("h2", &forged, &key).await, 400, "join token");
    let (id, rest) = token.split_at(28);
    let secret: String = rest[1..65].chars().rev().collect();
    let guessed = format!("{id}.{secret}{}", &rest[65..]);
    refused(door.join("h2", &guessed, &key).await, 403, "not known");

    let brief = JoinTokenRequest {
        host: String::new(),
        ttl_seconds: 1,
    };
    let brief = door.master.client().make_join_token(&brief).await.unwrap();
    wait_for(PATIENCE, "the token to expire", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        match now.as_millis() > u128::from(brief.until) {
            true => Ok(()),
            false => Err("it is good"),
        }
    })
    .unwrap();
    refused(door.join("h3", &brief.token, &key).await, 403, "expired");

    let token = door.token("h5").await;
    refused(door.join("h6", &token, &key).await, 403, "for host h5");
    door.join("h5", &token, &key).await.unwrap();
    let long = JoinTokenRequest {
        host: String::new(),
        ttl_seconds: 8 * 24 * 3600,
    };
    refused(
        door.master.client().make_join_token(&long).await,
        400,
        "a week",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_over_only_by_who_was_named_and_ends_the_old_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::start(dir.path());
    let old = door.host("h1").await.host("h1").unwrap();
    register(&old).await;
    let key = HostKey::new().unwrap();
    let token = door.token("").await;
    refused(
        door.join("h1", &token, &key).await,
        409,
        "netctl host token --host h1",
    );
    // The refusal did not use it up.
    door.join("h2", &token, &key).await.unwrap();
    let token = door.token("h1").await;
    let joined = door.join("h1", &token, &key).await.unwrap();
    let new = door.member(&joined, &key).host("h1").unwrap();
    register(&new).await;
    refused(old.report(&status(&[])).await, 401, "good no longer");
    // Whatever it asks: it is nobody.
    refused(old.stream(None).await, 401, "join anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_another_cluster_is_told_so() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (door, other) = (Door::start(dir.path()), Door::start(other.path()));
    let key = HostKey::new().unwrap();
    let token = other.token("").await;
    let joined = other.join("h1", &token, &key).await.unwrap();
    // The refusal races with the request; it is told whichever is first.
    for _ in 0..50 {
        let posing = door.member(&joined, &key).host("h1").unwrap();
        let error = posing.report(&status(&[])).await.unwrap_err();
        assert_eq!(error.status(), None);
        assert!(error.to_string().contains("of another cluster"), "{error}");
    }
    // Its token leads nowhere else either.
    let token = other.token("").await;
    refused(door.join("h1", &token, &key).await, 403, "not known");
}
