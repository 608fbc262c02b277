//! Keeps web pages of others out: the API has no passwords yet, and whoever has a
//! browser on a host of the fabric visits pages that may send requests to it.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::api::Problem;

/// Refuses a request that a web page sent which this master did not serve.
///
/// 1. Programs send no `Origin`; browsers always do with what changes something.
/// 2. A page of our own has the origin that the request goes to.
/// 3. Its host is the loopback, so that a name which somebody else points here is none.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().ok().and_then(|o| o.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let ours = authority.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        let loopback = name
            .parse::<std::net::IpAddr>()
            .map_or(name == "localhost", |address| address.is_loopback());
        loopback && host == Some(authority.as_str())
    });
    if ours {
        return Ok(());
    }
    let message = "requests of other sites' web pages are not served; use netctl, or a program";
    Err(Problem::new(StatusCode::FORBIDDEN, "Origin", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &'static str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn programs_and_our_own_pages_are_served_and_nobody_elses() {
        let here = "127.0.0.1:9999";
        for (host, origin) in [
            (here, None),
            ("netmaster:9999", None),
            (here, Some("http://127.0.0.1:9999")),
            ("localhost:9999", Some("http://localhost:9999")),
            ("[::1]:9999", Some("http://[::1]:9999")),
        ] {
            assert!(allowed(host, origin), "{origin:?} to {host}");
        }
        for (host, origin) in [
            (here, "http://evil.example"),
            (here, "http://127.0.0.1:8080"),
            ("evil.example:9999", "http://evil.example:9999"),
            (here, "null"),
            (here, ""),
        ] {
            assert!(!allowed(host, Some(origin)), "{origin:?} to {host}");
        }
    }
}
