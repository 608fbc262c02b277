//! The tenant that a command is about.

use clap::Args;
use contiv_client::{Client, Error};
use contiv_model::object::Tenant;

use crate::failure::Failure;

/// The flag of commands on one object.
#[derive(Debug, Args)]
pub(crate) struct TenantFlag {
    /// Tenant of the object.
    #[arg(short, long, default_value = "default")]
    pub(crate) tenant: String,
}

/// The flags of commands that list.
#[derive(Debug, Args)]
pub(crate) struct ScopeFlags {
    /// Tenant whose objects are listed.
    #[arg(short, long, default_value = "default")]
    tenant: String,
    /// List the objects of every tenant.
    #[arg(short, long)]
    all: bool,
}

impl TenantFlag {
    /// The key of an object of this tenant. A colon in a name would be another object's key.
    pub(crate) fn key(&self, name: &str) -> Result<String, Failure> {
        plain("--tenant", &self.tenant)?;
        plain("the name", name)?;
        Ok(format!("{}:{name}", self.tenant))
    }
}

impl ScopeFlags {
    /// What `listing` gives of this scope; a tenant that does not exist is an error,
    /// not an empty list.
    pub(crate) async fn list<T>(
        &self,
        client: &Client,
        listing: impl Future<Output = Result<Vec<T>, Error>>,
        tenant_of: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>, Failure> {
        if self.all {
            return Ok(listing.await?);
        }
        plain("--tenant", &self.tenant)?;
        client.get::<Tenant>(&self.tenant).await?;
        let mut items = listing.await?;
        items.retain(|item| tenant_of(item) == self.tenant);
        Ok(items)
    }
}

/// Refuses a name that cannot be part of a key.
pub(crate) fn plain(what: &str, name: &str) -> Result<(), Failure> {
    match name {
        "" => Err(Failure::Usage(format!("{what} is empty; give a name"))),
        _ if name.contains(':') => Err(Failure::Usage(format!(
            "{what} {name:?} contains a colon; give the tenant by --tenant"
        ))),
        _ => Ok(()),
    }
}
