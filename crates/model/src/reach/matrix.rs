//! Who may reach whom on a port.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of `POST /api/v1/matrix/`; the query of `GET`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MatrixRequest {
    /// `default` when empty.
    pub tenant_name: String,
    /// By name or number, as in rules.
    pub protocol: String,
    /// The destination port, with TCP and UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// With ICMP and ICMPv6: an echo request when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
}

/// The answer: senders by receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyMatrix {
    /// `EPOCH.NUMBER` of what was looked at.
    pub revision: String,
    pub tenant_name: String,
    /// `tcp port 80`.
    pub packets: String,
    /// Senders and receivers, in the order of rows and columns.
    pub entries: Vec<MatrixEntry>,
    /// A row for each sender, a cell in it for each receiver.
    pub cells: Vec<Vec<MatrixCell>>,
    /// What was left out; empty when nothing was.
    pub cut: String,
}

/// Who stands at a row and at a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MatrixEntry {
    /// A group's name, a block of addresses, `outside`.
    pub name: String,
    /// `group`, `block` or `outside`.
    pub kind: String,
    pub network_name: String,
    pub endpoints: u64,
}

/// What may happen between two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MatrixCell {
    /// `allow`, `deny`, `depends` on the addresses, `unreachable` whatever policies say, or empty
    /// for nobody.
    pub verdict: String,
    /// The deciding rule, or why there is no way.
    pub by: String,
    /// What it would be with staged policies in force, when that is something else.
    pub staged: String,
}
