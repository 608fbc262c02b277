//! Tokens: of hosts that are to join, and the administrator's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use contiv_fabric::identity::{AdminRecord, TokenRecord};
use contiv_fabric::{put_token, rotate_admin};
use contiv_identity::{AdminToken, Fingerprint, JoinToken};
use contiv_model::identity::{AdminTokenAnswer, JoinTokenAnswer, JoinTokenRequest};

use super::answer::Problem;
use super::body::Document;
use super::{Shared, both};

/// How long a token is good for when nobody says.
const HOUR: u64 = 60 * 60;

/// A token that is good for longer is forgotten by its maker before.
const WEEK: u64 = 7 * 24 * HOUR;

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = both(router, "/api/v1/tokens/join/", post(make_join));
    both(router, "/api/v1/tokens/admin/", post(rotate))
}

/// Makes a token that lets one host join.
async fn make_join(
    State(shared): State<Shared>,
    Document(request): Document<JoinTokenRequest>,
) -> Result<Json<JoinTokenAnswer>, Problem> {
    let seconds = match request.ttl_seconds {
        0 => HOUR,
        seconds if seconds <= WEEK => seconds,
        seconds => {
            let message = format!("{seconds} seconds are too many; a week, {WEEK}, is the most");
            return Err(Problem::bad_request("ttlSeconds", message));
        }
    };
    let host = Some(request.host).filter(|host| !host.is_empty());
    if let Some(host) = &host {
        crate::agent::check_name(host)?;
    }
    let known = shared.ledger.read().image().identity().authority().cloned();
    let authority = known.map_or(Ok(Fingerprint::of(&[])), |known| {
        Fingerprint::of_pem(&known.certificate)
    });
    let token = authority.and_then(JoinToken::new).map_err(failed)?;
    let (now, hash) = (shared.clock.now(), token.secret.hash());
    let until = now + seconds * 1000;
    let record = TokenRecord {
        hash,
        host,
        until,
        used: None,
    };
    // Refused where there is no authority.
    let decide = |image: &_| put_token(image, now, &token.id, &record);
    shared.ledger.decide(decide).await?;
    tracing::info!(token = token.id, host = ?record.host, "a join token is made");
    Ok(Json(JoinTokenAnswer {
        token: token.to_string(),
        until,
    }))
}

/// Puts another administrator's token in place of the one there is.
async fn rotate(State(shared): State<Shared>) -> Result<Json<AdminTokenAnswer>, Problem> {
    let token = AdminToken::new().map_err(failed)?;
    let admin = AdminRecord {
        hash: token.secret.hash(),
    };
    let decide = |image: &_| rotate_admin(image, &admin);
    shared.ledger.decide(decide).await?;
    tracing::info!("the administrator has another token");
    Ok(Json(AdminTokenAnswer {
        token: token.to_string(),
    }))
}

fn failed(error: contiv_identity::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", error.to_string())
}
