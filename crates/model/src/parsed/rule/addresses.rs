//! The addresses that a rule names.
//!
//! `a.b.c.d`, `a.b.c.d/len`, `a.b.c.d-N` (the last octet ends at N), `a.b.c.d-e.f.g.h`,
//! and the same in IPv6 but for the third; any number of them, separated by commas.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use contiv_ipam::{Family, RangeSet, bits};
use ipnet::IpNet;

use crate::agent::AddressRange;
use crate::invalid::Invalid;
use crate::parsed::list::{Item, items};
use crate::parsed::subnet::decimal;

const FORM: &str = "is not an address; write 10.1.2.3, 10.1.2.0/24, 10.1.2.3-9, \
                    10.1.2.3-10.1.4.5, 2001:db8::1 or 2001:db8::/64";

/// A set of addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    ipv4: RangeSet,
    ipv6: RangeSet,
}

impl Addresses {
    /// The addresses that the field lists; none when it is empty.
    pub fn parse(field: &'static str, text: &str) -> Result<Addresses, Invalid> {
        let mut all = Addresses::default();
        for item in items(text) {
            all.insert(range(field, item)?);
        }
        Ok(all)
    }

    /// These addresses without the exceptions that another field lists. Each of those must
    /// lie inside, and something must be left: no address would mean any.
    pub fn without(
        &self,
        (name, listed): (&'static str, &str),
        (field, text): (&'static str, &str),
    ) -> Result<Addresses, Invalid> {
        let mut rest = self.clone();
        for item in items(text) {
            let AddressRange { first, last } = range(field, item)?;
            if listed.is_empty() {
                let why = format!(
                    "is an exception to nothing; give {name} as well, such as 0.0.0.0/0 for every \
                     IPv4 address"
                );
                return Err(item.refuse(field, &why));
            }
            let (first_bits, last_bits) = (bits(first), bits(last));
            if !self.family(first).contains_range(first_bits, last_bits) {
                let why = format!("does not lie inside of {name} {listed:?}; leave it out");
                return Err(item.refuse(field, &why));
            }
            rest.family_mut(first).remove(first_bits, last_bits);
        }
        if rest.is_empty() && !self.is_empty() {
            let message = format!("{text:?} leaves nothing of {name} {listed:?}; except less");
            return Err(Invalid::new(field, message));
        }
        Ok(rest)
    }

    pub fn insert(&mut self, AddressRange { first, last }: AddressRange) {
        self.family_mut(first).insert(bits(first), bits(last));
    }

    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// In order, IPv4 first; they neither meet nor touch.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> + '_ {
        let of = |set: &'_ RangeSet, family: Family| {
            let range = move |(first, last)| AddressRange {
                first: family.address(first),
                last: family.address(last),
            };
            set.ranges().map(range).collect::<Vec<_>>()
        };
        let both = [of(&self.ipv4, Family::Ipv4), of(&self.ipv6, Family::Ipv6)];
        both.into_iter().flatten()
    }

    fn family(&self, of: IpAddr) -> &RangeSet {
        match of {
            IpAddr::V4(_) => &self.ipv4,
            IpAddr::V6(_) => &self.ipv6,
        }
    }

    fn family_mut(&mut self, of: IpAddr) -> &mut RangeSet {
        match of {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6,
        }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, AddressRange { first, last }) in self.ranges().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match first == last {
                true => write!(f, "{first}")?,
                false => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

fn range(field: &'static str, item: Item<'_>) -> Result<AddressRange, Invalid> {
    match form(item.text) {
        None => Err(item.refuse(field, FORM)),
        Some(range) if range.first > range.last => Err(item.refuse(
            field,
            "ends before it begins; write the lower address first",
        )),
        Some(range) => Ok(range),
    }
}

fn form(text: &str) -> Option<AddressRange> {
    if let Some((_, bits)) = text.split_once('/') {
        decimal(bits)?;
        let net: IpNet = text.parse().ok()?;
        return Some(AddressRange {
            first: net.network(),
            last: net.broadcast(),
        });
    }
    let Some((first, last)) = text.split_once('-') else {
        let address: IpAddr = text.parse().ok()?;
        return Some(AddressRange {
            first: address,
            last: address,
        });
    };
    let first: IpAddr = first.parse().ok()?;
    let last = match (first, decimal(last)) {
        (IpAddr::V4(first), Some(octet)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, octet))
        }
        _ => last.parse().ok()?,
    };
    (first.is_ipv4() == last.is_ipv4()).then_some(AddressRange { first, last })
}

#[cfg(test)]
mod tests;
