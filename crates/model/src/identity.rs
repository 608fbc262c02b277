//! What is said to become known to the masters, or to make others known.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A host's wish to join.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The whole join token.
    pub token: String,
    /// The name that the host is to have.
    pub host: String,
    /// A request for a certificate in PEM, signed with the host's key.
    pub request: String,
}

/// The certificate of a host that has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// PEM: the certificate, then the authority's.
    pub certificate: String,
    /// PEM: the authority's.
    pub authority: String,
}

/// A request for a token that lets one host join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JoinTokenRequest {
    /// The one host that it is for; it may then replace the certificate that it has. Any new host
    /// when it is empty.
    pub host: String,
    /// Until it expires, in seconds; an hour when it is 0, a week at most.
    pub ttl_seconds: u64,
}

/// A token that lets one host join, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenAnswer {
    pub token: String,
    /// When it expires, in milliseconds since 1970.
    pub until: u64,
}

/// The administrator's new token; the one before is worth nothing any more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminTokenAnswer {
    pub token: String,
}
