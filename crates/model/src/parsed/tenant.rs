//! Tenants: a name, and little else.

use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Tenant};

/// A [`Tenant`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedTenant {
    pub name: Name,
    pub default_network: Option<Name>,
}

impl Tenant {
    /// The tenant in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedTenant, Invalid> {
        self.check_key()?;
        Ok(ParsedTenant {
            name: Name::required("tenantName", &self.tenant_name)?,
            default_network: Name::optional("defaultNetwork", &self.default_network)?,
        })
    }
}
