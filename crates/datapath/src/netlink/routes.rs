//! Routes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, fine_if};

/// A route to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) to: IpNet,
    /// The link it leaves by; 0 for none (unreachable, several next hops).
    pub(crate) link: u32,
    /// The host's address that it is used with.
    pub(crate) source: Option<IpAddr>,
    /// Largest packet that the way takes; 0 to leave it to the link.
    pub(crate) mtu: u32,
    /// By way of another machine.
    pub(crate) gateway: bool,
    /// Which that is, of the family of the prefix.
    pub(crate) via: Option<IpAddr>,
    /// A route of the kernel's own: to the host itself, broadcast or multicast.
    pub(crate) local: bool,
}

impl Netlink {
    /// Every route of every table.
    pub(crate) fn routes(&mut self) -> io::Result<Vec<Route>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let answers = self.dump(RouteNetlinkMessage::GetRoute(message))?;
            routes.extend(answers.into_iter().filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(message) => route(&message),
                _ => None,
            }));
        }
        Ok(routes)
    }

    /// Makes a prefix reachable by a link, in the place of an equal route of ours.
    pub(crate) fn add_route(&mut self, route: &Route) -> io::Result<()> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.act(RouteNetlinkMessage::NewRoute(message(route)), flags)
    }

    /// Makes a gateway the way to everywhere, as engines and people do.
    pub(crate) fn add_default_route(&mut self, link: u32, gateway: IpAddr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = match gateway {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        header.table = RouteHeader::RT_TABLE_MAIN;
        header.protocol = RouteProtocol::Boot;
        header.scope = RouteScope::Universe;
        header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Gateway(gateway.into()),
            RouteAttribute::Oif(link),
        ];
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.act(RouteNetlinkMessage::NewRoute(message), flags)
    }

    /// Removes a route.
    pub(crate) fn delete_route(&mut self, route: &Route) -> io::Result<()> {
        fine_if(
            self.act(RouteNetlinkMessage::DelRoute(message(route)), 0),
            &[libc::ESRCH, libc::ENODEV],
        )
    }
}

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match route.to {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = route.to.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = match route.to {
        IpNet::V4(_) if route.via.is_none() => RouteScope::Link,
        IpNet::V4(_) => RouteScope::Universe,
        IpNet::V6(_) => RouteScope::Universe,
    };
    message.header.kind = RouteType::Unicast;
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(route.to.network().into()));
    attributes.push(RouteAttribute::Oif(route.link));
    if let Some(via) = route.via {
        attributes.push(RouteAttribute::Gateway(via.into()));
        // The link is known to lead there, whatever addresses it has.
        message.header.flags |= RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    if let Some(source) = route.source {
        attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    if route.mtu != 0 {
        attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(route.mtu)]));
    }
    message
}

fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let mut to = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut link, mut source, mut mtu, mut gateway, mut via) = (0, None, 0, false, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address)?,
            RouteAttribute::Oif(index) => link = *index,
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Gateway(address) => (gateway, via) = (true, ip(address)),
            RouteAttribute::Via(_) => gateway = true,
            RouteAttribute::Metrics(metrics) => {
                let known = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
                mtu = known.unwrap_or(0);
            }
            _ => {}
        }
    }
    Some(Route {
        to: IpNet::new(to, header.destination_prefix_length).ok()?,
        link,
        source,
        mtu,
        gateway,
        via,
        local: matches!(
            header.kind,
            RouteType::Local | RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast
        ),
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
