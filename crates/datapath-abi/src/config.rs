//! What is the same for all endpoints of a host.

use crate::{Address, Plain, Words};

/// The link address of every gateway, towards containers and towards the host.
pub const GATEWAY_MAC: [u8; 6] = [0x02, 0x63, 0x6f, 0x6e, 0x74, 0x76];

/// IPv6 form of private addresses: this prefix, a unique local one, then the four bytes of the
/// private IPv4 address: `fd63:6f6e:7469:7600::/96`.
pub const PRIVATE_V6: [u8; 12] = [0xfd, 0x63, 0x6f, 0x6e, 0x74, 0x69, 0x76, 0, 0, 0, 0, 0];

/// The tenant that the host itself is an endpoint of.
pub const DEFAULT_TENANT: u32 = 1;

/// The host's settings. 44 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Config {
    /// The private subnet's address. An endpoint's private address is this plus its slot.
    pub private_base: [u8; 4],
    pub private_mask: [u8; 4],
    /// Interface index of `contiv1`.
    pub host_link: u32,
    /// Link address of `contiv0`.
    pub host_mac: [u8; 6],
    /// The tunnel's UDP port, to which no endpoint may send outside of its networks; 0 for none.
    pub tunnel_port: u16,
    /// Interface index of [`TUNNEL_LINK`](crate::programs::TUNNEL_LINK); 0 for none.
    pub tunnel_link: u32,
    /// This host's end of the tunnel.
    pub tunnel_address: Words,
    /// [`TUNNEL_V6`](Self::TUNNEL_V6), [`FLOOD`](Self::FLOOD), added up.
    pub flags: u32,
}

impl Plain for Config {}

impl Config {
    /// Ends of tunnels are IPv6 addresses.
    pub const TUNNEL_V6: u32 = 1;
    /// What is for all of a network goes to its members on other hosts, too.
    pub const FLOOD: u32 = 2;

    /// The slot whose private address this is, in either form.
    #[inline(always)]
    pub fn slot_of(&self, address: &Address) -> Option<u32> {
        let v4 = private_v4(address)?;
        let mask = u32::from_be_bytes(self.private_mask);
        let bits = u32::from_be_bytes(v4);
        (mask != 0 && bits & mask == u32::from_be_bytes(self.private_base)).then_some(bits & !mask)
    }

    /// The private IPv4 address of a slot.
    #[inline(always)]
    pub fn private_address(&self, slot: u32) -> [u8; 4] {
        (u32::from_be_bytes(self.private_base) + slot).to_be_bytes()
    }
}

/// The private IPv6 address that embeds a private IPv4 address.
#[inline(always)]
pub fn private_v6(v4: [u8; 4]) -> Address {
    let mut address = [0; 16];
    address[..12].copy_from_slice(&PRIVATE_V6);
    address[12..].copy_from_slice(&v4);
    address
}

/// The IPv4 address in a mapped or a private IPv6 address.
#[inline(always)]
fn private_v4(address: &Address) -> Option<[u8; 4]> {
    let [.., a, b, c, d] = *address;
    let v4 = [a, b, c, d];
    (*address == crate::mapped(v4) || *address == private_v6(v4)).then_some(v4)
}

const _: () = assert!(size_of::<Config>() == 44);
