//! Bodies of JSON, whatever content type a client claims.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::answer::Problem;

/// A document that a client sent.
#[derive(Debug)]
pub(crate) struct Document<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "",
                "the body is larger than any object; send one object per request",
            ),
            _ => Problem::bad_request("", rejection.body_text()),
        })?;
        parse(&body).map(Document)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        let message = "the body is empty; send the object as JSON";
        return Err(Problem::bad_request("", message));
    }
    // A list would do for a struct whose fields may be left out.
    let parsed = serde_json::from_slice::<Map<String, Value>>(body)
        .and_then(|fields| T::deserialize(Value::Object(fields)));
    parsed.map_err(|error| {
        let fields = serde_json::from_slice::<Map<String, Value>>(body);
        let field = fields.ok().and_then(culprit::<T>).unwrap_or_default();
        let message = if field.is_empty() {
            format!("the body is not the JSON of such an object: {error}")
        } else {
            format!("{field}: {error}")
        };
        Problem::bad_request(&field, message)
    })
}

/// The field that is of the wrong type: the one that fails by itself. Every field of a
/// configuration object may be left out, so that the others do not fail then.
fn culprit<T: DeserializeOwned>(fields: Map<String, Value>) -> Option<String> {
    T::deserialize(Value::Object(Map::new())).ok()?;
    let fails = |(name, value): &(String, Value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        T::deserialize(Value::Object(alone)).is_err()
    };
    fields.into_iter().find(fails).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use contiv_model::object::Network;

    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        for (body, field) in [
            (
                r#"{"encap": "vlan", "pktTag": "one"}"#,
                "pktTag: invalid type",
            ),
            (r#"{"pktTag": -1}"#, "pktTag: invalid value"),
            (r#"{"subnet": {}, "pktTag": 1}"#, "subnet: invalid type"),
            ("[]", "not the JSON"),
            ("{", "not the JSON"),
            (" ", "empty"),
        ] {
            let problem = format!("{:?}", parse::<Network>(body.as_bytes()).unwrap_err());
            assert!(problem.contains(field), "{body}: {problem}");
        }
    }
}
