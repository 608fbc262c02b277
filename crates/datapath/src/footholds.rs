//! Footholds: interfaces of the host itself in networks of its tenants.
//!
//! One is the other end of an endpoint's link, left in the host's namespace and named after its
//! network. It has the endpoint's addresses and a route to its network; the one in the network of
//! the hosts has routes to all other networks of the tenant as well, which `contiv0` has without it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_datapath_abi::config::GATEWAY_MAC;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Failures;
use crate::names::link_names;
use crate::netlink::{Link, Route};
use crate::shortfall::{Shortfalls, Subject};
use crate::spec::{Desired, EndpointSpec, NetworkSpec};
use crate::taken::{Look, is_foothold, overlap};
use crate::{Error, Plane, sysctl};

/// Whom the host hands what is for other networks. Programs look at addresses alone, so that nobody
/// needs to be there.
const NEXT_HOP: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
const NEXT_HOP_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

impl Plane {
    /// Brings the host's interfaces to what they should be; answers with another look if there are
    /// any.
    pub(crate) fn ensure_footholds(
        &mut self,
        look: Look,
        desired: &Desired,
        lacks: &mut Shortfalls,
    ) -> Result<Look, Error> {
        if desired.footholds.is_empty() {
            return Ok(look);
        }
        for (id, name) in &desired.footholds {
            if let Some(spec) = desired.local.get(id) {
                let ensured = self.ensure_foothold((id, name), spec, &look, desired);
                lacks.note(Subject::Endpoint(id.clone()), ensured);
            }
        }
        Look::take(&mut self.netlink)
    }

    fn ensure_foothold(
        &mut self,
        (id, name): (&str, &str),
        spec: &EndpointSpec,
        look: &Look,
        desired: &Desired,
    ) -> Result<(), Error> {
        let Some(network) = self.networks.get(&spec.network).cloned() else {
            return Ok(()); // It stays closed for that, and says so.
        };
        let (outer, _) = link_names(id);
        let Some(outer) = look.links.iter().find(|link| link.name == outer) else {
            return Ok(()); // As above.
        };
        let end = look
            .links
            .iter()
            .find(|link| link.name == name && link.peer == Some(outer.index));
        let end = match end {
            Some(end) => end.clone(),
            // Somebody has renamed it, or taken it to another namespace.
            None => self.make_anew(id, name, spec)?,
        };
        let what = |step: &str| format!("{step} {name}");
        settings(name)?;
        if end.mtu != network.mtu {
            let set = self.netlink.set_mtu(end.index, network.mtu);
            set.map_err(Error::netlink(what("set the MTU of")))?;
        }
        if !end.up {
            let set = self.netlink.set_up(end.index, false, "");
            set.map_err(Error::netlink(what("bring up")))?;
        }
        self.ensure_own_addresses(&end, spec, &network, look)?;
        self.ensure_own_routes(&end, spec, look, desired)
    }

    fn make_anew(&mut self, id: &str, name: &str, spec: &EndpointSpec) -> Result<Link, Error> {
        self.remove_endpoint(id)?;
        self.ensure_endpoint(id, spec)?;
        let what = || format!("find {name}");
        let link = self.netlink.link(name).map_err(Error::netlink(what()))?;
        link.ok_or_else(|| Error::netlink(what())(ErrorKind::NotFound.into()))
    }

    fn ensure_own_addresses(
        &mut self,
        end: &Link,
        spec: &EndpointSpec,
        network: &NetworkSpec,
        look: &Look,
    ) -> Result<(), Error> {
        let wanted = addresses(spec, network);
        let have = look
            .addresses
            .iter()
            .filter(|(index, _)| *index == end.index);
        let have: Vec<IpNet> = have.map(|(_, address)| *address).collect();
        for new in wanted.iter().filter(|address| !have.contains(address)) {
            self.netlink
                .add_address(end.index, *new)
                .map_err(Error::netlink(format!("give {} {new}", end.name)))?;
        }
        for old in have.iter().filter(|old| !wanted.contains(old)) {
            self.netlink
                .delete_address(end.index, *old)
                .map_err(Error::netlink(format!("take {old} from {}", end.name)))?;
        }
        Ok(())
    }

    fn ensure_own_routes(
        &mut self,
        end: &Link,
        spec: &EndpointSpec,
        look: &Look,
        desired: &Desired,
    ) -> Result<(), Error> {
        let used = look.taken();
        let mut wanted = routes(end.index, spec, &self.networks, desired);
        // Whoever asks may have looked before the prefix was taken.
        wanted.retain(|to, _| !used.iter().any(|taken| overlap(taken.prefix, *to)));
        if wanted.values().any(|route| route.via.is_some()) {
            for hop in hops(spec) {
                self.netlink
                    .set_neighbour(end.index, hop, GATEWAY_MAC)
                    .map_err(Error::netlink(format!(
                        "name the neighbour of {}",
                        end.name
                    )))?;
            }
        }
        let mut failures = Failures::default();
        let have: Vec<&Route> = look
            .routes
            .iter()
            .filter(|route| !route.local && route.link == end.index)
            .collect();
        for old in have.iter().filter(|old| !is_the_kernels(old.to)) {
            if !wanted.contains_key(&old.to) {
                let what = format!("remove the route to {} by {}", old.to, end.name);
                failures.note(self.netlink.delete_route(old).map_err(Error::netlink(what)));
            }
        }
        for (to, route) in wanted {
            if !have.contains(&&route) {
                let what = format!("make a route to {to} by {}", end.name);
                let made = self.netlink.add_route(&route);
                failures.note(made.map_err(Error::netlink(what)));
            }
        }
        failures.result()
    }
}

/// The prefixes that the host reaches by its interfaces.
pub(crate) fn reached(look: &Look) -> Vec<IpNet> {
    let ends: Vec<u32> = look
        .links
        .iter()
        .filter(|link| is_foothold(&look.links, link))
        .map(|link| link.index)
        .collect();
    let routes = look.routes.iter();
    let ours = routes.filter(|route| !route.local && ends.contains(&route.link));
    ours.map(|route| route.to).collect()
}

/// The interface's addresses, with the prefixes of its network.
fn addresses(spec: &EndpointSpec, network: &NetworkSpec) -> Vec<IpNet> {
    let v4 = Ipv4Net::new(spec.ipv4, network.subnet.prefix_len());
    let v6 = spec
        .ipv6
        .zip(network.ipv6_subnet)
        .filter(|_| sysctl::has_ipv6())
        .map(|(ip, subnet)| Ipv6Net::new(ip, subnet.prefix_len()));
    let nets = [
        v4.map(IpNet::V4).ok(),
        v6.and_then(Result::ok).map(IpNet::V6),
    ];
    nets.into_iter().flatten().collect()
}

/// The routes by the interface: to its network, and by that of the hosts to all others of the
/// tenant in which the host has no interface of its own.
fn routes(
    link: u32,
    spec: &EndpointSpec,
    networks: &BTreeMap<u32, NetworkSpec>,
    desired: &Desired,
) -> BTreeMap<IpNet, Route> {
    let Some(network) = networks.get(&spec.network) else {
        return BTreeMap::new();
    };
    let own = addresses(spec, network);
    let source = |to: &IpNet| {
        let same = |own: &&IpNet| own.addr().is_ipv4() == to.addr().is_ipv4();
        own.iter().find(same).map(IpNet::addr)
    };
    let mut routes = BTreeMap::new();
    let mut add = |to: IpNet, mtu: u32, via: Option<IpAddr>| {
        let Some(source) = source(&to) else {
            return;
        };
        routes.entry(to).or_insert(Route {
            to,
            link,
            source: Some(source),
            mtu,
            gateway: via.is_some(),
            via,
            local: false,
        });
    };
    for to in &own {
        add(to.trunc(), 0, None);
    }
    if network.of_hosts {
        let with_own = |number: &u32| {
            let mut ids = desired.footholds.keys();
            ids.any(|id| desired.local.get(id).is_some_and(|e| e.network == *number))
        };
        let others = networks.iter().filter(|(number, other)| {
            other.tenant == network.tenant && !other.unreachable_from_host && !with_own(number)
        });
        for (_, other) in others {
            add(
                other.subnet.trunc().into(),
                other.mtu,
                Some(NEXT_HOP.into()),
            );
            if let Some(subnet) = other.ipv6_subnet {
                add(subnet.trunc().into(), other.mtu, Some(NEXT_HOP_V6.into()));
            }
        }
    }
    routes
}

fn hops(spec: &EndpointSpec) -> impl Iterator<Item = IpAddr> {
    let v6 = spec.ipv6.filter(|_| sysctl::has_ipv6());
    let v6 = v6.map(|_| NEXT_HOP_V6.into());
    [Some(NEXT_HOP.into()), v6].into_iter().flatten()
}

/// Routes that the kernel makes by itself.
pub(crate) fn is_the_kernels(to: IpNet) -> bool {
    matches!(to, IpNet::V6(net) if net.network().is_multicast()
        || net.network().is_unicast_link_local())
}

fn settings(name: &str) -> Result<(), Error> {
    for (setting, value) in [
        // Loose: who is answered by another of the host's addresses may ask by this one.
        ("rp_filter", "2"),
        // Questions are answered to the interface's own address alone.
        ("arp_announce", "2"),
        ("accept_redirects", "0"),
        ("send_redirects", "0"),
        ("proxy_arp", "0"),
    ] {
        sysctl::set(&format!("ipv4/conf/{name}/{setting}"), value)?;
    }
    for (setting, value) in [
        ("disable_ipv6", "0"),
        ("accept_ra", "0"),
        ("autoconf", "0"),
        // No link-local address: nobody there speaks to it.
        ("addr_gen_mode", "1"),
        ("accept_redirects", "0"),
    ] {
        sysctl::set_if_there(&format!("ipv6/conf/{name}/{setting}"), value)?;
    }
    Ok(())
}
