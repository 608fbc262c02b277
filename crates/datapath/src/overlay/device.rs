//! The tunnel's link on this host: one VXLAN device for all networks and hosts.

use std::io;

use crate::attach::{Attacher, Program};
use crate::names::TUNNEL;
use crate::netlink::{Link, Netlink};
use crate::{Error, sysctl};

/// Room for any packet: programs know what each way takes, and the device does not ask.
const MTU: u32 = 65_000;

/// Makes the device with this port, as far as it is not there, and has programs take what arrives.
///
/// It comes up after its program, so that no packet passes unseen.
pub(super) fn ensure(netlink: &mut Netlink, attacher: &Attacher, port: u16) -> Result<Link, Error> {
    let what = |step: &str| format!("{step} {TUNNEL}");
    let mut found = find(netlink)?;
    if let Some(old) = &found
        && (old.vxlan_port != Some(port) || !old.per_packet)
    {
        remove(netlink)?;
        found = None;
    }
    let link = match found {
        Some(link) => link,
        None => {
            let made = netlink.add_vxlan(TUNNEL, port);
            made.map_err(|error| taken(netlink, port, error))?;
            let link = find(netlink)?;
            link.ok_or_else(|| Error::netlink(what("find"))(io::ErrorKind::NotFound.into()))?
        }
    };
    if link.mtu != MTU {
        netlink
            .set_mtu(link.index, MTU)
            .map_err(Error::netlink(what("set the MTU of")))?;
    }
    // The host itself has no business on this link.
    sysctl::set_if_there(&format!("ipv6/conf/{TUNNEL}/disable_ipv6"), "1")?;
    attacher.ensure(netlink, &link, Program::Overlay)?;
    if !link.up || !link.noarp {
        let up = netlink.set_up(link.index, true, "");
        up.map_err(|error| taken(netlink, port, error))?;
    }
    Ok(link)
}

/// The device, if there is one.
pub(super) fn find(netlink: &mut Netlink) -> Result<Option<Link>, Error> {
    netlink
        .link(TUNNEL)
        .map_err(Error::netlink(format!("look at {TUNNEL}")))
}

/// Deletes the device; fine when there is none.
pub(super) fn remove(netlink: &mut Netlink) -> Result<(), Error> {
    match find(netlink)? {
        Some(link) => netlink
            .delete_link(link.index)
            .map_err(Error::netlink(format!("delete {TUNNEL}"))),
        None => Ok(()),
    }
}

/// Why the device cannot be made or brought up; the kernel says little about ports.
fn taken(netlink: &mut Netlink, port: u16, error: io::Error) -> Error {
    let by_port = [libc::EEXIST, libc::EADDRINUSE, libc::EBUSY];
    if !error.raw_os_error().is_some_and(|e| by_port.contains(&e)) {
        return Error::netlink(format!("make {TUNNEL}"))(error);
    }
    let links = netlink.links().unwrap_or_default();
    let other = links
        .iter()
        .find(|link| link.vxlan_port == Some(port) && link.name != TUNNEL);
    let holder = match other {
        Some(link) => format!("the VXLAN device {}", link.name),
        None => "another program's socket".to_owned(),
    };
    Error::TunnelPort { port, holder }
}
