//! Fragmented packets, whose later pieces say little.

use crate::{Plain, Words};

/// Key of a fragmented packet. 44 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct FragmentKey {
    pub tenant: u32,
    pub source: Words,
    pub destination: Words,
    pub id: u32,
    /// 0 for IPv6, whose later fragments do not say.
    pub protocol: u32,
}

impl Plain for FragmentKey {}

/// What later fragments cannot say themselves. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fragment {
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u32,
    /// When the first fragment came, in ticks.
    pub seen: u32,
}

impl Plain for Fragment {}

impl Fragment {
    /// Ticks after which a fragment is an orphan.
    pub const LIFETIME: u32 = 30;
}

const _: () = {
    assert!(size_of::<FragmentKey>() == 44);
    assert!(size_of::<Fragment>() == 12);
};
