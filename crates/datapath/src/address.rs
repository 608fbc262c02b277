//! Addresses as the kernel's tables hold them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_datapath_abi::{Address, mapped, unmapped};

/// Sixteen bytes, IPv4 in its mapped form.
pub(crate) fn bytes(ip: IpAddr) -> Address {
    match ip {
        IpAddr::V4(ip) => of_v4(ip),
        IpAddr::V6(ip) => ip.octets(),
    }
}

pub(crate) fn of_v4(ip: Ipv4Addr) -> Address {
    mapped(ip.octets())
}

/// Whether these are the bytes of an IPv4 address.
pub(crate) fn is_v4(address: &Address) -> bool {
    *address == mapped(unmapped(address))
}

/// The IPv6 address, unless it is all zero, which stands for none.
pub(crate) fn ipv6(address: Address) -> Option<Ipv6Addr> {
    (address != Address::default()).then(|| Ipv6Addr::from(address))
}
