//! The names of address pools, which the engine keeps for us and gives back.
//!
//! `default/contiv-net|v4` and `blue/contiv-net/db|v6` name one of our networks,
//! or a group of it; `10.9.0.0/24` stands for the network of tenant `default`
//! that has, or is about to get, this subnet. No state is needed to read one.

use std::fmt;
use std::str::FromStr;

use contiv_model::agent::PoolRef;
use ipnet::IpNet;

/// What an address is asked from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PoolId {
    Named { pool: PoolRef, ipv6: bool },
    Subnet(IpNet),
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolId::Named { pool, ipv6 } => {
                write!(f, "{}/{}", pool.tenant, pool.network)?;
                if let Some(group) = &pool.group {
                    write!(f, "/{group}")?;
                }
                f.write_str(if *ipv6 { "|v6" } else { "|v4" })
            }
            PoolId::Subnet(subnet) => fmt::Display::fmt(subnet, f),
        }
    }
}

impl FromStr for PoolId {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if let Ok(subnet) = s.parse() {
            return Ok(PoolId::Subnet(subnet));
        }
        let unknown = || format!("pool {s:?} is not one that this driver gave out");
        let (names, ipv6) = match s.rsplit_once('|').ok_or_else(unknown)? {
            (names, "v4") => (names, false),
            (names, "v6") => (names, true),
            _ => return Err(unknown()),
        };
        let mut names = names.split('/').map(str::to_owned);
        let (Some(tenant), Some(network), group, None) =
            (names.next(), names.next(), names.next(), names.next())
        else {
            return Err(unknown());
        };
        if tenant.is_empty() || network.is_empty() || group.as_deref() == Some("") {
            return Err(unknown());
        }
        Ok(PoolId::Named {
            pool: PoolRef {
                tenant,
                network,
                group,
            },
            ipv6,
        })
    }
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
        ] {
            assert!(text.parse::<PoolId>().is_err(), "{text}");
        }
    }
}
