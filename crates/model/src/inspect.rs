//! What the API answers about objects: `inspect` documents, conditions, errors.

mod hits;
mod oper;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use hits::{HitsDocument, RuleHits};
pub use oper::{
    EndpointOper, GlobalOper, GroupOper, NetworkOper, PolicyHost, PolicyOper, RuleOper, TenantOper,
    printed_labels,
};

/// `{"Config": …, "Oper": …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Inspect<C, O> {
    #[serde(rename = "Config")]
    pub config: C,
    #[serde(rename = "Oper")]
    pub oper: O,
}

/// One aspect of an object's state, as programs and `netctl wait` read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `Ready`, or the name of a problem such as `NameTaken`.
    #[serde(rename = "type")]
    pub kind: String,
    pub status: bool,
    pub reason: String,
    pub message: String,
    /// The host it is about; empty when it is about the whole fabric.
    pub host: String,
}

/// The body of every refused request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiError {
    /// What is wrong and what to do about it.
    pub error: String,
    /// The offending field, by its JSON name; empty when it is not about one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}
