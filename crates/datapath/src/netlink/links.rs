//! Links: all of them, veth pairs, and their state.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    LinkXdp,
};

use super::{Netlink, fine_if};

/// A link as far as it concerns the data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: [u8; 6],
    pub(crate) mtu: u32,
    pub(crate) up: bool,
    /// The other end is up as well.
    pub(crate) carrier: bool,
    /// Without address resolution.
    pub(crate) noarp: bool,
    /// `veth`, `bridge`, …; empty for a device.
    pub(crate) kind: String,
    /// UDP port of a VXLAN device.
    pub(crate) vxlan_port: Option<u16>,
    /// A VXLAN device that is told of each packet where it goes.
    pub(crate) per_packet: bool,
    /// A note that stays with the link: the endpoint's id.
    pub(crate) alias: String,
    /// The other end of a pair, by index, if it is in the same namespace.
    pub(crate) peer: Option<u32>,
    /// Number of the XDP program that sees what arrives before anybody else.
    pub(crate) xdp: Option<u32>,
}

/// A veth pair to make; both ends are down at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VethSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) peer: &'a str,
    pub(crate) peer_mac: Option<[u8; 6]>,
    pub(crate) mtu: u32,
}

impl Netlink {
    /// Every link of the namespace, by index.
    pub(crate) fn links(&mut self) -> io::Result<Vec<Link>> {
        let answers = self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(link(message)),
            _ => None,
        });
        Ok(links.collect())
    }

    /// The link of that name, if there is one.
    pub(crate) fn link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let flags = netlink_packet_core::NLM_F_REQUEST | netlink_packet_core::NLM_F_ACK;
        match self.exchange(RouteNetlinkMessage::GetLink(message), flags) {
            Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(link(message)),
                _ => None,
            })),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a veth pair.
    pub(crate) fn add_veth(&mut self, spec: &VethSpec<'_>) -> io::Result<()> {
        let end = |name: &str, mac: Option<[u8; 6]>| {
            let mut message = LinkMessage::default();
            message
                .attributes
                .push(LinkAttribute::IfName(name.to_owned()));
            message.attributes.push(LinkAttribute::Mtu(spec.mtu));
            if let Some(mac) = mac {
                message
                    .attributes
                    .push(LinkAttribute::Address(mac.to_vec()));
            }
            message
        };
        let mut message = end(spec.name, spec.mac);
        let peer = InfoVeth::Peer(end(spec.peer, spec.peer_mac));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(peer)),
        ]));
        self.act(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Makes a VXLAN device, down, that is told of each packet where it goes.
    pub(crate) fn add_vxlan(&mut self, name: &str, port: u16) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let data = InfoData::Vxlan(vec![
            InfoVxlan::CollectMetadata(true),
            InfoVxlan::Learning(false),
            InfoVxlan::Port(port),
        ]);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vxlan),
            LinkInfo::Data(data),
        ]));
        self.act(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Brings a link up, with address resolution or without, and notes `alias` unless empty.
    pub(crate) fn set_up(&mut self, index: u32, noarp: bool, alias: &str) -> io::Result<()> {
        let mut flags = LinkFlags::Up;
        if noarp {
            flags |= LinkFlags::Noarp;
        }
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.header.change_mask = flags;
        if !alias.is_empty() {
            message
                .attributes
                .push(LinkAttribute::IfAlias(alias.to_owned()));
        }
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Notes something with a link; nothing, if it is empty.
    pub(crate) fn set_alias(&mut self, index: u32, alias: &str) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let alias = LinkAttribute::IfAlias(alias.to_owned());
        message.attributes.push(alias);
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Sets the largest packet of a link.
    pub(crate) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Moves a link, which goes down by that, to the namespace that the descriptor stands for.
    pub(crate) fn move_link(&mut self, index: u32, to: BorrowedFd<'_>) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message
            .attributes
            .push(LinkAttribute::NetNsFd(to.as_raw_fd()));
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Gives a link that is down another name.
    pub(crate) fn rename_link(&mut self, index: u32, name: &str) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Deletes a link and its pair.
    pub(crate) fn delete_link(&mut self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        fine_if(
            self.act(RouteNetlinkMessage::DelLink(message), 0),
            &[libc::ENODEV],
        )
    }
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        noarp: message.header.flags.contains(LinkFlags::Noarp),
        ..Link::default()
    };
    let mut elsewhere = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = alias,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Link(index) => link.peer = Some(index),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().unwrap_or_default(),
            LinkAttribute::Xdp(facts) => {
                link.xdp = facts.iter().find_map(|fact| match fact {
                    LinkXdp::ProgId(id) => Some(*id),
                    _ => None,
                });
            }
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
                link.kind = kind.unwrap_or_default();
                note_vxlan(&mut link, &infos);
            }
            _ => {}
        }
    }
    if elsewhere || link.kind != "veth" {
        link.peer = None;
    }
    link
}

fn note_vxlan(link: &mut Link, infos: &[LinkInfo]) {
    for info in infos {
        let LinkInfo::Data(InfoData::Vxlan(facts)) = info else {
            continue;
        };
        for fact in facts {
            match fact {
                InfoVxlan::Port(port) => link.vxlan_port = Some(*port),
                InfoVxlan::CollectMetadata(set) => link.per_packet = *set,
                _ => {}
            }
        }
    }
}
