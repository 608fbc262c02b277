//! Packets, as far as a decision needs to read them.
//!
//! Everything is read through [`Frame`], by value and with its bounds checked, so that one parser
//! serves the kernel (where a frame may lie in several pieces) and tests.

mod icmp;
mod internet;
mod neighbour;
pub mod reply;

pub use icmp::{Quote, quoted};
pub use internet::parse;
pub use neighbour::{Arp, Solicitation, arp, solicitation};

use crate::Words;
use crate::flow::FlowKey;

/// Length of an Ethernet header; everything starts behind one.
pub const ETHERNET: usize = 14;

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// What agents send each other through the tunnel to see whether it is open (IEEE 802, local
/// experimental 1): no endpoint's packet, and none that an endpoint may send.
pub const ETHERTYPE_HAIL: u16 = 0x88b5;

/// The bytes of a frame, from the link header on.
///
/// Headers are read in words and halves as they lie there, in network order: bytes would be read
/// one by one in the kernel, and put together again.
pub trait Frame {
    /// Words at an offset that is known beforehand.
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]>;
    /// Halves of words at an offset that is known beforehand.
    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]>;
    /// Words at an offset that comes from the frame itself.
    fn far_words<const N: usize>(&self, offset: usize) -> Option<[u32; N]>;
    /// Bytes at an offset that comes from the frame itself, or that is read seldom.
    fn far<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;
}

impl Frame for [u8] {
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let mut words = [0; N];
        let bytes = self.get(offset..)?.get(..N * 4)?.as_chunks().0;
        for (word, bytes) in words.iter_mut().zip(bytes) {
            *word = u32::from_ne_bytes(*bytes);
        }
        Some(words)
    }

    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let mut halves = [0; N];
        let bytes = self.get(offset..)?.get(..N * 2)?.as_chunks().0;
        for (half, bytes) in halves.iter_mut().zip(bytes) {
            *half = u16::from_ne_bytes(*bytes);
        }
        Some(halves)
    }

    fn far_words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        self.words(offset)
    }

    fn far<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }
}

/// The link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The sender's link address, see [`mac_halves`].
    pub source: [u16; 3],
    pub ethertype: u16,
}

/// Reads the link header.
#[inline(always)]
pub fn link<F: Frame + ?Sized>(frame: &F) -> Option<Link> {
    let [_, _, _, a, b, c, ethertype] = frame.halves(0)?;
    Some(Link {
        source: [a, b, c],
        ethertype: u16::from_be(ethertype),
    })
}

/// A link address as a frame's is read.
#[inline(always)]
pub const fn mac_halves(mac: &[u8; 6]) -> [u16; 3] {
    [
        u16::from_ne_bytes([mac[0], mac[1]]),
        u16::from_ne_bytes([mac[2], mac[3]]),
        u16::from_ne_bytes([mac[4], mac[5]]),
    ]
}

/// What a packet is, before anybody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// All of it, or its only fragment.
    Whole,
    /// The first fragment, which has the ports.
    FirstFragment,
    /// Another one, whose key has no ports yet.
    LaterFragment,
    /// An ICMP error; [`quoted`] says about which connection.
    Error,
    /// ICMPv6 between neighbours: solicitations, advertisements, memberships of groups.
    Neighbour,
}

/// An IPv4 or IPv6 packet. 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Packet {
    /// The direction of a connection that the packet's own headers name; or the other one, as long
    /// as the packet is [`turned`](Self::turned).
    pub key: FlowKey,
    /// Where the header behind the IP headers starts, from the frame's start.
    pub transport: u32,
    /// Names a fragmented packet, with its addresses.
    pub fragment: u32,
    /// Where the IP header starts that an error quotes; 0 for none, or as long as nobody looked.
    pub quote: u32,
    pub kind: Kind,
    pub v6: bool,
    /// IPv4's wish not to be cut into pieces, which IPv6 always has.
    pub indivisible: bool,
    pub hop_limit: u8,
    /// Flags of TCP, the type of ICMP.
    pub flags: u8,
    /// The key is that of the other direction, which is the row's.
    pub turned: bool,
    /// The kernel wants all bytes of what is passed on to be written.
    pub unused: [u8; 2],
}

impl Packet {
    /// Nothing read yet.
    pub const NONE: Packet = Packet {
        key: FlowKey {
            tenant: 0,
            source: Words([0; 4]),
            destination: Words([0; 4]),
            source_port: 0,
            destination_port: 0,
            protocol: 0,
        },
        transport: 0,
        fragment: 0,
        quote: 0,
        kind: Kind::Whole,
        v6: false,
        indivisible: false,
        hop_limit: 0,
        flags: 0,
        turned: false,
        unused: [0; 2],
    };

    pub const TCP_FIN: u8 = 1;
    pub const TCP_SYN: u8 = 2;
    pub const TCP_RST: u8 = 4;
    pub const TCP_ACK: u8 = 16;

    /// Makes the key that of the connection's row.
    #[inline(always)]
    pub const fn settle(&mut self) {
        if self.key.is_turned() {
            self.key.turn();
            self.turned = true;
        }
    }

    /// Makes the key what the packet says again.
    #[inline(always)]
    pub const fn unsettle(&mut self) {
        if self.turned {
            self.key.turn();
            self.turned = false;
        }
    }

    /// The protocol of the packet's own headers; an error's key has that of its quote.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        match (self.quote, self.v6) {
            (0, _) => self.key.protocol as u8,
            (_, false) => crate::policy::ICMP,
            (_, true) => crate::policy::ICMPV6,
        }
    }

    /// Whether it says that a connection begins.
    #[inline(always)]
    pub const fn opens(&self) -> bool {
        self.key.protocol == crate::policy::TCP as u32
            && self.flags & (Self::TCP_SYN | Self::TCP_ACK) == Self::TCP_SYN
            && !matches!(self.kind, Kind::LaterFragment)
    }

    /// How it ends a TCP connection, as [`Way::tcp`](crate::flow::Way::tcp) has it.
    #[inline(always)]
    pub const fn ends(&self) -> u8 {
        if self.key.protocol != crate::policy::TCP as u32 {
            return 0;
        }
        self.flags & Self::TCP_FIN | (self.flags & Self::TCP_RST) >> 1
    }

    /// Whether it answers the beginning of a connection, or a query.
    #[inline(always)]
    pub const fn accepts(&self) -> bool {
        const BOTH: u8 = Packet::TCP_SYN | Packet::TCP_ACK;
        let is_tcp = self.key.protocol == crate::policy::TCP as u32;
        is_tcp && self.flags & BOTH == BOTH || self.is_answer()
    }

    /// Whether its destination is more than one: IPv4 multicast and broadcast, IPv6 multicast.
    /// The broadcast address of a subnet is known to its network only.
    #[inline(always)]
    pub const fn to_many(&self) -> bool {
        if self.v6 {
            self.key.destination.head() >> 24 == 0xff
        } else {
            let address = self.key.destination.tail();
            address >> 28 == 0xe || address == u32::MAX
        }
    }
}

const _: () = assert!(size_of::<Packet>() == 64);

#[cfg(test)]
mod tests;
