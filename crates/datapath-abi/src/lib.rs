//! What kernel and user space share: keys, values, and the decisions over them.
//!
//! - [`maps`]: the maps' names and sizes, and which key leads to which value.
//! - [`programs`]: the programs' names, and where each is attached.
//! - [`config`], [`endpoint`], [`tenant`], [`tunnel`], [`flow`], [`counter`], [`event`]: keys and
//!   values.
//! - [`packet`]: parsing, and what the fabric itself answers.
//! - [`opening`]: how a connection begins.
//! - [`policy`]: the policy's tables and its verdict.
//!
//! Every key and value has a fixed layout without padding and is [`Plain`]: any
//! bytes are a value, and a value is its bytes. Addresses are 16 bytes in network
//! order, IPv4 in its mapped form; all other numbers are the processor's own.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod config;
pub mod counter;
pub mod endpoint;
pub mod event;
pub mod flow;
pub mod maps;
pub mod opening;
pub mod packet;
pub mod policy;
pub mod programs;
pub mod tenant;
pub mod tunnel;

/// An address of either family, IPv4 as `::ffff:a.b.c.d`.
pub type Address = [u8; 16];

/// An address as four words, each of them four bytes in network order: what a packet's address is
/// read into and compared as, since the kernel's processor has no unaligned loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Words(pub [u32; 4]);

impl Words {
    /// The mapped form of an IPv4 address that was read as one word.
    #[inline(always)]
    pub const fn mapped(v4: u32) -> Words {
        Words([0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]), v4])
    }

    #[inline(always)]
    pub const fn new(address: Address) -> Words {
        // As one number and not as single bytes, of which the kernel's stack would hold each apart.
        let number = u128::from_le(u128::from_ne_bytes(address));
        Words([
            u32::from_le(number as u32),
            u32::from_le((number >> 32) as u32),
            u32::from_le((number >> 64) as u32),
            u32::from_le((number >> 96) as u32),
        ])
    }

    /// The bytes in network order.
    #[inline(always)]
    pub const fn address(self) -> Address {
        let [a, b, c, d] = self.0;
        let number = a.to_le() as u128
            | (b.to_le() as u128) << 32
            | (c.to_le() as u128) << 64
            | (d.to_le() as u128) << 96;
        number.to_le().to_ne_bytes()
    }

    /// The first four bytes, as a number.
    #[inline(always)]
    pub const fn head(self) -> u32 {
        u32::from_be(self.0[0])
    }

    /// The last four bytes, as a number: the address, if this is IPv4.
    #[inline(always)]
    pub const fn tail(self) -> u32 {
        u32::from_be(self.0[3])
    }
}

/// A key or value of a map: `repr(C)`, without padding, every bit pattern valid.
pub trait Plain: Copy + 'static {}

impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for Address {}

/// The mapped form of an IPv4 address.
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> Address {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// The IPv4 address within its mapped form.
#[inline(always)]
pub const fn unmapped(address: &Address) -> [u8; 4] {
    [address[12], address[13], address[14], address[15]]
}
