//! `netctl tenant`.

use clap::{Args, Subcommand};
use contiv_client::Client;
use contiv_model::object;

use crate::command::scope::plain;
use crate::failure::{Failure, Places};
use crate::output::{DocumentFlags, ListFlags, Rows};
use crate::session::Session;

const PLACES: Places = &[("tenantName", "TENANT")];

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// List all tenants.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Create a tenant.
    #[command(after_help = "Example:\n  netctl tenant create blue")]
    Create(Name),
    /// Delete a tenant that holds nothing any more.
    #[command(visible_alias = "delete")]
    Rm(Name),
    /// Show a tenant and what it holds.
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Name of the tenant.
    tenant: String,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Name of the tenant.
    tenant: String,
    #[command(flatten)]
    output: DocumentFlags,
}

impl Tenant {
    pub(crate) async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Tenant::Ls(flags) => {
                let mut tenants: Vec<object::Tenant> = client.list().await?;
                tenants.sort_by(|a, b| a.tenant_name.cmp(&b.tenant_name));
                flags.print(session, &tenants, |t| t.tenant_name.clone(), table)
            }
            Tenant::Create(Name { tenant }) => {
                plain("TENANT", &tenant)?;
                session.say(&format!("Creating tenant: {tenant}"))?;
                let wish = object::Tenant {
                    tenant_name: tenant,
                    ..Default::default()
                };
                client
                    .put(&wish)
                    .await
                    .map_err(Failure::with_places(PLACES))?;
                Ok(())
            }
            Tenant::Rm(Name { tenant }) => {
                plain("TENANT", &tenant)?;
                session.say(&format!("Deleting tenant {tenant}"))?;
                client.delete::<object::Tenant>(&tenant).await?;
                Ok(())
            }
            Tenant::Inspect(Inspect { tenant, output }) => {
                plain("TENANT", &tenant)?;
                output.print(session, &client.inspect::<object::Tenant>(&tenant).await?)
            }
        }
    }
}

fn table(tenants: &[object::Tenant]) -> String {
    let mut rows = Rows::new(&["Name"]);
    for tenant in tenants {
        rows.add([&tenant.tenant_name]);
    }
    rows.to_string()
}
