//! IPv4 subnets of networks, with or without a range.
//!
//! `10.1.1.0/24`, `10.1.1.1/24` (the same), or `10.1.1.10-10.1.5.254/16`: those of the
//! subnet's addresses that the network may give.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Ipv4Range;
use crate::invalid::Invalid;

const FIELD: &str = "subnet";
const WIDEST: u8 = 8;
const NARROWEST: u8 = 31;

/// An IPv4 subnet, and those of its addresses that its network uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub net: Ipv4Net,
    /// The part that the network is limited to; all of the subnet when absent.
    pub range: Option<Ipv4Range>,
}

impl Subnet {
    /// The addresses that belong to the network alone: its range, or the whole subnet.
    pub fn claimed(&self) -> Ipv4Range {
        self.range.unwrap_or(Ipv4Range {
            first: self.net.network(),
            last: self.net.broadcast(),
        })
    }

    /// The addresses that endpoints may have: the claimed ones without the subnet's first
    /// and last address. A /31 has neither (RFC 3021). None when nothing is left.
    pub fn usable(&self) -> Option<Ipv4Range> {
        let Ipv4Range { first, last } = self.claimed();
        if self.net.prefix_len() >= NARROWEST {
            return Some(Ipv4Range { first, last });
        }
        let lowest = self.net.network().to_bits() + 1;
        let highest = self.net.broadcast().to_bits() - 1;
        let first = Ipv4Addr::from_bits(first.to_bits().max(lowest));
        let last = Ipv4Addr::from_bits(last.to_bits().min(highest));
        (first <= last).then_some(Ipv4Range { first, last })
    }

    /// Whether a host could have the address: in the subnet, and neither its first nor its last.
    pub fn has_host(&self, address: Ipv4Addr) -> bool {
        let edge = address == self.net.network() || address == self.net.broadcast();
        self.net.contains(&address) && (!edge || self.net.prefix_len() >= NARROWEST)
    }

    pub(super) fn parse(text: &str) -> Result<Subnet, Invalid> {
        let refuse = |why: &str| Err(Invalid::new(FIELD, format!("{text:?} {why}")));
        if text.is_empty() {
            return Err(Invalid::new(
                FIELD,
                "is empty; give a subnet such as 10.1.2.0/24",
            ));
        }
        let form = "is not a subnet; write 10.1.2.0/24, or a range of it, 10.1.2.10-10.1.2.20/24";
        let Some((addresses, bits)) = text.split_once('/') else {
            return refuse(form);
        };
        let Some(bits) = decimal(bits) else {
            return refuse(form);
        };
        let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
        let (Ok(first), Ok(last)) = (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>()) else {
            return refuse(form);
        };
        if !(WIDEST..=NARROWEST).contains(&bits) {
            return refuse(
                "has a prefix length that networks cannot have; choose one from 8 to 31",
            );
        }
        let net = Ipv4Net::new(first, bits)
            .expect("a length up to 31 is one of IPv4")
            .trunc();
        let range = addresses.contains('-').then_some(Ipv4Range { first, last });
        if first > last {
            return refuse("ends before it begins; write the lower address first");
        }
        if !net.contains(&last) {
            return refuse("is a range that leaves its subnet; widen the subnet or end earlier");
        }
        if let Some(why) = special(net) {
            return refuse(&why);
        }
        let subnet = Subnet { net, range };
        if subnet.usable().is_none() {
            return refuse("leaves no address for an endpoint; widen the range");
        }
        Ok(subnet)
    }
}

/// Addresses that no endpoint can have.
const SPECIAL: [(Ipv4Net, &str); 4] = [
    (net(0, 8), "which names no host"),
    (net(127, 8), "which every host keeps to itself"),
    (net(224, 4), "which is for multicast"),
    (net(240, 4), "which is reserved"),
];

const fn net(first: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(first, 0, 0, 0), bits)
}

/// Why no endpoint can have addresses of this subnet.
pub(super) fn special(net: Ipv4Net) -> Option<String> {
    let (special, what) = SPECIAL.iter().find(|(special, _)| special.contains(&net))?;
    Some(format!("lies in {special}, {what}; choose another subnet"))
}

/// A small decimal number without sign or leading zeros.
pub(super) fn decimal(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            Some(range) => write!(
                f,
                "{}-{}/{}",
                range.first,
                range.last,
                self.net.prefix_len()
            ),
            None => write!(f, "{}", self.net),
        }
    }
}

#[cfg(test)]
mod tests;
