//! The client against small masters, well-behaved and not.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::{any, delete, get, put};
use contiv_model::agent::{Revision, StreamMessage};
use contiv_model::object::{Keyed, Network, Tenant};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Client, Error, Expect, Timeouts};

/// Serves `router` on a port of its own until the test's runtime ends.
async fn master(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An address that nobody listens on.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

fn client(masters: &[SocketAddr]) -> Client {
    let timeouts = Timeouts {
        connect: Duration::from_millis(500),
        call: Duration::from_secs(3),
        stream_idle: Duration::from_millis(200),
    };
    let list: Vec<String> = masters.iter().map(ToString::to_string).collect();
    Client::new(&list.join(","), timeouts).unwrap()
}

fn refusal(status: StatusCode, field: &str, error: &str) -> impl IntoResponse + use<> {
    (status, axum::Json(json!({"error": error, "field": field})))
}

#[tokio::test]
async fn objects_are_listed_put_and_deleted_at_their_places() {
    let router = Router::new()
        .route(
            "/api/v1/tenants/",
            get(|| async { axum::Json(json!([{"tenantName": "blue"}])) }),
        )
        .route(
            "/api/v1/networks/{key}/",
            put(
                |Path(key): Path<String>, body: axum::Json<Value>| async move {
                    assert_eq!(body["tenantName"], "blue");
                    axum::Json(
                        json!({"key": key, "tenantName": "blue", "networkName": "n", "pktTag": 7}),
                    )
                },
            )
            .delete(|Path(key): Path<String>| async move { axum::Json(json!(key)) }),
        );
    let client = client(&[master(router).await]);

    let tenants: Vec<Tenant> = client.list().await.unwrap();
    assert_eq!(tenants[0].tenant_name, "blue");
    let wish = Network {
        tenant_name: "blue".into(),
        network_name: "n".into(),
        ..Network::default()
    };
    let made = client.put(&wish).await.unwrap();
    assert_eq!((made.key.as_str(), made.pkt_tag), ("blue:n", 7));
    client
        .delete::<Network>(&wish.key_of_fields())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refusal_keeps_its_status_field_and_words() {
    let router = Router::new().route(
        "/api/v1/networks/{key}/",
        any(|| async { refusal(StatusCode::BAD_REQUEST, "subnet", "subnet: five octets") }),
    );
    let error = client(&[master(router).await])
        .get::<Network>("a:b")
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert_eq!(error.field(), Some("subnet"));
    assert_eq!(error.to_string(), "subnet: five octets");
    assert!(!error.is_not_found() && !error.is_transient());
}

#[tokio::test]
async fn the_next_master_is_asked_when_one_is_down_and_then_stays_preferred() {
    let up = master(Router::new().route("/version", get(|| async { axum::Json(json!({})) }))).await;
    let client = client(&[nobody().await, up]);
    client.version().await.unwrap();
    let answer = client
        .call(hyper::Method::GET, "/version", Bytes::new())
        .await
        .unwrap();
    assert_eq!(answer.master, format!("http://{up}"));
}

#[tokio::test]
async fn when_all_are_down_each_is_named_with_its_reason() {
    let (a, b) = (nobody().await, nobody().await);
    let error = client(&[a, b]).version().await.unwrap_err();
    assert!(error.is_transient());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("no master answered: http://{a} (")),
        "{text}"
    );
    assert!(
        text.contains(&b.to_string()) && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn a_silent_master_costs_its_share_of_the_deadline_only() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let up = master(Router::new().route("/version", get(|| async { axum::Json(json!({})) }))).await;
    let client = client(&[silent.local_addr().unwrap(), up]);
    let start = tokio::time::Instant::now();
    client.version().await.unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(2500),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_master_counts_as_silent_when_it_does_not_even_say_who_it_is() {
    // One answers no call but says who it is, as if its store were slow; the other says nothing.
    let slow = Router::new()
        .route("/version", get(|| async { axum::Json(json!({})) }))
        .route("/info", get(std::future::pending::<StatusCode>));
    let slow = master(slow).await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = dead.local_addr().unwrap();
    let client = client(&[dead, slow]);
    let host = client.host("h").unwrap();
    let (dead, slow) = (format!("http://{dead}"), format!("http://{slow}"));
    let mut dead = pin!(host.until_silent(&dead));
    let mut slow = pin!(host.until_silent(&slow));
    // Both are watched before the call.
    assert!((&mut dead).now_or_never().is_none() && (&mut slow).now_or_never().is_none());
    client.info().await.unwrap_err();
    tokio::select! {
        () = dead => {}
        () = slow => panic!("it says who it is"),
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("none is silent"),
    }
}

#[tokio::test]
async fn a_master_that_cannot_serve_gives_way_to_one_that_can() {
    let full = || async { refusal(StatusCode::SERVICE_UNAVAILABLE, "", "the disk is full") };
    let full = master(Router::new().route("/version", get(full))).await;
    let up = master(Router::new().route("/version", get(|| async { axum::Json(json!({})) }))).await;
    client(&[full, up]).version().await.unwrap();
    let cut = || async { (StatusCode::SERVICE_UNAVAILABLE, "overloaded\n") };
    let cut = master(Router::new().route("/version", get(cut))).await;
    let gone = nobody().await;
    let error = client(&[full, gone, cut]).version().await.unwrap_err();
    let text = error.to_string();
    let begin =
        format!("no master can serve this now: http://{full} (the disk is full); http://{gone} (");
    let end = format!("; http://{cut} (503 Service Unavailable, and no JSON: overloaded)");
    assert!(text.starts_with(&begin) && text.ends_with(&end), "{text}");
    assert_eq!(error.status(), Some(503));
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_answer_that_is_no_json_shows_its_first_line() {
    let router = Router::new()
        .route("/version", get(|| async { Html("\n<html>proxy\n</html>") }))
        .route("/info", get(|| async { StatusCode::NOT_FOUND }))
        .route(
            "/api/v1/tenants/",
            get(|| async { axum::Json(json!({"a": 1})) }),
        );
    let client = client(&[master(router).await]);
    let error = client.version().await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("status 200 and no JSON: <html>proxy"),
        "{error}"
    );
    let error = client.info().await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("status 404 and no JSON: (nothing)"),
        "{error}"
    );
    let error = client.list::<Tenant>().await.unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "{error}");
}

/// A master that takes a request and dies with it, every time.
async fn dying() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_repeated_delete_may_find_the_object_gone() {
    // The first master takes the request and dies with it; the second has it done already.
    let address = dying().await;
    let gone = || async { refusal(StatusCode::NOT_FOUND, "", "no such tenant") };
    let gone = master(Router::new().route("/api/v1/tenants/{key}/", delete(gone))).await;
    client(&[address, gone])
        .delete::<Tenant>("blue")
        .await
        .unwrap();
    assert!(
        client(&[gone])
            .delete::<Tenant>("blue")
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn a_repeated_creation_may_find_its_own_object() {
    // The first master takes the request and dies with it; the second has it done already.
    let address = dying().await;
    let exists = |headers: HeaderMap| async move {
        assert_eq!(headers["if-none-match"], "*");
        refusal(StatusCode::PRECONDITION_FAILED, "", "it exists")
    };
    let stored = || async { axum::Json(json!({"tenantName": "blue", "networkName": "n"})) };
    let route = put(exists).get(stored);
    let done = master(Router::new().route("/api/v1/networks/{key}/", route)).await;
    let wish = Network {
        tenant_name: "blue".into(),
        network_name: "n".into(),
        ..Network::default()
    };
    let add = |masters: Vec<SocketAddr>, wish: Network| async move {
        client(&masters).put_if(&wish, &Expect::Absent).await
    };
    assert_eq!(add(vec![address, done], wish.clone()).await.unwrap(), wish);
    let other = Network {
        subnet: "10.1.1.0/24".into(),
        ..wish.clone()
    };
    let error = add(vec![address, done], other).await.unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
    let error = add(vec![done], wish).await.unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
}

#[tokio::test]
async fn what_was_read_is_what_is_changed() {
    let show = || async { ([("etag", "\"1.7\"")], axum::Json(json!({}))) };
    let change = |headers: HeaderMap| async move {
        let tag = headers.get("if-match").and_then(|tag| tag.to_str().ok());
        axum::Json(json!({"subnet": tag}))
    };
    let router = Router::new().route("/api/v1/networks/{key}/", get(show).put(change));
    let client = client(&[master(router).await]);
    let (mut network, tag) = client.get_tagged::<Network>("a:b").await.unwrap();
    network.tenant_name = "a".into();
    for (expect, tag) in [(Expect::Seen(tag), "\"1.7\""), (Expect::Present, "*")] {
        let written = client.put_if(&network, &expect).await.unwrap();
        assert_eq!(written.subnet, tag);
    }
}

#[tokio::test]
async fn a_stream_gives_its_messages_and_then_one_error() {
    let lines = "{\"type\":\"snapshot\",\"revision\":{\"epoch\":1,\"number\":4},\"objects\":[]}\n\
                 {\"type\":\"bookmark\",\"revision\":{\"epoch\":1,\"number\":5}}\n";
    let serve = move |uri: axum::http::Uri| async move {
        assert_eq!(uri.query(), Some("after=1.3"));
        // One byte at a time: message borders are not those of the network.
        let bytes = lines
            .bytes()
            .map(|b| Ok::<_, std::io::Error>(Bytes::from(vec![b])));
        Body::from_stream(stream::iter(bytes).chain(stream::pending()))
    };
    let router = Router::new().route("/agent/v1/hosts/h1/stream", get(serve));
    let host = client(&[master(router).await]).host("h1").unwrap();
    let mut messages = host
        .stream(Some(Revision {
            epoch: 1,
            number: 3,
        }))
        .await
        .unwrap();

    let first = messages.next().await.unwrap().unwrap();
    assert!(matches!(first, StreamMessage::Snapshot { revision, .. } if revision.number == 4));
    let second = messages.next().await.unwrap().unwrap();
    assert!(matches!(second, StreamMessage::Bookmark { .. }));
    let silence = messages.next().await.unwrap().unwrap_err();
    assert!(
        silence.to_string().ends_with("silent for 0.2 s"),
        "{silence}"
    );
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_refused_is_an_error_at_once() {
    let gone = || async { refusal(StatusCode::CONFLICT, "streamVersion", "too old") };
    let router = Router::new().route("/agent/v1/hosts/h1/stream", get(gone));
    let host = client(&[master(router).await]).host("h1").unwrap();
    assert_eq!(host.stream(None).await.unwrap_err().status(), Some(409));
}

#[tokio::test]
async fn an_unknown_docker_network_is_no_error() {
    let gone = || async { refusal(StatusCode::NOT_FOUND, "", "not known") };
    let router = Router::new().route("/agent/v1/hosts/h1/docker-networks/{id}", get(gone));
    let host = client(&[master(router).await]).host("h1").unwrap();
    assert_eq!(host.docker_network("abc").await.unwrap(), None);
}
