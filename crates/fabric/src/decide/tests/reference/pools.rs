//! Addresses that may be had.

use std::net::{IpAddr, Ipv4Addr};

use contiv_model::agent::PoolRef;
use contiv_model::object::Network;

use super::{Outcome, Reference, Refused, Use, group_of, network_of, network_of_group, require};

impl Reference {
    pub(super) fn check_pool(&self, pool: &PoolRef) -> Outcome {
        require(self.networks.contains_key(&network_of(pool)))?;
        match group_of(pool) {
            None => Ok(()),
            Some(group) => {
                let known = self.groups.get(&group).ok_or(Refused)?;
                require(known.network_name == pool.network)
            }
        }
    }

    /// The wish if the pool has it, or the lowest that is free, or the lowest that is
    /// draining for this host alone.
    pub(super) fn choose(
        &self,
        host: &str,
        pool: &PoolRef,
        wish: Option<IpAddr>,
        ipv6: bool,
    ) -> Result<IpAddr, Refused> {
        self.check_pool(pool)?;
        let addresses = self.addresses(pool, ipv6);
        if let Some(wish) = wish {
            return addresses.contains(&wish).then_some(wish).ok_or(Refused);
        }
        let place = |address: &IpAddr| (network_of(pool), *address);
        let free = addresses
            .iter()
            .find(|a| !self.uses.contains_key(&place(a)));
        let own = || {
            addresses
                .iter()
                .find(|a| self.seen_by(host, &place(a)).is_none())
        };
        free.or_else(own).copied().ok_or(Refused)
    }

    fn addresses(&self, pool: &PoolRef, ipv6: bool) -> Vec<IpAddr> {
        let (network, _) = &self.networks[&network_of(pool)];
        if ipv6 {
            let net = network.ipv6_subnet.strip_suffix("::/126").unwrap();
            return (1..=3)
                .map(|n| format!("{net}::{n}").parse().unwrap())
                .collect();
        }
        if let Some(group) = group_of(pool).map(|group| &self.groups[&group])
            && !group.ip_pool.is_empty()
        {
            return range(&group.ip_pool)
                .into_iter()
                .map(IpAddr::from)
                .collect();
        }
        let here = self
            .groups
            .values()
            .filter(|g| network_of_group(g) == network_of(pool));
        let carved: Vec<Ipv4Addr> = here.flat_map(|group| range(&group.ip_pool)).collect();
        let mut usable = usable(network);
        usable.retain(|address| !carved.contains(address));
        usable.into_iter().map(IpAddr::from).collect()
    }

    pub(super) fn seen_by(&self, host: &str, place: &(String, IpAddr)) -> Option<&Use> {
        self.uses.get(place).filter(|holder| match holder {
            Use::Draining(awaited, _) => awaited.iter().any(|awaited| awaited != host),
            _ => true,
        })
    }
}

pub(super) fn claimed(network: &Network) -> Vec<Ipv4Addr> {
    subnet(network).0
}

pub(super) fn usable(network: &Network) -> Vec<Ipv4Addr> {
    subnet(network).1
}

/// The addresses that a network claims, gives to endpoints, and that hosts of its
/// subnet can have.
pub(super) fn subnet(network: &Network) -> (Vec<Ipv4Addr>, Vec<Ipv4Addr>, Vec<Ipv4Addr>) {
    let list = |first, last| (first..=last).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    match network.subnet.as_str() {
        "10.0.0.0/29" => (list(0, 7), list(1, 6), list(1, 6)),
        "10.0.0.8/30" => (list(8, 11), list(9, 10), list(9, 10)),
        "10.0.0.3-10.0.0.5/29" => (list(3, 5), list(3, 5), list(1, 6)),
        "10.0.0.0/28" => (list(0, 15), list(1, 14), list(1, 14)),
        other => panic!("{other} is not a subnet of the steps"),
    }
}

pub(super) fn range(pool: &str) -> Vec<Ipv4Addr> {
    let Some((first, last)) = pool.split_once('-') else {
        return Vec::new();
    };
    let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
    (bits(first)..=bits(last))
        .map(Ipv4Addr::from_bits)
        .collect()
}
