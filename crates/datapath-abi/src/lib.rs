//! What kernel and user space share: keys, values, and the decisions over them.
//!
//! - [`maps`]: the maps' names and sizes, and which key leads to which value.
//! - [`programs`]: the programs' names, and where each is attached.
//! - [`config`], [`endpoint`], [`tenant`], [`flow`], [`counter`]: keys and values.
//! - [`policy`]: the policy's tables and its verdict.
//!
//! Every key and value has a fixed layout without padding and is [`Plain`]: any
//! bytes are a value, and a value is its bytes. Addresses are 16 bytes in network
//! order, IPv4 in its mapped form; all other numbers are the processor's own.
#![no_std]

pub mod config;
pub mod counter;
pub mod endpoint;
pub mod flow;
pub mod maps;
pub mod policy;
pub mod programs;
pub mod tenant;

/// An address of either family, IPv4 as `::ffff:a.b.c.d`.
pub type Address = [u8; 16];

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
