//! Tenants and policies: names, and little else.

use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Policy, Tenant};

/// A [`Tenant`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedTenant {
    pub name: Name,
    pub default_network: Option<Name>,
}

/// A [`Policy`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedPolicy {
    pub tenant: Name,
    pub name: Name,
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

impl Policy {
    /// The policy in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedPolicy, Invalid> {
        self.check_key()?;
        Ok(ParsedPolicy {
            tenant: Name::required("tenantName", &self.tenant_name)?,
            name: Name::required("policyName", &self.policy_name)?,
        })
    }
}
