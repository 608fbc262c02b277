//! Groups.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::choice::choice;
use super::network::docker_name;
use super::{Ipv4Range, ParsedNetwork};
use crate::agent::DefaultAction;
use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{EndpointGroup, Keyed};

const ALLOW: &str = "allow";

/// An [`EndpointGroup`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedGroup {
    pub tenant: Name,
    pub name: Name,
    pub network: Name,
    /// Addresses of the network that only members of the group get, and no others.
    pub pool: Option<Ipv4Range>,
    pub policies: BTreeSet<Name>,
    pub cfgd_tag: Option<Name>,
    /// What becomes of a connection to a member that no rule decides.
    pub default_action_in: DefaultAction,
    /// The same for a connection that a member opens.
    pub default_action_out: DefaultAction,
}

impl EndpointGroup {
    /// The group in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedGroup, Invalid> {
        self.check_key()?;
        let policy = |text: &String| Name::required("policies", text);
        Ok(ParsedGroup {
            tenant: Name::required("tenantName", &self.tenant_name)?,
            name: docker_name("groupName", &self.group_name)?,
            network: Name::required("networkName", &self.network_name)?,
            pool: pool(&self.ip_pool)?,
            policies: self.policies.iter().map(policy).collect::<Result<_, _>>()?,
            cfgd_tag: Name::tag("cfgdTag", &self.cfgd_tag)?,
            default_action_in: default_action("defaultActionIn", &self.default_action_in)?,
            default_action_out: default_action("defaultActionOut", &self.default_action_out)?,
        })
    }

    /// The same group, with the default actions that it does not name taken from `current`:
    /// a client that knows nothing of them, and changes the policies, opens nothing.
    pub fn filled_from(&self, current: &EndpointGroup) -> EndpointGroup {
        let mut filled = self.clone();
        for (field, value) in [
            (&mut filled.default_action_in, &current.default_action_in),
            (&mut filled.default_action_out, &current.default_action_out),
        ] {
            if field.is_empty() {
                field.clone_from(value);
            }
        }
        filled
    }

    /// The same group with every default action named, so that none is left as it is.
    pub fn spelled_out(&self) -> EndpointGroup {
        self.filled_from(&EndpointGroup {
            default_action_in: ALLOW.to_owned(),
            default_action_out: ALLOW.to_owned(),
            ..EndpointGroup::default()
        })
    }

    /// The same group without default actions that say the default: the one spelling that is
    /// stored.
    pub fn terse(&self) -> EndpointGroup {
        let mut terse = self.clone();
        for field in [&mut terse.default_action_in, &mut terse.default_action_out] {
            if field == ALLOW {
                field.clear();
            }
        }
        terse
    }
}

impl ParsedGroup {
    /// The tag that Docker networks of Swarm mode are mapped by.
    pub fn group_tag(&self) -> String {
        match &self.cfgd_tag {
            Some(tag) => tag.to_string(),
            None => format!("{}.{}", self.name, self.tenant),
        }
    }

    /// Refuses a pool that is not made of addresses that the network gives to endpoints.
    pub fn check_pool_within(&self, network: &ParsedNetwork) -> Result<(), Invalid> {
        let Some(pool) = self.pool else {
            return Ok(());
        };
        let inside = network.subnet.usable().filter(|u| u.encloses(&pool));
        if inside.is_none() {
            let given = match network.subnet.usable() {
                Some(usable) => usable.to_string(),
                None => "none".to_owned(),
            };
            return Err(Invalid::new(
                "ipPool",
                format!(
                    "{pool} is outside of the addresses of network {}, {given}; choose some of \
                     these",
                    network.name
                ),
            ));
        }
        match network.gateway {
            Some(gateway) if pool.contains(gateway) => Err(Invalid::new(
                "ipPool",
                format!(
                    "{pool} has the gateway of network {}, {gateway}, in it; choose addresses \
                     beside it",
                    network.name
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a pool that shares addresses with that of another group of the same network.
    pub fn check_apart_from(&self, other: &ParsedGroup) -> Result<(), Invalid> {
        let same_network = self.tenant == other.tenant && self.network == other.network;
        let (Some(ours), Some(theirs), true) = (self.pool, other.pool, same_network) else {
            return Ok(());
        };
        match ours.shared_with(&theirs) {
            None => Ok(()),
            Some(shared) => Err(Invalid::new(
                "ipPool",
                format!(
                    "{ours} shares {shared} with group {}:{}; choose addresses that no other \
                     group has",
                    other.tenant, other.name
                ),
            )),
        }
    }
}

fn default_action(field: &'static str, text: &str) -> Result<DefaultAction, Invalid> {
    match text {
        "" => Ok(DefaultAction::default()),
        text => {
            let words = [(ALLOW, DefaultAction::Allow), ("deny", DefaultAction::Deny)];
            choice(field, text, &words)
        }
    }
}

fn pool(text: &str) -> Result<Option<Ipv4Range>, Invalid> {
    let refuse = |why: &str| Err(Invalid::new("ipPool", format!("{text:?} {why}")));
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (Ok(first), Ok(last)) = (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>()) else {
        return refuse("is not a range of addresses; write one such as 10.1.2.100-10.1.2.120");
    };
    if first > last {
        return refuse("ends before it begins; write the lower address first");
    }
    Ok(Some(Ipv4Range { first, last }))
}

#[cfg(test)]
mod tests;
