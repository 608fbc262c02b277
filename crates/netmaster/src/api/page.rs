//! Lists in pieces: `?limit=` and `?after=`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Query};
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use contiv_model::agent::Revision;
use contiv_model::encode_segment;
use serde::Serialize;

use super::answer::Problem;

/// The header that says which revision a list is of, for `watch?after=`.
const REVISION: HeaderName = HeaderName::from_static("contiv-revision");

/// The piece of a list that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    path: String,
    limit: Option<usize>,
    after: Option<String>,
}

/// A piece of a list in the order of keys, and the way to the next one.
pub(crate) struct Piece<T> {
    items: Vec<T>,
    next: Option<String>,
    revision: Revision,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = OriginalUri::from_request_parts(parts, state).await;
        let path = path.map(|uri| uri.path().to_owned()).unwrap_or_default();
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::bad_request("", error.body_text()))?;
        let limit = match query.get("limit").map(|text| text.parse::<usize>()) {
            None => None,
            Some(Ok(limit)) if limit > 0 => Some(limit),
            Some(_) => {
                let message = "limit is how many objects to answer with: a number from 1";
                return Err(Problem::bad_request("limit", message));
            }
        };
        Ok(Page {
            path,
            limit,
            after: query.get("after").cloned(),
        })
    }
}

impl Page {
    /// Cuts the piece out of `items`, which come in the order of their keys.
    pub(crate) fn cut<'a, T, V>(
        &self,
        revision: Revision,
        items: impl Iterator<Item = (&'a str, T)>,
        show: impl Fn(T) -> V,
    ) -> Piece<V> {
        let after = self.after.as_deref();
        let mut rest = items.filter(|(key, _)| after.is_none_or(|after| *key > after));
        let mut shown = Vec::new();
        let mut last = "";
        let limit = self.limit.unwrap_or(usize::MAX);
        for (key, item) in rest.by_ref().take(limit) {
            last = key;
            shown.push(show(item));
        }
        let more = shown.len() == limit && rest.next().is_some();
        let next =
            more.then(|| format!("{}?limit={limit}&after={}", self.path, encode_segment(last)));
        Piece {
            items: shown,
            next,
            revision,
        }
    }
}

impl<T: Serialize> IntoResponse for Piece<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        let headers = response.headers_mut();
        if let Ok(revision) = HeaderValue::from_str(&self.revision.to_string()) {
            headers.insert(REVISION, revision);
        }
        let link = self.next.map(|next| format!("<{next}>; rel=\"next\""));
        if let Some(Ok(link)) = link.as_deref().map(HeaderValue::from_str) {
            headers.insert(LINK, link);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_list() {
        let keys = ["a", "b:x", "c", "d", "e"];
        for limit in 1..=6 {
            let mut page = Page {
                path: "/l/".into(),
                limit: Some(limit),
                after: None,
            };
            let mut all = Vec::new();
            loop {
                let items = keys.iter().map(|key| (*key, *key));
                let piece = page.cut(Revision::default(), items, str::to_owned);
                all.extend(piece.items);
                let Some(next) = piece.next else { break };
                let after = next.split_once("after=").unwrap().1;
                page.after = Some(after.to_owned());
            }
            assert_eq!(all, keys, "by {limit}");
        }
    }
}
