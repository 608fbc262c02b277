//! The kernel's links as endpoints need them.

use std::io::ErrorKind;

use crate::netlink::{Link, Netlink, VethSpec};
use crate::{Error, sysctl};

/// The link of that name, if there is one.
pub(super) fn find(netlink: &mut Netlink, name: &str) -> Result<Option<Link>, Error> {
    netlink
        .link(name)
        .map_err(Error::netlink(format!("look at {name}")))
}

/// Brings the link up, and notes whose it is.
pub(super) fn up(netlink: &mut Netlink, index: u32, id: &str) -> Result<(), Error> {
    netlink
        .set_up(index, false, id)
        .map_err(Error::netlink(format!("bring up the link of {id}")))
}

/// Deletes a link and its pair.
pub(super) fn delete(netlink: &mut Netlink, link: &Link) -> Result<(), Error> {
    netlink
        .delete_link(link.index)
        .map_err(Error::netlink(format!("delete {}", link.name)))
}

/// Makes both ends, down.
pub(super) fn make_pair(netlink: &mut Netlink, spec: &VethSpec<'_>) -> Result<Link, Error> {
    let name = spec.name;
    netlink
        .add_veth(spec)
        .map_err(Error::netlink(format!("make {name}")))?;
    // The host itself has no business on this link: no addresses, nothing announced.
    sysctl::set_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    let link = find(netlink, name)?;
    link.ok_or_else(|| Error::netlink(format!("find {name}"))(ErrorKind::NotFound.into()))
}
