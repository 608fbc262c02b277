//! How a host is, as far as packets depend on it: facts for others to judge.

mod hooks;
mod kernel;
mod rules;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use hooks::{Foreign, Hook};
pub use kernel::KernelFacts;
pub use rules::DropRule;

use crate::names::{TUNNEL, endpoint_digits};
use crate::netlink::Link;
use crate::taken::Look;
use crate::{Error, Plane};

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    pub kernel: KernelFacts,
    /// Programs of others where ours run, or before them.
    pub foreign: Vec<Foreign>,
    /// Links of ours at which no program of ours runs.
    pub bare: Vec<String>,
    /// Links that are named as endpoints' are, and are no endpoint's.
    pub stray: Vec<String>,
    /// This host's end of the tunnel, if it has one.
    pub underlay: Option<UnderlayFacts>,
    /// Rules of the firewall that keep the tunnel's packets out.
    pub drops: Vec<DropRule>,
    /// UDP packets that came with a wrong checksum since the host's start.
    pub bad_checksums: u64,
}

/// This host's end of the tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlayFacts {
    pub address: IpAddr,
    pub port: u16,
    /// The link that leads to other hosts.
    pub link: String,
    pub mtu: u32,
    /// The tunnel's own link is there, and up.
    pub tunnel: bool,
    /// Whether the link's device makes checksums; none where it does not say.
    pub checksums: Option<bool>,
    /// Hosts by name.
    pub paths: BTreeMap<String, PathFacts>,
}

/// The way to another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathFacts {
    pub address: IpAddr,
    /// Largest packet that was found to pass; none before that is known.
    pub mtu: Option<u32>,
}

impl Plane {
    /// Looks at everything, and changes nothing.
    pub fn inspect(&mut self) -> Result<Inspection, Error> {
        let look = Look::take(&mut self.netlink)?;
        let known = self.endpoints.interfaces();
        let stray = stray(&look.links, &known);
        let underlay = self.underlay(&look)?;
        let watched = underlay.as_ref().map(|underlay| underlay.link.clone());
        let (foreign, bare) = self.hooks(&look.links, &known, watched.as_deref())?;
        let port = underlay.as_ref().map(|underlay| underlay.port);
        Ok(Inspection {
            kernel: kernel::facts(&self.pins, self.attacher.by_tcx()),
            foreign,
            bare,
            stray,
            drops: port.map(rules::dropping).unwrap_or_default(),
            underlay,
            bad_checksums: kernel::bad_checksums(),
        })
    }

    /// Deletes links that are named as endpoints' are and belong to none; answers with their names.
    pub fn sweep(&mut self) -> Result<Vec<String>, Error> {
        let links = self.netlink.links().map_err(Error::netlink("list links"))?;
        let strays = stray(&links, &self.endpoints.interfaces());
        for link in links.iter().filter(|link| strays.contains(&link.name)) {
            self.netlink
                .delete_link(link.index)
                .map_err(Error::netlink(format!("delete {}", link.name)))?;
        }
        Ok(strays)
    }

    fn underlay(&self, look: &Look) -> Result<Option<UnderlayFacts>, Error> {
        let Some((address, port)) = self.overlay.end()? else {
            return Ok(None);
        };
        let at = look.addresses.iter().find(|(_, net)| net.addr() == address);
        let link = at.and_then(|(index, _)| look.links.iter().find(|link| link.index == *index));
        Ok(link.map(|link| UnderlayFacts {
            address,
            port,
            link: link.name.clone(),
            mtu: link.mtu,
            tunnel: look.links.iter().any(|link| link.name == TUNNEL && link.up),
            checksums: wire::makes_checksums(&link.name),
            paths: self.overlay.paths(),
        }))
    }
}

/// Host's ends that no endpoint has.
fn stray(links: &[Link], known: &BTreeSet<String>) -> Vec<String> {
    let ends = links
        .iter()
        .filter(|link| link.name.starts_with("cv") && link.kind == "veth");
    let ends = ends.filter(|link| endpoint_digits(&link.name).is_some());
    let strays = ends.filter(|link| !known.contains(&link.name));
    strays.map(|link| link.name.clone()).collect()
}
