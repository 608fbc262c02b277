//! A container's end of a link, given to a container that has lost its own.
//!
//! Engines move the end of a new endpoint themselves. But somebody may delete a link, on the host
//! or in the container, and no engine minds. The pair is then made anew, and its end goes where
//! the old one was: under a name that engines give, with the same addresses, and with the ways
//! that went with it. Until all of that is done the end bears its endpoint's id, by which a later
//! agent goes on where an earlier one was ended.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;

use crate::names::link_names;
use crate::netlink::Netlink;
use crate::{Error, Plane, sysctl};

/// What engines name the interfaces of containers by.
const PREFIX: &str = "eth";

/// How a container's end is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Its address, with the length of the network's prefix.
    pub ipv4: Ipv4Net,
    pub ipv6: Option<Ipv6Net>,
    /// The way to everywhere, unless the container has another one.
    pub gateway: Option<Ipv4Addr>,
    pub ipv6_gateway: Option<Ipv6Addr>,
}

impl Plane {
    /// Moves the container's end of an endpoint's link, if it is beside the host's end, to the
    /// network namespace `sandbox`, and sets it up there, if that is not done; answers with the
    /// name that it got.
    ///
    /// What fails after the move is undone: the pair goes, and the next [`apply`](Self::apply)
    /// makes it anew.
    pub fn hand_over(
        &mut self,
        id: &str,
        sandbox: OwnedFd,
        end: &ContainerEnd,
    ) -> Result<Option<String>, Error> {
        let (_, peer) = link_names(id);
        let what = format!("give {peer} back to its container");
        let handed = self.hand(id, &peer, sandbox, end.clone());
        handed.map_err(Error::netlink(what))
    }

    fn hand(
        &mut self,
        id: &str,
        peer: &str,
        sandbox: OwnedFd,
        end: ContainerEnd,
    ) -> io::Result<Option<String>> {
        if is_here(&sandbox)? {
            return Err(io::Error::other("its namespace is the host's own"));
        }
        // One that is not here was moved by an agent that has ended meanwhile, or by an engine.
        if let Some(link) = self.netlink.link(peer)? {
            self.netlink.set_alias(link.index, id)?;
            self.netlink.move_link(link.index, sandbox.as_fd())?;
        }
        let id = id.to_owned();
        // A thread of its own: it does not come back from the container's namespace.
        let inside = std::thread::spawn(move || {
            setns(sandbox, CloneFlags::CLONE_NEWNET)?;
            settle_in(&mut Netlink::open()?, &id, &end)
        });
        let settled = inside.join();
        settled.unwrap_or_else(|_| Err(io::Error::other("the thread in its namespace panicked")))
    }
}

/// Whether a namespace is the one that this thread is in.
fn is_here(sandbox: &OwnedFd) -> io::Result<bool> {
    let here = fstat(File::open("/proc/thread-self/ns/net")?)?;
    let there = fstat(sandbox)?;
    Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
}

/// Sets up what has come into the namespace that this thread is in, and bears the id.
fn settle_in(netlink: &mut Netlink, id: &str, end: &ContainerEnd) -> io::Result<Option<String>> {
    let links = netlink.links()?;
    let Some(link) = links.iter().find(|link| link.alias == id) else {
        return Ok(None);
    };
    let index = link.index;
    let name = match link.name.strip_prefix(PREFIX) {
        Some(_) => link.name.clone(),
        None => free_name(&links.iter().map(|link| link.name.as_str()).collect()),
    };
    let set_up = set_up(netlink, index, &name, end);
    if set_up.is_err() {
        netlink.delete_link(index)?;
    }
    set_up.map(|()| Some(name))
}

fn set_up(netlink: &mut Netlink, index: u32, name: &str, end: &ContainerEnd) -> io::Result<()> {
    netlink.rename_link(index, name)?;
    // Engines leave IPv6 to those that have an address of it.
    let disabled = if end.ipv6.is_some() { "0" } else { "1" };
    sysctl::set_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), disabled)
        .map_err(io::Error::other)?;
    netlink.add_address_of_prefix(index, end.ipv4.into())?;
    if let Some(ipv6) = end.ipv6 {
        netlink.add_address_of_prefix(index, ipv6.into())?;
    }
    netlink.set_up(index, false, "")?;
    let routes = netlink.routes()?;
    let has_default = |v4: bool| {
        let mut all = routes
            .iter()
            .filter(|route| !route.local && route.link != 0);
        all.any(|route| route.to.prefix_len() == 0 && matches!(route.to, IpNet::V4(_)) == v4)
    };
    let gateways = [
        end.gateway.map(IpAddr::from),
        end.ipv6_gateway.map(IpAddr::from),
    ];
    for gateway in gateways.into_iter().flatten() {
        if !has_default(gateway.is_ipv4()) {
            netlink.add_default_route(index, gateway)?;
        }
    }
    netlink.set_alias(index, "")
}

/// The first name that no link there has: the one that has gone, unless several went.
fn free_name(taken: &BTreeSet<&str>) -> String {
    let mut names = (0..).map(|number| format!("{PREFIX}{number}"));
    let free = names.find(|name| !taken.contains(name.as_str()));
    free.expect("there are more numbers than links")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_has_gone_is_given_again() {
        let name = |taken: &[&str]| free_name(&taken.iter().copied().collect());
        assert_eq!(name(&["lo", "cc12"]), "eth0");
        assert_eq!(name(&["lo", "eth0", "eth2"]), "eth1");
    }
}
