//! What masters tell about themselves and about the fabric: versions, hosts,
//! endpoints, addresses.

use std::net::IpAddr;

use contiv_model::agent::{ObjectRef, Problem, Revision};
use contiv_model::doctor::{Diagnosis, DoctorRequest};
use contiv_model::encode_segment;
use contiv_model::manifest::{AppliedPlan, Apply};
use contiv_model::reach::{MatrixRequest, PolicyDiff, PolicyMatrix, Trace, TraceRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::transport::Client;

/// The answer of `GET /version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    pub git_commit: String,
    pub version: String,
    pub build_time: String,
}

/// A host, as the master knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostEntry {
    pub name: String,
    /// Its stream to a master is open.
    pub live: bool,
    pub agent_version: String,
    /// Where other hosts send what is for its endpoints.
    pub tunnel: Option<IpAddr>,
    /// Where people find it.
    pub control: Option<IpAddr>,
    /// Seconds since it was last heard of.
    pub silent: Option<u64>,
    /// How many endpoints are on it.
    pub endpoints: u64,
    /// How many commits there are that it has not applied.
    pub lag: u64,
    /// Everything up to this revision is in its kernel.
    pub applied: Revision,
    /// The networks and groups that it has realised.
    pub realised: Vec<ObjectRef>,
    /// What hinders objects there.
    pub problems: Vec<Problem>,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// An endpoint, as its inspect document's `Oper` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointEntry {
    #[serde(rename = "endpointID")]
    pub endpoint_id: String,
    /// `network.tenant`.
    pub network: String,
    /// The group; empty for an endpoint of a plain network.
    pub service_name: String,
    pub ip_address: Vec<String>,
    pub mac_address: String,
    pub homing_host: String,
    #[serde(rename = "containerID")]
    pub container_id: String,
    pub container_name: String,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// An address in use and the owner of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AddressEntry {
    pub tenant: String,
    pub network: String,
    pub address: String,
    pub owner: String,
    pub state: String,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

impl EndpointEntry {
    /// The tenant, the last label of `network`: names of networks may have dots, of
    /// tenants as well, so the master's own field wins where there is one.
    pub fn tenant(&self) -> &str {
        self.network
            .rsplit_once('.')
            .map_or("", |(_, tenant)| tenant)
    }

    /// The network's name within its tenant.
    pub fn network_name(&self) -> &str {
        self.network
            .rsplit_once('.')
            .map_or(&self.network, |(name, _)| name)
    }
}

impl Client {
    /// The master's version.
    pub async fn version(&self) -> Result<Version, Error> {
        self.get_json("/version").await
    }

    /// The master's own address and the other members it knows.
    pub async fn info(&self) -> Result<Value, Error> {
        self.get_json("/info").await
    }

    /// Every host that has registered.
    pub async fn hosts(&self) -> Result<Vec<HostEntry>, Error> {
        self.get_json("/api/v1/hosts/").await
    }

    /// All that is known of a host.
    pub async fn host_document(&self, name: &str) -> Result<Value, Error> {
        self.get_json(&host_path(name)?).await
    }

    /// Removes a host that is no more; by force even one that is live.
    pub async fn remove_host(&self, name: &str, force: bool) -> Result<(), Error> {
        let path = host_path(name)?;
        let query = if force { "?force=true" } else { "" };
        self.delete_at(&format!("{path}{query}")).await
    }

    /// Makes what there is what is declared, all of it or nothing; or tells the plan.
    pub async fn apply(&self, request: &Apply) -> Result<AppliedPlan, Error> {
        self.post_json("/api/v1/apply/", request).await
    }

    /// Why a connection is allowed or denied.
    pub async fn trace(&self, request: &TraceRequest) -> Result<Trace, Error> {
        self.post_json("/api/v1/trace/", request).await
    }

    /// What is not well, and what helps.
    pub async fn doctor(&self, request: &DoctorRequest) -> Result<Diagnosis, Error> {
        self.post_json("/api/v1/doctor/", request).await
    }

    /// Who may reach whom on a port.
    pub async fn policy_matrix(&self, request: &MatrixRequest) -> Result<PolicyMatrix, Error> {
        self.post_json("/api/v1/matrix/", request).await
    }

    /// What applying would open and close; nothing changes.
    pub async fn policy_diff(&self, request: &Apply) -> Result<PolicyDiff, Error> {
        self.post_json("/api/v1/diff/", request).await
    }

    /// Every endpoint of the fabric.
    pub async fn endpoints(&self) -> Result<Vec<EndpointEntry>, Error> {
        self.get_json("/api/v1/endpoints/").await
    }

    /// The endpoint whose id, container's id or container's name contains `id`.
    pub async fn inspect_endpoint(&self, id: &str) -> Result<Value, Error> {
        if id.is_empty() {
            return Err(Error::EmptyName { what: "endpoint" });
        }
        self.get_json(&format!(
            "/api/v1/inspect/endpoints/{}/",
            encode_segment(id)
        ))
        .await
    }

    /// Every address that has an owner.
    pub async fn addresses(&self) -> Result<Vec<AddressEntry>, Error> {
        self.get_json("/api/v1/addresses/").await
    }
}

fn host_path(name: &str) -> Result<String, Error> {
    match name {
        "" => Err(Error::EmptyName { what: "host" }),
        name => Ok(format!("/api/v1/hosts/{}/", encode_segment(name))),
    }
}
