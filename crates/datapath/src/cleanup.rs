//! The end of it all.

use crate::error::Failures;
use crate::names::is_ours;
use crate::netlink::Netlink;
use crate::pins::Pins;
use crate::{Error, Options, firewall};

/// Removes every trace of Contiv from the calling thread's network namespace, and the pins.
///
/// Each step is taken whatever became of the others. Settings that others rely on by
/// now, such as forwarding, stay.
pub fn cleanup(options: &Options) -> Result<(), Error> {
    let mut failures = Failures::default();
    let netlink = Netlink::open().map_err(Error::netlink("open a netlink socket"));
    if let Some(mut netlink) = failures.note(netlink) {
        let links = netlink.links().map_err(Error::netlink("list links"));
        for link in failures.note(links).unwrap_or_default() {
            if ["veth", "vxlan"].contains(&link.kind.as_str()) && is_ours(&link.name) {
                let deleted = netlink.delete_link(link.index);
                failures.note(deleted.map_err(Error::netlink(format!("delete {}", link.name))));
            }
        }
    }
    failures.note(Pins::at(&options.pin_dir).remove());
    failures.note(firewall::remove());
    failures.result()
}
