//! Versions that differ: what a master says, and hears, as if the other were of another one.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Map, Value};

/// A master's version, as seen by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Skew {
    #[default]
    Same,
    /// It says more than hosts understand, and hears from hosts that say more than it does.
    Fields,
    /// Hosts that leave out what was added later speak with it.
    Older,
}

/// A field that no version has.
const UNKNOWN: &str = "fieldOfAnotherVersion";

/// What hosts did not say when there was but one of them.
const LATER: [&str; 4] = ["tunnel", "mtu", "control", "vxlanPort"];

/// Puts the difference before a master. The API of hosts alone is spoken by two versions.
pub(crate) fn layer(router: Router, skew: Skew) -> Router {
    match skew {
        Skew::Same => router,
        _ => router.layer(from_fn(move |request: Request, next: Next| {
            translate(skew, request, next)
        })),
    }
}

async fn translate(skew: Skew, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/agent/") {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let heard = changed(&bytes.unwrap_or_default(), skew);
    let answer = next.run(Request::from_parts(head, Body::from(heard))).await;
    if skew != Skew::Fields {
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
                    lines.flat_map(|one| changed(one, skew)).collect::<Bytes>()
                }
                None if serde_json::from_slice::<Value>(&line).is_ok() => {
                    Bytes::from(changed(&std::mem::take(&mut line), skew))
                }
                None => Bytes::new(),
            }
        })
    });
    Response::from_parts(head, Body::from_stream(lines))
}

/// The document as another version says it; what is no document stays.
fn changed(text: &[u8], skew: Skew) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(text) else {
        return text.to_vec();
    };
    change(&mut document, skew);
    let mut said = document.to_string().into_bytes();
    if text.ends_with(b"\n") {
        said.push(b'\n');
    }
    said
}

fn change(value: &mut Value, skew: Skew) {
    match value {
        Value::Object(fields) => {
            match skew {
                Skew::Same => {}
                Skew::Fields => extend(fields),
                Skew::Older => fields.retain(|name, _| !LATER.contains(&name.as_str())),
            }
            fields.values_mut().for_each(|value| change(value, skew));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| change(value, skew)),
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
