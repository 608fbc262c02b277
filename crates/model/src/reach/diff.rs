//! What a change of configuration would open and close.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::manifest::Step;

/// The answer to `POST /api/v1/diff/`, whose body is that of `POST /api/v1/apply/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyDiff {
    /// `EPOCH.NUMBER` of what would be changed.
    pub revision: String,
    /// What applying would do.
    pub steps: Vec<Step>,
    /// The tenants for which pairs or ports open or close.
    pub tenants: Vec<DiffTenant>,
}

/// The changes in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DiffTenant {
    pub tenant_name: String,
    pub changes: Vec<DiffChange>,
    /// Set when there was too much to compare; more may change then.
    pub cut: String,
}

/// Connections that open or close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DiffChange {
    /// `opens` or `closes`.
    pub change: String,
    /// A group's name; `outside` for the host, the world and endpoints without a group.
    pub from: String,
    pub to: String,
    /// `FIRST-LAST`, or empty for all.
    pub from_addresses: String,
    pub to_addresses: String,
    /// `tcp`, a number, or `other` for all that no rule names.
    pub protocol: String,
    /// Ports or ICMP messages, `FIRST-LAST`; empty for all.
    pub ports: String,
}
