//! `If-Match` and `If-None-Match`: the object that a requester has seen.

use axum::extract::FromRequestParts;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use contiv_model::agent::Revision;

use super::answer::{Problem, entity_tag};

/// What must be so for a change to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Precondition {
    #[default]
    Nothing,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match: "E.N", …`
    OneOf(Vec<Revision>),
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Precondition::read(&parts.headers)
    }
}

impl Precondition {
    fn read(headers: &HeaderMap) -> Result<Precondition, Problem> {
        match (text(headers, &IF_MATCH)?, text(headers, &IF_NONE_MATCH)?) {
            (None, None) => Ok(Precondition::Nothing),
            (Some("*"), None) => Ok(Precondition::Present),
            (None, Some("*")) => Ok(Precondition::Absent),
            (Some(tags), None) => {
                let revisions = tags.split(',').map(revision).collect::<Result<_, _>>()?;
                Ok(Precondition::OneOf(revisions))
            }
            (None, Some(_)) => Err(Problem::bad_request(
                "If-None-Match",
                "a change takes If-None-Match: * only, which means that the object must not exist",
            )),
            (Some(_), Some(_)) => Err(Problem::bad_request(
                "If-Match",
                "If-Match and If-None-Match exclude each other; send one of them",
            )),
        }
    }

    /// The number that a decision is to expect: that of the object's last commit, 0 for none.
    pub(crate) fn expected(&self, now: Revision) -> Option<u64> {
        match self {
            Precondition::Nothing => None,
            Precondition::Absent => Some(0),
            // An absent object has no commit, so that this is refused.
            Precondition::Present => Some(now.number.max(1)),
            Precondition::OneOf(seen) if seen.contains(&now) => Some(now.number),
            Precondition::OneOf(seen) => {
                let same = seen.iter().find(|seen| seen.epoch == now.epoch);
                // What was seen in another history is not what is here.
                Some(same.map_or(u64::MAX, |seen| seen.number))
            }
        }
    }

    /// Refuses a version of another history in words that say so.
    pub(crate) fn check_epoch(&self, epoch: u64) -> Result<(), Problem> {
        match self {
            Precondition::OneOf(seen) if seen.iter().all(|seen| seen.epoch != epoch) => {
                Err(Problem::new(
                    StatusCode::PRECONDITION_FAILED,
                    "If-Match",
                    "the store was made anew or restored since that version; read the object again",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a reader has this version already.
pub(crate) fn is_known(headers: &HeaderMap, version: Revision) -> bool {
    let tag = entity_tag(version);
    let known = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    known.is_some_and(|tags| {
        tags.split(',').map(str::trim).any(|known| {
            let known = known.strip_prefix("W/").unwrap_or(known);
            known == "*" || known == tag
        })
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Problem::bad_request(name.as_str(), "the header is no text")),
    }
}

fn revision(tag: &str) -> Result<Revision, Problem> {
    let tag = tag.trim();
    let inner = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let parsed = inner.and_then(|inner| inner.parse().ok());
    parsed.ok_or_else(|| {
        Problem::bad_request(
            "If-Match",
            format!("{tag:?} is no version of an object; send the ETag of an earlier answer"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(epoch: u64, number: u64) -> Revision {
        Revision { epoch, number }
    }

    fn read(name: HeaderName, value: &str) -> Result<Precondition, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Precondition::read(&headers)
    }

    #[test]
    fn headers_say_what_is_expected() {
        for (name, value, now, expected) in [
            (IF_MATCH, "*", at(1, 5), Some(5)),
            (IF_MATCH, "*", at(1, 0), Some(1)),
            (IF_NONE_MATCH, "*", at(1, 5), Some(0)),
            (IF_MATCH, "\"1.5\"", at(1, 5), Some(5)),
            (IF_MATCH, "\"1.4\"", at(1, 5), Some(4)),
            (IF_MATCH, "\"1.4\", \"1.5\"", at(1, 5), Some(5)),
            (IF_MATCH, "\"9.5\"", at(1, 5), Some(u64::MAX)),
        ] {
            let read = read(name, value).unwrap();
            assert_eq!(read.expected(now), expected, "{value}");
        }
        assert_eq!(Precondition::default().expected(at(1, 5)), None);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for (name, value) in [
            (IF_MATCH, "1.5"),
            (IF_MATCH, "W/\"1.5\""),
            (IF_MATCH, "\"\""),
            (IF_NONE_MATCH, "\"1.5\""),
        ] {
            assert!(read(name, value).is_err(), "{value}");
        }
    }
}
