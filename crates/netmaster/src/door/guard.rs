//! Who asks, and whether they may.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use contiv_fabric::Image;
use contiv_identity::{AdminToken, Presented, hash_matches};

use super::local::{self, is_secret};
use crate::api::{Problem, Shared};

/// The one path for those who are not known yet; its token is in the body.
const JOIN: &str = "/agent/v1/join";

/// What a host may use, all of it below its own name.
const HOST: &str = "/agent/v1/hosts/{host}/";

/// Where a request came in.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// The plain listener of the loopback.
    Loopback,
    /// A TLS listener; with the certificate that was shown there.
    Network(Option<Arc<Presented>>),
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody on this machine: whoever reaches the loopback is trusted.
    Local,
    /// Who has the administrator's token.
    Admin,
    /// The host of this name.
    Host(String),
    /// A host that wants to join.
    Stranger,
}

/// Finds out who asks, and refuses what they may not. What follows finds the [`Caller`] among the
/// request's extensions.
///
/// 1. The loopback is trusted, but for what gives the cluster's keys away: that is for root there, or
///    for who shows the administrator's token.
/// 2. A certificate is a host's, as long as it is the one that the store has for that name. It is
///    good for the host's own part of the agent API.
/// 3. A token is the administrator's, and good for everything.
/// 4. All others may join.
pub(crate) async fn admit(shared: &Shared, request: &mut Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<Peer>().cloned();
    let caller = match peer {
        Some(Peer::Loopback) => local(shared, request).await?,
        Some(Peer::Network(certificate)) => {
            let committed = shared.ledger.read();
            who(committed.image(), certificate.as_deref(), request.headers())?
        }
        None => return Err(unknown("where this request came in is not known")),
    };
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("", MatchedPath::as_str).to_owned();
    match &caller {
        Caller::Local | Caller::Admin => {}
        _ if path == JOIN => {}
        Caller::Host(name) => {
            let below = path.starts_with(HOST);
            if !below || host_of(request).await.as_deref() != Some(name) {
                let message = format!(
                    "the certificate of host {name} is good for /agent/v1/hosts/{name}/ alone; \
                     people show the administrator's token"
                );
                return Err(Problem::new(StatusCode::FORBIDDEN, "", message));
            }
        }
        Caller::Stranger => {
            let message = "say who you are: people by `netctl login` or Authorization: Bearer \
                           TOKEN, with the token in admin.token of netmaster's data directory; \
                           hosts by netplugin --join-token";
            return Err(unknown(message));
        }
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

/// Who speaks at the loopback.
async fn local(shared: &Shared, request: &mut Request) -> Result<Caller, Problem> {
    let route = request.extensions().get::<MatchedPath>();
    if !route.is_some_and(|route| is_secret(route.as_str())) {
        return Ok(Caller::Local);
    }
    if request.headers().contains_key(AUTHORIZATION) {
        return who(shared.ledger.read().image(), None, request.headers());
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    local::check(peer.map(|ConnectInfo(peer)| *peer)).await?;
    Ok(Caller::Local)
}

/// Refuses reports of a host on endpoints of another one.
pub(crate) fn own_endpoints<'a>(
    image: &Image,
    caller: &Caller,
    host: &str,
    ids: impl IntoIterator<Item = &'a String>,
) -> Result<(), Problem> {
    if !matches!(caller, Caller::Host(_)) {
        return Ok(());
    }
    for id in ids {
        if let Some(other) = image.endpoint(id).filter(|known| known.host != host) {
            let message = format!(
                "endpoint {id} is one of host {}; {host} may speak of its own alone",
                other.host
            );
            return Err(Problem::new(StatusCode::FORBIDDEN, "endpoints", message));
        }
    }
    Ok(())
}

fn who(
    image: &Image,
    certificate: Option<&Presented>,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let identity = image.identity();
    if let Some(token) = headers.get(AUTHORIZATION) {
        let token = token.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            let bearer = scheme.eq_ignore_ascii_case("bearer");
            bearer.then(|| token.parse::<AdminToken>().ok())?
        });
        let admin = identity.admin();
        let right =
            |token: &AdminToken| admin.is_some_and(|a| hash_matches(&token.secret, &a.hash));
        if token.as_ref().is_some_and(right) {
            return Ok(Caller::Admin);
        }
        return Err(unknown(
            "the token is not the administrator's; log in with the one that is in admin.token of \
             netmaster's data directory, or make another there by `netmaster token rotate`",
        ));
    }
    let Some(Presented {
        host, fingerprint, ..
    }) = certificate
    else {
        return Ok(Caller::Stranger);
    };
    let Some(host) = host else {
        return Err(unknown("the certificate is not that of a host"));
    };
    let known = identity.certificate(host);
    if known.is_none_or(|known| known.fingerprint != fingerprint.to_string()) {
        let message = format!(
            "the certificate of host {host} is good no longer: the host was removed, or another \
             has joined by its name; join anew with a token of `netctl host token`"
        );
        return Err(unknown(&message));
    }
    Ok(Caller::Host(host.clone()))
}

/// The host in the path, as handlers see it.
async fn host_of(request: &mut Request) -> Option<String> {
    let params = request.extract_parts::<RawPathParams>().await.ok()?;
    let host = params.iter().find(|(name, _)| *name == "host");
    host.map(|(_, host)| host.to_owned())
}

fn unknown(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "", message)
}
