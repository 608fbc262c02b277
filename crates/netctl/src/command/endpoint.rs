//! `netctl endpoint`.

use clap::{Args, Subcommand};
use contiv_client::{Client, EndpointEntry};

use crate::command::scope::ScopeFlags;
use crate::failure::Failure;
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;

/// As much of an id as Docker shows.
const SHORT_ID: usize = 12;

#[derive(Debug, Subcommand)]
pub(crate) enum Endpoint {
    /// List the endpoints of a tenant.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show the endpoint whose id, container's id or container's name contains EPID.
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    list: ListFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Part of the endpoint's id, of its container's id or of its name.
    epid: String,
    #[command(flatten)]
    output: DocumentFlags,
}

impl Endpoint {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Endpoint::Ls(Ls { scope, list }) => {
                let mut endpoints = scope
                    .list(client, client.endpoints(), EndpointEntry::tenant)
                    .await?;
                endpoints.sort_by(|a, b| {
                    (&a.network, &a.ip_address, &a.endpoint_id).cmp(&(
                        &b.network,
                        &b.ip_address,
                        &b.endpoint_id,
                    ))
                });
                list.print(session, &endpoints, |e| e.endpoint_id.clone(), table)
            }
            Endpoint::Inspect(Inspect { epid, output }) => {
                output.print(session, &client.inspect_endpoint(&epid).await?)
            }
        }
    }
}

fn table(endpoints: &[EndpointEntry]) -> String {
    let mut rows = Rows::new(&[
        "Endpoint",
        "Tenant",
        "Network",
        "Group",
        "IPv4",
        "IPv6",
        "MAC",
        "Host",
        "Container",
    ]);
    for e in endpoints {
        let address = |v6: bool| {
            e.ip_address
                .iter()
                .find(|a| a.contains(':') == v6)
                .map_or("", String::as_str)
        };
        let container = match e.container_name.trim_start_matches('/') {
            "" => short(&e.container_id),
            name => name,
        };
        rows.add([
            short(&e.endpoint_id),
            e.tenant(),
            e.network_name(),
            &e.service_name,
            address(false),
            address(true),
            &e.mac_address,
            &e.homing_host,
            container,
        ]);
    }
    rows.to_string()
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}
