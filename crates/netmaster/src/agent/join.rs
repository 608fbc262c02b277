//! How a host becomes known: a token for a certificate.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use contiv_fabric::identity::{AuthorityRecord, CertificateRecord};
use contiv_fabric::{self as fabric, Join};
use contiv_identity::{Authority, JoinToken, Lifetimes, hash_matches, public_key_of_request};
use contiv_model::identity::{JoinRequest, Joined};

use crate::api::{Document, Problem, Shared};

/// Lets a host join: the certificate is signed beforehand, and given only when the transaction
/// that uses up the token has recorded it.
pub(super) async fn join(
    State(shared): State<Shared>,
    Document(request): Document<JoinRequest>,
) -> Result<Json<Joined>, Problem> {
    let JoinRequest {
        token,
        host,
        request,
    } = request;
    super::check_name(&host)?;
    let token: JoinToken = token
        .parse()
        .map_err(|e: contiv_identity::Error| Problem::bad_request("token", e.to_string()))?;
    let authority = authority(&shared)?;
    let (now, unusable) = (shared.clock.now(), |e: contiv_identity::Error| {
        Problem::bad_request("request", e.to_string())
    });
    let public_key = public_key_of_request(&request).map_err(unusable)?;
    let issued = authority
        .sign_host(now, &Lifetimes::default(), &host, &request)
        .map_err(unusable)?;
    let certificate = CertificateRecord {
        chain: issued.chain,
        fingerprint: issued.fingerprint.to_string(),
        public_key: public_key.to_string(),
        until: issued.until,
    };
    let join = Join {
        host: &host,
        token: &token.id,
        certificate: &certificate,
    };
    let proved = |stored: &str| hash_matches(&token.secret, stored);
    let decide = |image: &_| fabric::join(image, now, &join, proved);
    let granted = shared.ledger.decide(decide).await?;
    let fingerprint = granted.answer.fingerprint;
    tracing::info!(host, token = token.id, fingerprint, "host joins");
    Ok(Json(Joined {
        certificate: granted.answer.chain,
        authority: authority.certificate().to_owned(),
    }))
}

fn authority(shared: &Shared) -> Result<Authority, Problem> {
    let known = shared.ledger.read().image().identity().authority().cloned();
    let Some(AuthorityRecord { certificate, key }) = known else {
        let message = "this cluster has no authority, since no master listens beyond its loopback; \
                       on the loopback hosts need not join";
        return Err(Problem::new(StatusCode::CONFLICT, "", message));
    };
    Authority::from_pem(&certificate, &key)
        .map_err(|e| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", e.to_string()))
}
