//! The host's own link into the fabric: `contiv0`, with addresses and routes, and
//! `contiv1`, where programs take over what the host sends.

use std::collections::BTreeMap;

use contiv_datapath_abi::config::GATEWAY_MAC;
use ipnet::{IpNet, Ipv4Net};

use crate::attach::{Attacher, Program};
use crate::error::Failures;
use crate::footholds::is_the_kernels;
use crate::names::{DOOR, DOOR_INSIDE};
use crate::netlink::{Link, Netlink, Route, VethSpec};
use crate::private::{Private, is_host_of};
use crate::taken::Look;
use crate::{Error, sysctl};

/// Both ends, up, with programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) outside: Link,
    pub(crate) inside: Link,
    pub(crate) private: Private,
}

/// A route that the host should have, with the largest packet of its network.
pub(crate) type Wanted = BTreeMap<IpNet, u32>;

impl Door {
    /// The private subnet that is in use, chosen by this or an earlier agent.
    pub(crate) fn current(look: &Look) -> Option<Ipv4Net> {
        let link = look.links.iter().find(|link| link.name == DOOR)?;
        let mut of_door = look
            .addresses
            .iter()
            .filter(|(index, _)| *index == link.index);
        of_door.find_map(|(_, address)| is_host_of(*address))
    }

    /// Makes the pair and all that belongs to it, as far as it is not there.
    pub(crate) fn ensure(
        netlink: &mut Netlink,
        attacher: &Attacher,
        private: Private,
        mtu: u32,
    ) -> Result<Door, Error> {
        let what = |step: &str| format!("{step} {DOOR}");
        let find = |netlink: &mut Netlink| -> Result<Option<(Link, Link)>, Error> {
            let mut find = |name| netlink.link(name).map_err(Error::netlink(what("look at")));
            Ok(find(DOOR)?.zip(find(DOOR_INSIDE)?))
        };
        let (outside, inside) = match find(netlink)? {
            Some(both) => both,
            None => {
                delete_halves(netlink)?;
                let spec = VethSpec {
                    name: DOOR,
                    mac: None,
                    peer: DOOR_INSIDE,
                    peer_mac: Some(GATEWAY_MAC),
                    mtu,
                };
                netlink
                    .add_veth(&spec)
                    .map_err(Error::netlink(what("make")))?;
                find(netlink)?.ok_or_else(|| {
                    Error::netlink(what("find"))(std::io::ErrorKind::NotFound.into())
                })?
            }
        };
        for link in [&outside, &inside] {
            if link.mtu < mtu {
                netlink
                    .set_mtu(link.index, mtu)
                    .map_err(Error::netlink(what("set the MTU of")))?;
            }
        }
        settings()?;
        attacher.ensure(netlink, &inside, Program::Host)?;
        for link in [&inside, &outside] {
            // What is sent out here needs no neighbours: programs know where it goes.
            if !link.up || !link.noarp {
                netlink
                    .set_up(link.index, true, "")
                    .map_err(Error::netlink(what("bring up")))?;
            }
        }
        let door = Door {
            outside,
            inside,
            private,
        };
        door.ensure_addresses(netlink)?;
        Ok(door)
    }

    fn ensure_addresses(&self, netlink: &mut Netlink) -> Result<(), Error> {
        let wanted = self.private.host();
        let have = netlink
            .addresses()
            .map_err(Error::netlink("list addresses"))?;
        let have = have
            .into_iter()
            .filter(|(index, _)| *index == self.outside.index);
        let have: Vec<IpNet> = have.map(|(_, address)| address).collect();
        for address in &wanted {
            let possible = address.addr().is_ipv4() || sysctl::has_ipv6();
            if possible && !have.contains(address) {
                netlink
                    .add_address(self.outside.index, *address)
                    .map_err(Error::netlink(format!("give {DOOR} address {address}")))?;
            }
        }
        for old in have.iter().filter(|address| !wanted.contains(address)) {
            netlink
                .delete_address(self.outside.index, *old)
                .map_err(Error::netlink(format!("take address {old} from {DOOR}")))?;
        }
        Ok(())
    }

    /// Gives the host these routes by `contiv0`, and no other.
    ///
    /// A prefix that the host has by another way is left alone: the caller asks for none
    /// that overlaps, and one that came meanwhile must not lose its packets to us.
    pub(crate) fn ensure_routes(
        &self,
        netlink: &mut Netlink,
        have: &[Route],
        networks: &Wanted,
    ) -> Result<(), Error> {
        let [host, host_ipv6] = self.private.host();
        let route = |to: IpNet, mtu: u32| Route {
            to,
            link: self.outside.index,
            source: Some(match to {
                IpNet::V4(_) => host.addr(),
                IpNet::V6(_) => host_ipv6.addr(),
            }),
            mtu,
            gateway: false,
            via: None,
            local: false,
        };
        let mut wanted: BTreeMap<IpNet, Route> = BTreeMap::new();
        for to in [host.trunc(), host_ipv6.trunc()] {
            wanted.insert(to, route(to, 0));
        }
        for (to, mtu) in networks {
            wanted.insert(*to, route(*to, *mtu));
        }
        let mut failures = Failures::default();
        let (ours, others): (Vec<&Route>, Vec<&Route>) = have
            .iter()
            .filter(|route| !route.local)
            .partition(|route| route.link == self.outside.index);
        for old in ours.iter().copied() {
            if !is_the_kernels(old.to) && !wanted.contains_key(&old.to) {
                let what = format!("remove the route to {}", old.to);
                failures.note(netlink.delete_route(old).map_err(Error::netlink(what)));
            }
        }
        for (to, route) in wanted {
            let foreign = others.iter().any(|other| other.to == to);
            let possible = to.addr().is_ipv4() || sysctl::has_ipv6();
            if !foreign && possible && !ours.contains(&&route) {
                let what = format!("make a route to {to} by {DOOR}");
                failures.note(netlink.add_route(&route).map_err(Error::netlink(what)));
            }
        }
        failures.result()
    }
}

/// A pair of which one end has another name is not what we made.
fn delete_halves(netlink: &mut Netlink) -> Result<(), Error> {
    for name in [DOOR, DOOR_INSIDE] {
        let what = || format!("delete {name}");
        if let Some(link) = netlink.link(name).map_err(Error::netlink(what()))? {
            netlink
                .delete_link(link.index)
                .map_err(Error::netlink(what()))?;
        }
    }
    Ok(())
}

fn settings() -> Result<(), Error> {
    sysctl::set("ipv4/ip_forward", "1")?;
    for (name, value) in [
        ("forwarding", "1"),
        // Loose: answers to private addresses come from wherever the world is.
        ("rp_filter", "2"),
        ("accept_redirects", "0"),
        ("send_redirects", "0"),
        ("proxy_arp", "0"),
    ] {
        sysctl::set(&format!("ipv4/conf/{DOOR}/{name}"), value)?;
    }
    for (name, value) in [
        ("disable_ipv6", "0"),
        ("accept_ra", "0"),
        ("autoconf", "0"),
        // No link-local address: nobody there speaks to it.
        ("addr_gen_mode", "1"),
        ("accept_redirects", "0"),
    ] {
        sysctl::set_if_there(&format!("ipv6/conf/{DOOR}/{name}"), value)?;
    }
    sysctl::set_if_there(&format!("ipv6/conf/{DOOR_INSIDE}/disable_ipv6"), "1")
}
