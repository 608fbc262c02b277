//! A host's own interface in an `infra` network: an endpoint that no container has.
//!
//! Masters give every host one in every such network. It is named by both, so that the same
//! host finds the same address there after each start, boot and restore.

use std::fmt;

/// The name by which a network of tenant `default` is the hosts' way to all networks of it.
pub const WAY_OF_HOSTS: &str = "contivh1";

/// Bytes that the name of a link has, at most (`IFNAMSIZ` less the end).
pub const LINK_NAME: usize = 15;

/// Which host's, and where. As text it is the endpoint's id, `TENANT:NETWORK@HOST`, which no
/// engine's is: names of tenants and networks have neither sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foothold<'a> {
    pub tenant: &'a str,
    pub network: &'a str,
    pub host: &'a str,
}

impl<'a> Foothold<'a> {
    /// What an endpoint's id says, if it is that of a foothold.
    pub fn parse(id: &'a str) -> Option<Foothold<'a>> {
        let (network, host) = id.split_once('@')?;
        let (tenant, network) = network.split_once(':')?;
        let whole = ![tenant, network, host].contains(&"");
        whole.then_some(Foothold {
            tenant,
            network,
            host,
        })
    }

    /// Whether an endpoint of this id is a foothold.
    pub fn is_id(id: &str) -> bool {
        Foothold::parse(id).is_some()
    }

    /// The network's key, `TENANT:NETWORK`.
    pub fn network_key(&self) -> String {
        format!("{}:{}", self.tenant, self.network)
    }
}

impl fmt::Display for Foothold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foothold {
            tenant,
            network,
            host,
        } = self;
        write!(f, "{tenant}:{network}@{host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let foothold = Foothold {
            tenant: "blue",
            network: "contivh1",
            host: "rack@3:h7.example",
        };
        let id = foothold.to_string();
        assert_eq!(id, "blue:contivh1@rack@3:h7.example");
        assert_eq!(Foothold::parse(&id), Some(foothold));
        assert_eq!(foothold.network_key(), "blue:contivh1");
        for other in ["", "0a1b2c", "a:b", "a@b", ":b@c", "a:@c", "a:b@"] {
            assert!(!Foothold::is_id(other), "{other}");
        }
    }
}
