//! Bodies of JSON, whatever content type a client claims.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use contiv_model::object::{fields_of, no_such_field};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::answer::Problem;

/// The fields of a body, by name.
pub(super) type Fields = Map<String, Value>;

/// A document that a client sent.
#[derive(Debug)]
pub(crate) struct Document<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Body(fields) = Body::from_request(request, state).await?;
        typed(fields).map(Document)
    }
}

/// A body before anybody knows what it is to be.
pub(super) struct Body(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for Body {
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
        fields(&body).map(Body)
    }
}

fn fields(body: &[u8]) -> Result<Fields, Problem> {
    if body.trim_ascii().is_empty() {
        let message = "the body is empty; send the object as JSON";
        return Err(Problem::bad_request("", message));
    }
    // A list would do for a struct whose fields may be left out.
    serde_json::from_slice(body).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let message = format!("the body is not the JSON of such an object: {error}");
    Problem::bad_request("", message)
}

/// What the fields say; the refusal names the one that is wrong.
pub(super) fn typed<T: DeserializeOwned>(fields: Fields) -> Result<T, Problem> {
    let document = Value::Object(fields);
    T::deserialize(&document).map_err(|error| {
        let Value::Object(fields) = &document else {
            return unreadable(&error);
        };
        match culprit::<T>(fields, &error.to_string()) {
            Some((field, message)) => Problem::bad_request(&field, format!("{field}: {message}")),
            None => unreadable(&error),
        }
    })
}

/// The field that an error is about, with what is wrong: one that is missing, or the one that
/// fails by itself in the same words. Alone it may also fail because others are missing.
pub(super) fn culprit<T: DeserializeOwned>(
    fields: &Fields,
    error: &str,
) -> Option<(String, String)> {
    let missing = error.strip_prefix("missing field `");
    let missing = missing.and_then(|rest| rest.split('`').next());
    // Otherwise it is one of a document within a field.
    let own = |name: &&str| fields_of::<T>().contains(name) && !fields.contains_key(*name);
    if let Some(name) = missing.filter(own) {
        return Some((name.to_owned(), "is missing".to_owned()));
    }
    let fails = |(name, value): &(&String, &Value)| {
        let alone = Fields::from_iter([((*name).clone(), (*value).clone())]);
        T::deserialize(Value::Object(alone)).is_err_and(|alone| alone.to_string() == error)
    };
    let (name, _) = fields.iter().find(fails)?;
    Some((name.clone(), error.to_owned()))
}

/// Refuses the first field that `of`, such as "a rule", does not have, unless it is tolerated:
/// what is misspelt would otherwise be left out without a word.
pub(super) fn check_names(
    fields: &Fields,
    of: &str,
    known: &[&str],
    tolerated: impl Fn(&str, &Value) -> bool,
) -> Result<(), Problem> {
    let strange = |(name, value): &(&String, &Value)| {
        !known.contains(&name.as_str()) && !tolerated(name, value)
    };
    match fields.iter().find(strange) {
        None => Ok(()),
        Some((name, _)) => Err(Problem::bad_request(name, no_such_field(name, of, known))),
    }
}

#[cfg(test)]
mod tests {
    use contiv_model::manifest::Apply;
    use contiv_model::object::Network;
    use contiv_model::reach::MatrixRequest;

    use super::*;

    fn refused<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
        let read = fields(body.as_bytes()).and_then(typed::<T>);
        format!("{:?}", read.unwrap_err())
    }

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
            let problem = refused::<Network>(body);
            assert!(problem.contains(field), "{body}: {problem}");
        }
    }

    #[test]
    fn so_it_is_where_others_may_not_be_left_out() {
        for (body, field) in [
            (r#"{"objects": [], "prune": 1}"#, "prune: invalid type"),
            (r#"{"objects": [], "prun": true}"#, "prun: unknown field"),
            (r#"{"prune": true}"#, "objects: is missing"),
            (
                r#"{"objects": [], "expected": [{"kind": "rule", "key": "k"}]}"#,
                "expected: missing field `change`",
            ),
        ] {
            let problem = refused::<Apply>(body);
            assert!(problem.contains(field), "{body}: {problem}");
        }
        let problem = refused::<MatrixRequest>(r#"{"port": "x"}"#);
        assert!(problem.contains("port: invalid type"), "{problem}");
    }
}
