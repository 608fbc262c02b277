//! Versions that differ: what a master says, and hears, as if the other were of another one.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use crate::tally::Tally;

/// A master's version, as seen by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Skew {
    #[default]
    Same,
    /// It says more than hosts understand, and hears from hosts that say more than it does.
    Fields,
    /// Hosts that leave out what was added later speak with it.
    OldHosts,
    /// It is older than hosts: it knows neither what they say of themselves by now nor that
    /// progress can be told alone.
    OldMaster,
}

/// A field that no version has.
const UNKNOWN: &str = "fieldOfAnotherVersion";

/// What hosts did not say when there was but one of them.
const LATER: [&str; 4] = ["tunnel", "mtu", "control", "vxlanPort"];

/// What a master says of itself by now.
const NEWER: [&str; 1] = ["progress"];

/// Puts the difference before a master. The API of hosts alone is spoken by two versions.
pub(crate) fn layer(router: Router, skew: Skew, tally: &Tally) -> Router {
    let tally = tally.clone();
    match skew {
        Skew::Same => router,
        _ => router.layer(from_fn(move |request: Request, next: Next| {
            translate(skew, tally.clone(), request, next)
        })),
    }
}

async fn translate(skew: Skew, tally: Tally, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/agent/") {
        return next.run(request).await;
    }
    tally.add(match skew {
        Skew::Same => "calls between equals",
        Skew::Fields => "calls between a later host and a later master",
        Skew::OldHosts => "calls of an older host",
        Skew::OldMaster => "calls of an older master",
    });
    if skew == Skew::OldMaster && request.uri().path().ends_with("/progress") {
        tally.add("calls that an older master does not know");
        let mut unknown = Response::new(Body::from("{}"));
        *unknown.status_mut() = StatusCode::NOT_FOUND;
        return unknown;
    }
    let (head, body) = request.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let heard = changed(&bytes.unwrap_or_default(), skew, &LATER);
    let answer = next.run(Request::from_parts(head, Body::from(heard))).await;
    if skew == Skew::OldHosts {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    head.headers.remove("content-length");
    let mut line = Vec::new();
    let lines = body.into_data_stream().map(move |piece| {
        piece.map(|piece| {
            line.extend_from_slice(&piece);
            // A line that is not at its end waits for the rest; whole answers are one line.
            let end = line.iter().rposition(|byte| *byte == b'\n');
            let rest = end.map_or_else(Vec::new, |end| line.split_off(end + 1));
            match end {
                Some(_) => {
                    let said = std::mem::replace(&mut line, rest);
                    let lines = said.split_inclusive(|byte| *byte == b'\n');
                    lines
                        .flat_map(|one| changed(one, skew, &NEWER))
                        .collect::<Bytes>()
                }
                None if serde_json::from_slice::<Value>(&line).is_ok() => {
                    Bytes::from(changed(&std::mem::take(&mut line), skew, &NEWER))
                }
                None => Bytes::new(),
            }
        })
    });
    Response::from_parts(head, Body::from_stream(lines))
}

/// The document as another version says it; what is no document stays.
fn changed(text: &[u8], skew: Skew, later: &[&str]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else {
        return text.to_vec();
    };
    change(&mut document, skew, later);
    let mut said = document.to_string().into_bytes();
    if text.ends_with(b"\n") {
        said.push(b'\n');
    }
    said
}

fn change(value: &mut Value, skew: Skew, later: &[&str]) {
    match value {
        Value::Object(fields) => {
            match skew {
                Skew::Same => {}
                Skew::Fields => extend(fields),
                Skew::OldHosts | Skew::OldMaster => {
                    fields.retain(|name, _| !later.contains(&name.as_str()));
                }
            }
            fields
                .values_mut()
                .for_each(|value| change(value, skew, later));
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| change(value, skew, later)),
        _ => {}
    }
}

/// Only what has a form of its own gets a new field: in maps by name each name is somebody.
fn extend(fields: &mut Map<String, Value>) {
    let known = [
        "type", "kind", "revision", "epoch", "host", "tenant", "life", "bootId",
    ];
    if known.iter().any(|name| fields.contains_key(*name)) {
        fields.insert(UNKNOWN.to_owned(), Value::from("said by another version"));
    }
}
