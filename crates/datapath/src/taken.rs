//! Prefixes that the host uses for itself.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::Error;
use crate::names::{endpoint_digits, is_ours};
use crate::netlink::{Link, Netlink, Route};

/// A prefix in use by something that is not Contiv's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    pub prefix: IpNet,
    /// Who uses it, for people: `address of eth0`, `route by eth0`.
    pub by: String,
}

/// Links, addresses and routes of a host at one time.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) links: Vec<Link>,
    pub(crate) addresses: Vec<(u32, IpNet)>,
    pub(crate) routes: Vec<Route>,
}

impl Look {
    /// Looks at the calling thread's namespace.
    pub(crate) fn take(netlink: &mut Netlink) -> Result<Look, Error> {
        Ok(Look {
            links: netlink.links().map_err(Error::netlink("list links"))?,
            addresses: netlink
                .addresses()
                .map_err(Error::netlink("list addresses"))?,
            routes: netlink.routes().map_err(Error::netlink("list routes"))?,
        })
    }

    /// Prefixes of the host's own use.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        choose(&self.links, &self.addresses, &self.routes)
    }

    pub(crate) fn by_name(&self) -> BTreeMap<&str, &Link> {
        let named = self.links.iter().map(|link| (link.name.as_str(), link));
        named.collect()
    }
}

/// Which prefixes are taken, each once, in order.
///
/// 1. The prefix of each address of a link that is not ours, its own one included.
/// 2. Each route that leaves by a link that is not ours, or by none (blackholes
///    take their prefix, too), unless an address says the same.
/// 3. Nothing that every host has or that no network can be: default routes,
///    link-local and multicast prefixes, the host's routes to itself.
fn choose(links: &[Link], addresses: &[(u32, IpNet)], routes: &[Route]) -> Vec<Taken> {
    let names: BTreeMap<u32, &str> = links.iter().map(|l| (l.index, l.name.as_str())).collect();
    let footholds: BTreeSet<u32> = links
        .iter()
        .filter(|link| is_foothold(links, link))
        .map(|link| link.index)
        .collect();
    let foreign = |index: u32| {
        !footholds.contains(&index) && names.get(&index).is_none_or(|name| !is_ours(name))
    };
    let by = |what: &str, index: u32| match names.get(&index) {
        Some(name) => format!("{what} {name}"),
        None => "route of no single link".to_owned(),
    };
    let mut seen = BTreeSet::new();
    let mut taken = Vec::new();
    let of_addresses = addresses
        .iter()
        .map(|(link, net)| (*net, by("address of", *link), *link));
    let of_routes = routes
        .iter()
        .filter(|route| !route.local)
        .map(|route| (route.to, by("route by", route.link), route.link));
    for (prefix, by, link) in of_addresses.chain(of_routes) {
        let prefix = prefix.trunc();
        if foreign(link) && !is_everywhere(prefix) && seen.insert(prefix) {
            taken.push(Taken { prefix, by });
        }
    }
    taken
}

/// Whether a link is the host's own end of an endpoint's link.
pub(crate) fn is_foothold(links: &[Link], link: &Link) -> bool {
    let other = links.iter().find(|other| Some(other.index) == link.peer);
    other.is_some_and(|other| {
        other.peer == Some(link.index)
            && other.name.starts_with("cv")
            && endpoint_digits(&other.name).is_some()
    })
}

fn is_everywhere(prefix: IpNet) -> bool {
    prefix.prefix_len() == 0
        || match prefix {
            IpNet::V4(net) => net.network().is_link_local() || net.network().is_multicast(),
            IpNet::V6(net) => net.network().is_unicast_link_local() || net.network().is_multicast(),
        }
}

/// Whether two prefixes share an address.
pub(crate) fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            ..Link::default()
        }
    }

    fn route(to: &str, link: u32) -> Route {
        Route {
            to: to.parse().unwrap(),
            link,
            source: None,
            mtu: 0,
            gateway: false,
            via: None,
            local: false,
        }
    }

    #[test]
    fn addresses_and_routes_of_others_take_their_prefix_once() {
        let links = [
            link(1, "lo"),
            link(2, "eth0"),
            link(3, "contiv0"),
            link(4, "docker0"),
        ];
        let addresses = [
            (1, "127.0.0.1/8".parse().unwrap()),
            (2, "198.51.100.11/24".parse().unwrap()),
            (2, "fe80::1/64".parse().unwrap()),
            (3, "172.19.0.1/16".parse().unwrap()),
            (4, "172.17.0.1/16".parse().unwrap()),
        ];
        let routes = [
            route("0.0.0.0/0", 2),
            route("198.51.100.0/24", 2),
            route("10.1.2.0/24", 3),
            route("10.8.0.0/16", 2),
            route("10.9.0.0/16", 0),
            Route {
                local: true,
                ..route("203.0.113.7/32", 2)
            },
        ];
        let taken = choose(&links, &addresses, &routes);
        let texts: Vec<String> = taken
            .iter()
            .map(|t| format!("{} {}", t.prefix, t.by))
            .collect();
        assert_eq!(
            texts,
            [
                "127.0.0.0/8 address of lo",
                "198.51.100.0/24 address of eth0",
                "172.17.0.0/16 address of docker0",
                "10.8.0.0/16 route by eth0",
                "10.9.0.0/16 route of no single link",
            ]
        );
    }

    #[test]
    fn the_hosts_own_end_of_an_endpoint_takes_nothing() {
        let end = |index: u32, name: &str, peer: u32| Link {
            peer: Some(peer),
            ..link(index, name)
        };
        let links = [
            end(5, "contivh1", 6),
            end(6, "cv0a1b", 5),
            end(7, "other", 8),
            end(8, "veth3", 7),
            // Its pair is in another namespace, where numbers mean something else.
            end(9, "third", 6),
        ];
        let net = |text: &str| text.parse().unwrap();
        let addresses = [
            (5, net("10.1.2.1/24")),
            (7, net("10.1.3.1/24")),
            (9, net("10.1.4.1/24")),
        ];
        let taken = choose(&links, &addresses, &[]);
        let by: Vec<&str> = taken.iter().map(|t| t.by.as_str()).collect();
        assert_eq!(by, ["address of other", "address of third"]);
    }

    #[test]
    fn prefixes_overlap_either_way_round() {
        let [a, b, c] = ["10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16"].map(|p| p.parse().unwrap());
        assert!(overlap(a, b) && overlap(b, a));
        assert!(!overlap(a, c) && !overlap(c, b));
    }
}
