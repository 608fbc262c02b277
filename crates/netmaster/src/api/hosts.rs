//! The hosts: what is stored of them, and what they report.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use contiv_fabric::record::{EndpointRecord, HostRecord};
use contiv_fabric::{Image, Key};
use contiv_model::agent::{
    Foothold, ObjectKind, ObjectRef, Problem as HostProblem, Revision, TakenPrefix,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::Problem;
use super::page::Page;
use super::{Shared, both};
use crate::collect::remove_host;
use crate::hosts::HostFacts;

/// A host, as it registered and as it reports itself.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostDocument {
    name: String,
    /// Its stream to a master is open, and it reports.
    live: bool,
    agent_version: String,
    /// Where other hosts send what is for its endpoints.
    #[schema(value_type = Option<String>)]
    tunnel: Option<IpAddr>,
    /// Largest packet, in bytes, of its link to the others.
    mtu: Option<u32>,
    /// Where people find it.
    #[schema(value_type = Option<String>)]
    control: Option<IpAddr>,
    boot_id: String,
    /// When it registered first in this boot, in milliseconds since 1970.
    since: u64,
    /// Seconds since it was last heard of; none when this master has not heard of it.
    silent: Option<u64>,
    /// How many endpoints are on it.
    endpoints: u64,
    /// The tenants that they are of.
    tenants: Vec<String>,
    /// Its own interfaces in `infra` networks.
    interfaces: Vec<HostInterface>,
    /// Everything up to this revision is in its kernel.
    #[schema(value_type = Object)]
    applied: Revision,
    /// How many commits there are that it has not applied.
    lag: u64,
    /// The networks and groups that it has realised.
    #[schema(value_type = Vec<Object>)]
    realised: Vec<ObjectRef>,
    /// What hinders objects there.
    #[schema(value_type = Vec<Object>)]
    problems: Vec<HostProblem>,
    /// Prefixes that it uses for itself.
    #[schema(value_type = Vec<Object>)]
    taken: Vec<TakenPrefix>,
}

/// A host's own interface in an `infra` network.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostInterface {
    /// `network.tenant`.
    network: String,
    #[serde(rename = "endpointID")]
    endpoint_id: String,
    /// The IPv4 address, then the IPv6 address if there is one.
    ip_address: Vec<String>,
}

/// How a host is to be removed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removal {
    /// Even if it is live.
    force: bool,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let router = both(router, "/api/v1/hosts/", get(hosts));
    both(router, "/api/v1/hosts/{name}/", get(host).delete(remove))
}

async fn hosts(State(shared): State<Shared>, page: Page) -> impl IntoResponse {
    let committed = shared.ledger.read();
    let documents = documents(&shared, committed.image(), committed.revision());
    let documents = documents.iter();
    let documents = documents.map(|(name, document)| (name.as_str(), document));
    page.cut(committed.revision(), documents, Clone::clone)
}

async fn host(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<HostDocument>, Problem> {
    let committed = shared.ledger.read();
    let mut documents = documents(&shared, committed.image(), committed.revision());
    documents
        .remove(&name)
        .map(Json)
        .ok_or_else(|| unknown(&name))
}

/// Removes a host that is no more, with its endpoints and all that waits for it.
async fn remove(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(removal): Query<Removal>,
) -> Result<Json<Value>, Problem> {
    let live = |name: &str| {
        let report = |r: &contiv_fabric::HostReports| r.hosts.get(name).is_some_and(|h| h.live);
        shared.hosts.read(report)
    };
    let known = shared.ledger.read().image().host(&name).is_some();
    if !known && !shared.hosts.knows(&name) {
        return Err(unknown(&name));
    }
    if live(&name) && !removal.force {
        let message = format!(
            "host {name} is live: stop its netplugin first, or add --force, which takes its \
             certificate and the addresses of what runs on it"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "", message));
    }
    remove_host(&shared.ledger, &name, None, |_, transaction| transaction).await?;
    shared.hosts.forget(&name);
    tracing::info!(host = name, "host is removed");
    Ok(Json(json!({})))
}

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!(
        "host {name} has not registered; see netctl host ls"
    ))
}

/// All that is known of all hosts, from the store and from their reports.
fn documents(shared: &Shared, image: &Image, revision: Revision) -> BTreeMap<String, HostDocument> {
    let mut facts: BTreeMap<String, HostFacts> = BTreeMap::new();
    for host in shared.hosts.list() {
        facts.insert(host.name.clone(), host);
    }
    let stored = image.hosts().map(|record| record.name.as_str());
    let names: BTreeSet<&str> = facts.keys().map(String::as_str).chain(stored).collect();
    let document = |name: &str| {
        let facts = facts.get(name).cloned();
        (
            name.to_owned(),
            HostDocument::of(image, revision, name, facts.unwrap_or_default()),
        )
    };
    names.into_iter().map(document).collect()
}

impl HostDocument {
    fn of(image: &Image, revision: Revision, name: &str, facts: HostFacts) -> HostDocument {
        let HostFacts {
            report,
            agent_version,
            silent,
            ..
        } = facts;
        let record = image.host(name).cloned().unwrap_or_else(|| HostRecord {
            agent_version,
            ..HostRecord::default()
        });
        let stands =
            |object: &ObjectRef| report.applied >= image.revision(last_commit(image, object));
        let same = report.applied.epoch == revision.epoch;
        let applied = if same { report.applied.number } else { 0 };
        HostDocument {
            name: name.to_owned(),
            live: report.live,
            agent_version: record.agent_version,
            tunnel: record.tunnel,
            mtu: record.mtu,
            control: record.control,
            boot_id: record.boot_id,
            since: record.since,
            silent: silent.map(|silent| silent.as_secs()),
            endpoints: u64::try_from(image.endpoints_on(name).count()).unwrap_or(u64::MAX),
            tenants: image.tenants_on(name).map(str::to_owned).collect(),
            interfaces: interfaces(image, name),
            applied: report.applied,
            lag: revision.number.saturating_sub(applied),
            realised: report
                .realised
                .iter()
                .filter(|o| stands(o))
                .cloned()
                .collect(),
            problems: report.problems,
            taken: report.taken,
        }
    }
}

fn interfaces(image: &Image, host: &str) -> Vec<HostInterface> {
    let footholds = image.endpoints_on(host);
    let footholds = footholds.filter(|endpoint| Foothold::is_id(&endpoint.id));
    let interface = |endpoint: &EndpointRecord| HostInterface {
        network: format!("{}.{}", endpoint.network, endpoint.tenant),
        endpoint_id: endpoint.id.clone(),
        ip_address: endpoint.addresses().map(|a| a.to_string()).collect(),
    };
    footholds.map(interface).collect()
}

/// Number of the last commit of what hosts realise; 0 when it is gone. Before a host has applied
/// that, its word may be about another object that had the same name.
fn last_commit(image: &Image, object: &ObjectRef) -> u64 {
    let key = match object.kind {
        ObjectKind::Group => Key::Group(object.key.clone()),
        _ => Key::Network(object.key.clone()),
    };
    image.number_of(&key.to_string())
}
