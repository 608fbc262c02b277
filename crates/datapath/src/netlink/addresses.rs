//! Addresses of links.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, fine_if};

impl Netlink {
    /// Every address of the namespace with the index of its link.
    pub(crate) fn addresses(&mut self) -> io::Result<Vec<(u32, IpNet)>> {
        let answers = self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
        let addresses = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => address(&message),
            _ => None,
        });
        Ok(addresses.collect())
    }

    /// Gives a link an address without the route to its prefix, and without asking around for it.
    pub(crate) fn add_address(&mut self, index: u32, net: IpNet) -> io::Result<()> {
        let mut message = message(index, net);
        message.attributes.push(AddressAttribute::Flags(
            AddressFlags::Nodad | AddressFlags::Noprefixroute,
        ));
        fine_if(
            self.act(
                RouteNetlinkMessage::NewAddress(message),
                NLM_F_CREATE | NLM_F_EXCL,
            ),
            &[libc::EEXIST],
        )
    }

    /// Gives a link an address with the route to its prefix, as containers have it.
    pub(crate) fn add_address_of_prefix(&mut self, index: u32, net: IpNet) -> io::Result<()> {
        let mut message = message(index, net);
        let flags = AddressAttribute::Flags(AddressFlags::Nodad);
        message.attributes.push(flags);
        fine_if(
            self.act(
                RouteNetlinkMessage::NewAddress(message),
                NLM_F_CREATE | NLM_F_EXCL,
            ),
            &[libc::EEXIST],
        )
    }

    /// Takes an address from a link.
    pub(crate) fn delete_address(&mut self, index: u32, net: IpNet) -> io::Result<()> {
        fine_if(
            self.act(RouteNetlinkMessage::DelAddress(message(index, net)), 0),
            &[libc::EADDRNOTAVAIL],
        )
    }
}

fn message(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = net.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(net.addr()));
    message
        .attributes
        .push(AddressAttribute::Address(net.addr()));
    message
}

fn address(message: &AddressMessage) -> Option<(u32, IpNet)> {
    let mut found: Option<IpAddr> = None;
    for attribute in &message.attributes {
        match attribute {
            // The peer's address on a point-to-point link, else the same as the local one.
            AddressAttribute::Address(ip) => found = found.or(Some(*ip)),
            AddressAttribute::Local(ip) => found = Some(*ip),
            _ => {}
        }
    }
    let net = IpNet::new(found?, message.header.prefix_len).ok()?;
    Some((message.header.index, net))
}
