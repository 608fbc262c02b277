//! Endpoints of this host, and the addresses that tenants know.

use crate::{Address, Plain};

/// Endpoints of a host, at most. Slot 0 is nobody's, slot 1 is the host's own end (`contiv0`).
pub const SLOTS: u32 = 16_384;
/// The first slot that an endpoint may have.
pub const FIRST_SLOT: u32 = 2;
/// Addresses of all tenants of a host.
pub const ADDRESSES: u32 = 262_144;
/// Networks with endpoints on a host.
pub const NETWORKS: u32 = 4_096;

/// An endpoint of this host. 56 bytes; all zero is an empty slot.
///
/// To open one: write everything with [`CLOSED`](Self::CLOSED), then its [`Target`]s and its
/// interface, then [`OPEN`](Self::OPEN). To remove one: `CLOSED`, then targets and interface, then
/// the link, then zero. The number of a removed one is never used again, so that flows and answers
/// that still name it meet nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Endpoint {
    /// Unique among all endpoints this host ever had; 0 for none.
    pub serial: u32,
    /// [`CLOSED`](Self::CLOSED), [`OPEN`](Self::OPEN) or [`OPEN_TO_HOST`](Self::OPEN_TO_HOST).
    pub state: u32,
    /// Interface index of the host's end of the link.
    pub interface: u32,
    pub tenant: u32,
    pub network: u32,
    /// 0 for none. A change needs a new generation of the tenant.
    pub group: u32,
    pub ipv4: [u8; 4],
    /// Unique on this host: the private subnet's address plus the slot.
    pub private: [u8; 4],
    /// All zero for none.
    pub ipv6: Address,
    pub mac: [u8; 6],
    pub unused: [u8; 2],
}

impl Plain for Endpoint {}

impl Endpoint {
    /// Neither sends nor receives.
    pub const CLOSED: u32 = 0;
    pub const OPEN: u32 = 1;
    /// Open, and the link's other end is the host's own: it stands in the host's namespace, which
    /// no packet enters by `bpf_redirect_peer`.
    pub const OPEN_TO_HOST: u32 = 2;
}

/// Key of an address within its tenant. 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct AddressKey {
    pub tenant: u32,
    pub address: Address,
}

impl Plain for AddressKey {}

/// Who has an address: one row per address of an endpoint, of this host or of another. 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Target {
    /// From [`SLOTS`] on it is that of a [`Remote`](crate::tunnel::Remote).
    pub slot: u32,
    pub serial: u32,
    pub network: u32,
    pub group: u32,
    pub mac: [u8; 6],
    pub unused: [u8; 2],
}

impl Plain for Target {}

/// Who gets what is sent to all of a network, by slot. 256 bytes.
///
/// Slots behind the last member are 0. A network with more local members than fit delivers no broadcast: all of it is counted as
/// dropped, and `count` is written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Members {
    pub count: u32,
    pub slots: [u32; Members::ROOM],
}

impl Plain for Members {}

impl Members {
    pub const ROOM: usize = 63;
}

const _: () = {
    assert!(size_of::<Endpoint>() == 56);
    assert!(size_of::<AddressKey>() == 20);
    assert!(size_of::<Target>() == 24);
    assert!(size_of::<Members>() == 256);
};
