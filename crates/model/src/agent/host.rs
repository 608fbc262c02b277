//! Hosts, as other hosts are told of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A host that holds endpoints of a tenant which the receiver knows as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostView {
    pub name: String,
    /// Packets for its endpoints go here, and theirs come from nowhere else.
    pub tunnel: IpAddr,
    /// Largest packet, in bytes, of its link to the others.
    #[serde(default)]
    pub mtu: Option<u32>,
}
