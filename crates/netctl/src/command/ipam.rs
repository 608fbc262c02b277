//! `netctl ipam`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use contiv_client::{AddressEntry, Client, EndpointEntry};

use crate::command::scope::ScopeFlags;
use crate::failure::Failure;
use crate::output::{ListFlags, Rows};
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Ipam {
    /// List every address in use with its owner, and check them against the endpoints.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    list: ListFlags,
}

impl Ipam {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let Ipam::Verify(verify) = self;
        verify.run(client, session).await
    }
}

impl Verify {
    async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        let addresses = self
            .scope
            .list(client, client.addresses(), |a| &a.tenant)
            .await?;
        self.list
            .print(session, &addresses, |a| a.address.clone(), table)?;
        let mut wrong = self.look(client).await?;
        if !wrong.is_empty() {
            // The two lists are read one after the other, and containers come and go:
            // what is really wrong is wrong in a second look as well.
            let again = self.look(client).await?;
            wrong.retain(|finding| again.contains(finding));
        }
        match wrong.as_slice() {
            [] => Ok(()),
            findings => Err(Failure::Invalid(findings.join("; "))),
        }
    }

    async fn look(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let addresses = self
            .scope
            .list(client, client.addresses(), |a| &a.tenant)
            .await?;
        let endpoints = self
            .scope
            .list(client, client.endpoints(), EndpointEntry::tenant)
            .await?;
        Ok(findings(&addresses, &endpoints))
    }
}

/// What is wrong with the addresses:
///
/// 1. an address with two owners,
/// 2. an endpoint whose address is not recorded as its own,
/// 3. an address of an endpoint that does not exist.
fn findings(addresses: &[AddressEntry], endpoints: &[EndpointEntry]) -> Vec<String> {
    let mut found = Vec::new();
    let mut owners: BTreeMap<(&str, &str, &str), &str> = BTreeMap::new();
    for a in addresses {
        let place = (a.tenant.as_str(), a.network.as_str(), a.address.as_str());
        if let Some(other) = owners.insert(place, &a.owner) {
            let AddressEntry {
                tenant,
                network,
                address,
                owner,
                ..
            } = a;
            found.push(format!(
                "{address} of {tenant}:{network} has two owners, {other} and {owner}"
            ));
        }
    }
    for e in endpoints {
        for address in &e.ip_address {
            let place = (e.tenant(), e.network_name(), address.as_str());
            if owners.get(&place) != Some(&e.endpoint_id.as_str()) {
                let (tenant, network, id) = (e.tenant(), e.network_name(), &e.endpoint_id);
                found.push(format!("{address} of {tenant}:{network} is used by endpoint {id} and not recorded as its own"));
            }
        }
    }
    found
}

fn table(addresses: &[AddressEntry]) -> String {
    let mut rows = Rows::new(&["Tenant", "Network", "Address", "State", "Owner"]);
    for a in addresses {
        rows.add([&a.tenant, &a.network, &a.address, &a.state, &a.owner]);
    }
    rows.to_string()
}
