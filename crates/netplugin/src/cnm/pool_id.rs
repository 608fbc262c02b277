//! The names of address pools, which the engine keeps for us and gives back.
//!
//! `default/contiv-net|v4` and `blue/contiv-net/db|v6` name one of our networks,
//! or a group of it; `10.9.0.0/24` stands for the network of tenant `default`
//! that has, or is about to get, this subnet. Who asks for addresses of it for a
//! Swarm is told apart by what follows: `|node`, or `|manager|` and the life of the
//! manager's allocator. No state is needed to read one.

use std::fmt;
use std::str::FromStr;

use contiv_model::agent::{Asker, PoolRef};
use ipnet::IpNet;

/// What an address is asked from, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolId {
    pub(crate) place: Place,
    pub(crate) by: Asker,
}

/// Where addresses come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Named { pool: PoolRef, ipv6: bool },
    Subnet(IpNet),
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Named { pool, ipv6 } => {
                write!(f, "{}/{}", pool.tenant, pool.network)?;
                if let Some(group) = &pool.group {
                    write!(f, "/{group}")?;
                }
                f.write_str(if *ipv6 { "|v6" } else { "|v4" })?;
            }
            Place::Subnet(subnet) => fmt::Display::fmt(subnet, f)?,
        }
        match &self.by {
            Asker::Engine => Ok(()),
            Asker::Node => f.write_str("|node"),
            Asker::Manager { life } => write!(f, "|manager|{life}"),
        }
    }
}

impl FromStr for PoolId {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let unknown = || format!("pool {s:?} is not one that this driver gave out");
        let mut parts = s.split('|');
        let first = parts.next().unwrap_or_default();
        let place = match first.parse() {
            Ok(subnet) => Place::Subnet(subnet),
            Err(_) => {
                let ipv6 = match parts.next() {
                    Some("v4") => false,
                    Some("v6") => true,
                    _ => return Err(unknown()),
                };
                let pool = pool(first).ok_or_else(unknown)?;
                Place::Named { pool, ipv6 }
            }
        };
        let by = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Asker::Engine,
            (Some("node"), None, _) => Asker::Node,
            (Some("manager"), Some(life), None) if !life.is_empty() => Asker::Manager {
                life: life.to_owned(),
            },
            _ => return Err(unknown()),
        };
        Ok(PoolId { place, by })
    }
}

/// `TENANT/NETWORK` or `TENANT/NETWORK/GROUP`.
fn pool(names: &str) -> Option<PoolRef> {
    let mut names = names.split('/').map(str::to_owned);
    let (tenant, network, group) = (names.next()?, names.next()?, names.next());
    let empty = tenant.is_empty() || network.is_empty() || group.as_deref() == Some("");
    if empty || names.next().is_some() {
        return None;
    }
    Some(PoolRef {
        tenant,
        network,
        group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        for text in [
            "default/contiv-net|v4",
            "blue/contiv-net/db|v6",
            "10.9.0.0/24",
            "fd00:9::/64",
            "blue/contiv-net/db|v4|node",
            "10.9.0.0/24|node",
            "default/contiv-net|v4|manager|18a2",
            "10.9.0.0/24|manager|18a2",
        ] {
            assert_eq!(text.parse::<PoolId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "a|v4",
            "a/|v4",
            "a/b",
            "a/b|v5",
            "a/b/c/d|v4",
            "a/b/|v4",
            "10.9.0.0",
            "a/b|v4|nodes",
            "a/b|v4|node|x",
            "a/b|v4|manager",
            "a/b|v4|manager|",
            "a/b|v4|manager|x|y",
        ] {
            assert!(text.parse::<PoolId>().is_err(), "{text}");
        }
    }
}
