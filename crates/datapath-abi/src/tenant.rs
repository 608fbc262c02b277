//! Tenants, and which addresses their networks have.

use crate::{Address, Plain};

/// Tenant numbers are below this.
pub const TENANTS: u32 = 65_536;
/// Prefixes of all tenants of a host.
pub const PREFIXES: u32 = 65_536;
/// Addresses of the host itself.
pub const HOST_ADDRESSES: u32 = 4_096;

/// A tenant's state. 16 bytes.
///
/// A change is written in two steps: first what changes (root, flags; or rows elsewhere, such as an
/// endpoint's group, a network's prefix, an address of the host), then the next generation. Programs
/// read in the opposite order, so that what is judged in between is judged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Tenant {
    /// The build of the policy's tables that is in force; 0 for no policy.
    pub root: u32,
    /// Flows of another generation are judged again.
    pub generation: u32,
    /// [`ROUTING`](Self::ROUTING) or 0.
    pub flags: u32,
    pub unused: u32,
}

impl Plain for Tenant {}

impl Tenant {
    /// The tenant's networks are routed to each other.
    pub const ROUTING: u32 = 1;
}

/// Key of a tenant's prefix. 20 bytes after the prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct PrefixKey {
    pub tenant: u32,
    /// Network bits, and zeros. An IPv4 prefix has 96 bits more than one usually says.
    pub address: Address,
}

impl Plain for PrefixKey {}

impl PrefixKey {
    /// Bits before the address, which every prefix includes.
    pub const FIXED_BITS: u32 = 32;
    /// Bits of the whole key, the prefix length of a look-up.
    pub const BITS: u32 = Self::FIXED_BITS + 128;
}

/// The network that a prefix belongs to. 32 bytes; a row per subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Network {
    pub number: u32,
    pub mtu: u32,
    /// [`NOT_FROM_HOST`](Self::NOT_FROM_HOST), [`REFUSES`](Self::REFUSES) and
    /// [`OF_HOSTS`](Self::OF_HOSTS), as far as they hold.
    pub flags: u32,
    /// 32 less the prefix's length for IPv4, by which its broadcast address is known; else 0.
    pub host_bits: u32,
    /// The gateway's address of the prefix's family, all zero for none.
    pub gateway: Address,
}

impl Plain for Network {}

impl Network {
    /// The host has no route to it: what goes to the host is translated as for the world.
    pub const NOT_FROM_HOST: u32 = 1;
    /// Whoever sends to an address that nobody has is told so at once, as if somebody with no open
    /// port had it: a Swarm gives addresses to services that nothing serves, and to tasks that are
    /// to start.
    pub const REFUSES: u32 = 2;
    /// By it hosts reach all networks of the tenant, which are separate from each other, and not
    /// from this one.
    pub const OF_HOSTS: u32 = 4;
}

const _: () = {
    assert!(size_of::<Tenant>() == 16);
    assert!(size_of::<PrefixKey>() == 20);
    assert!(size_of::<Network>() == 32);
};
