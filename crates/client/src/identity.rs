//! Becoming known to the masters, and making others known.

use contiv_model::identity::{
    AdminTokenAnswer, JoinRequest, JoinTokenAnswer, JoinTokenRequest, Joined,
};
use serde_json::json;

use crate::error::Error;
use crate::transport::Client;

impl Client {
    /// Joins a host; the same request again gets the same certificate.
    pub async fn join(&self, request: &JoinRequest) -> Result<Joined, Error> {
        self.post_json("/agent/v1/join", request).await
    }

    /// Makes a token that lets one host join.
    pub async fn make_join_token(
        &self,
        request: &JoinTokenRequest,
    ) -> Result<JoinTokenAnswer, Error> {
        self.post_json("/api/v1/tokens/join/", request).await
    }

    /// Makes another administrator's token in place of the one there is.
    pub async fn rotate_admin_token(&self) -> Result<AdminTokenAnswer, Error> {
        self.post_json("/api/v1/tokens/admin/", &json!({})).await
    }
}
