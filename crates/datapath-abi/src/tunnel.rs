//! Other hosts, their endpoints, and the tunnel to them.
//!
//! Between hosts a packet travels as its sender's program leaves it, in VXLAN: the number on the
//! wire names the network that it is for. The receiver believes nothing of it but what its own
//! tables say of the host that the packet comes from.

use crate::endpoint::SLOTS;
use crate::{Plain, Words};

/// Hosts that one host knows, at most. Index 0 is nobody's.
pub const HOSTS: u32 = 4_096;
/// Endpoints of other hosts, at most.
pub const REMOTES: u32 = 131_072;
/// Networks that are carried between hosts.
pub const VNIS: u32 = crate::endpoint::NETWORKS;

/// The tunnel's port unless another one is set (RFC 7348).
pub const PORT: u16 = 4789;
/// What the tunnel adds to an IP packet: outer IP, UDP, VXLAN and the inner link header.
pub const OVERHEAD_V4: u32 = 20 + 8 + 8 + 14;
pub const OVERHEAD_V6: u32 = 40 + 8 + 8 + 14;

/// Another host. 24 bytes; all zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HostRow {
    /// Its end of the tunnel.
    pub address: Words,
    /// Largest IP packet of an endpoint that gets there in one piece.
    pub mtu: u32,
    pub unused: u32,
}

impl Plain for HostRow {}

/// An endpoint of another host, by its slot less [`SLOTS`]. 32 bytes; all zero is none.
///
/// An endpoint that moves, or whose address becomes another one's, gets a new serial: what named
/// it before meets nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Remote {
    /// Unique among all endpoints, local and remote, that this host ever knew; 0 for none.
    pub serial: u32,
    /// Index of the host that holds it.
    pub host: u32,
    /// What its network is called on the wire.
    pub vni: u32,
    pub network: u32,
    /// By which a later agent knows whether it is still the same endpoint; programs do not ask.
    pub name: [u32; 2],
    pub mac: [u8; 6],
    pub unused: [u8; 2],
}

impl Plain for Remote {}

/// What a number on the wire stands for. 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Vni {
    pub tenant: u32,
    pub network: u32,
}

impl Plain for Vni {}

/// The hosts that hold members of a network, by index. 256 bytes.
///
/// Places behind the last host are 0. When there are more hosts than fit, none gets what is sent to
/// all, which is counted as dropped, and `count` is written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Flood {
    /// What the network is called on the wire.
    pub vni: u32,
    pub count: u32,
    pub hosts: [u32; Flood::ROOM],
}

impl Plain for Flood {}

impl Flood {
    pub const ROOM: usize = 62;
}

/// Whether a slot is that of an endpoint of another host.
#[inline(always)]
pub const fn is_remote(slot: u32) -> bool {
    slot >= SLOTS
}

const _: () = {
    assert!(size_of::<HostRow>() == 24);
    assert!(size_of::<Remote>() == 32);
    assert!(size_of::<Vni>() == 8);
    assert!(size_of::<Flood>() == 256);
};
