//! Which private subnet this host uses, and what its parts are for.
//!
//! Every endpoint has a private address: the subnet's address plus its slot. Slot 1
//! is the host itself. The lower half of the slots is for endpoints of the default
//! tenant, the upper half for guests, so that one rule tells them apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use contiv_datapath_abi::config::private_v6;
use contiv_datapath_abi::endpoint::{FIRST_SLOT, SLOTS};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::taken::{Taken, overlap};

/// The slot of the host's own end.
const HOST_SLOT: u32 = 1;

/// What stands in for a private subnet that the host uses for something else, in this order.
pub const STAND_INS: [&str; 5] = [
    "172.30.0.0/16",
    "172.29.0.0/16",
    "10.255.0.0/16",
    "192.168.240.0/20",
    "100.127.0.0/16",
];

/// A private subnet in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Private(Ipv4Net);

impl Private {
    pub(crate) fn new(subnet: Ipv4Net) -> Private {
        Private(subnet.trunc())
    }

    pub(crate) fn subnet(self) -> Ipv4Net {
        self.0
    }

    /// The IPv6 form of the subnet: a unique local prefix, then the IPv4 one.
    pub(crate) fn subnet_ipv6(self) -> Ipv6Net {
        ipv6(self.0)
    }

    /// The host's addresses in it.
    pub(crate) fn host(self) -> [IpNet; 2] {
        let v4 = self.address(HOST_SLOT);
        let v6 = Ipv6Addr::from(private_v6(v4.octets()));
        let nets = [
            Ipv4Net::new(v4, self.0.prefix_len()).map(IpNet::V4),
            Ipv6Net::new(v6, self.subnet_ipv6().prefix_len()).map(IpNet::V6),
        ];
        nets.map(|net| net.expect("prefix lengths of nets are valid"))
    }

    /// The private address of a slot.
    pub(crate) fn address(self, slot: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0.network()) + slot)
    }

    /// The slots that endpoints may have, guests or not.
    pub(crate) fn slots(self, guests: bool) -> Range<u32> {
        let half = self.room() / 2;
        if guests {
            // The last one would be the subnet's broadcast address.
            half..(self.room() - 1)
        } else {
            FIRST_SLOT.min(half)..half
        }
    }

    /// The addresses of guests, in both families.
    pub(crate) fn guests(self) -> (Ipv4Net, Ipv6Net) {
        let half = self.room() / 2;
        let bits = 32 - half.trailing_zeros() as u8;
        let net = Ipv4Net::new(self.address(half), bits).unwrap_or(self.0);
        (net, ipv6(net))
    }

    /// Slots with an address in the subnet, always a power of two.
    fn room(self) -> u32 {
        let addresses = 1_u64 << (32 - self.0.prefix_len());
        addresses.min(u64::from(SLOTS)) as u32
    }
}

fn ipv6(net: Ipv4Net) -> Ipv6Net {
    let address = Ipv6Addr::from(private_v6(net.network().octets()));
    Ipv6Net::new(address, 96 + net.prefix_len())
        .expect("96 and an IPv4 prefix length are at most 128")
}

/// The subnet to use, or none when all are taken.
///
/// 1. The one in use, while endpoints have addresses of it.
/// 2. The wanted one, unless the host or a network that the host reaches has it.
/// 3. The one in use, if nothing else took it: it stands in already.
/// 4. The first stand-in that is free.
pub(crate) fn choose(
    wanted: Ipv4Net,
    current: Option<Ipv4Net>,
    in_use: bool,
    taken: &[Taken],
    networks: &[IpNet],
) -> Option<Ipv4Net> {
    if in_use && current.is_some() {
        return current;
    }
    let free = |net: &Ipv4Net| {
        let of_host = taken.iter().any(|t| overlap(t.prefix, (*net).into()));
        let of_network = networks.iter().any(|n| overlap(*n, (*net).into()));
        !of_host && !of_network && (8..=28).contains(&net.prefix_len())
    };
    let stand_ins = STAND_INS.iter().filter_map(|text| text.parse().ok());
    [Some(wanted.trunc()), current]
        .into_iter()
        .flatten()
        .chain(stand_ins)
        .find(free)
}

/// Whether an address is the host's own in the private subnet.
pub(crate) fn is_host_of(address: IpNet) -> Option<Ipv4Net> {
    match (address, address.addr()) {
        (IpNet::V4(net), IpAddr::V4(ip)) => {
            (u32::from(ip) == u32::from(net.network()) + HOST_SLOT).then(|| net.trunc())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(prefix: &str) -> Taken {
        Taken {
            prefix: prefix.parse().unwrap(),
            by: "address of eth0".into(),
        }
    }

    #[test]
    fn the_wanted_subnet_gives_way_to_the_host_and_comes_back_when_unused() {
        let wanted: Ipv4Net = "172.19.0.0/16".parse().unwrap();
        let second: Ipv4Net = STAND_INS[0].parse().unwrap();
        let eth0 = [taken("172.16.0.0/14"), taken("192.0.2.0/24")];
        assert_eq!(choose(wanted, None, false, &[], &[]), Some(wanted));
        assert_eq!(choose(wanted, None, false, &eth0, &[]), Some(second));
        assert_eq!(choose(wanted, Some(second), true, &[], &[]), Some(second));
        assert_eq!(choose(wanted, Some(second), false, &[], &[]), Some(wanted));
        let all = [taken("0.0.0.0/1"), taken("128.0.0.0/1")];
        assert_eq!(choose(wanted, None, false, &all, &[]), None);
    }

    #[test]
    fn halves_of_the_slots_are_halves_of_the_addresses() {
        for (subnet, guests) in [
            ("172.19.0.0/16", "172.19.32.0/19"),
            ("10.0.0.0/24", "10.0.0.128/25"),
            ("10.0.0.64/28", "10.0.0.72/29"),
        ] {
            let private = Private::new(subnet.parse().unwrap());
            assert_eq!(private.guests().0, guests.parse().unwrap(), "{subnet}");
            for (is_guest, slots) in [false, true].map(|g| (g, private.slots(g))) {
                assert!(!slots.is_empty());
                for slot in [slots.start, slots.end - 1] {
                    let address = private.address(slot);
                    assert!(private.subnet().contains(&address));
                    assert_eq!(private.guests().0.contains(&address), is_guest);
                }
            }
        }
    }

    #[test]
    fn the_host_has_the_first_address() {
        let private = Private::new("172.19.0.0/16".parse().unwrap());
        let [v4, v6] = private.host();
        assert_eq!(v4, "172.19.0.1/16".parse().unwrap());
        assert_eq!(v6, "fd63:6f6e:7469:7600::ac13:1/112".parse().unwrap());
        assert_eq!(is_host_of(v4), Some(private.subnet()));
    }
}
