//! Pools of addresses: those of a network, or of a group.
//!
//! 1. A network's pool has the addresses of its subnet without the first and the last one
//!    (IPv6: without the first). A /31 or a /127 has both.
//! 2. A network with a range has those of them that are in the range.
//! 3. A group with a pool of its own takes its addresses out of the network's pool.
//! 4. An address that is taken, for an endpoint or as the gateway, is not given again; the
//!    lowest free one is given first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::range_set::{self, RangeSet};
use crate::refusal::Refusal;

/// The addresses of a network or a group, each free or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPool {
    /// Which family, and how long the prefix of an endpoint's address is.
    net: IpNet,
    free: RangeSet,
    used: RangeSet,
}

impl AddressPool {
    /// The pool of a network that uses all of its subnet.
    pub fn of_subnet(net: impl Into<IpNet>) -> AddressPool {
        let net = net.into().trunc();
        let (first, last) = (number(net.network()), number(net.broadcast()));
        let mut free = RangeSet::new();
        match last - first {
            0 | 1 => free.insert(first, last),
            _ if net.addr().is_ipv4() => free.insert(first + 1, last - 1),
            _ => free.insert(first + 1, last),
        }
        AddressPool {
            net,
            free,
            used: RangeSet::new(),
        }
    }

    /// The pool of a network that uses only a range of its subnet.
    pub fn of_range(net: impl Into<IpNet>, first: IpAddr, last: IpAddr) -> AddressPool {
        let mut pool = AddressPool::of_subnet(net);
        if first.is_ipv4() == pool.is_ipv4() && last.is_ipv4() == pool.is_ipv4() {
            let (first, last) = (number(first), number(last));
            if let Some(below) = first.checked_sub(1) {
                pool.free.remove(0, below);
            }
            if let Some(above) = last.checked_add(1) {
                pool.free.remove(above, u128::MAX);
            }
        } else {
            pool.free = RangeSet::new();
        }
        pool
    }

    /// The subnet that the addresses are in.
    pub fn net(&self) -> IpNet {
        self.net
    }

    /// Whether the pool has the address, free or used.
    pub fn has(&self, address: IpAddr) -> bool {
        self.is_free(address) || self.is_used(address)
    }

    pub fn is_free(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && self.free.contains(number(address))
    }

    pub fn is_used(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && self.used.contains(number(address))
    }

    /// The lowest address that is free.
    pub fn lowest_free(&self) -> Option<IpAddr> {
        let lowest = self.free.lowest_from(0)?;
        Some(self.address(lowest))
    }

    /// Takes the lowest address that is free.
    pub fn take_lowest(&mut self) -> Result<IpAddr, Refusal> {
        let Some(address) = self.lowest_free() else {
            return Err(Refusal::AddressesSpent {
                pool: self.to_string(),
            });
        };
        self.take(address)?;
        Ok(address)
    }

    /// Takes this address.
    pub fn take(&mut self, address: IpAddr) -> Result<(), Refusal> {
        if self.is_used(address) {
            return Err(Refusal::AddressUsed { address });
        }
        if !self.is_free(address) {
            return Err(Refusal::AddressOutside {
                address,
                pool: self.to_string(),
            });
        }
        let number = number(address);
        self.free.remove(number, number);
        self.used.insert(number, number);
        Ok(())
    }

    /// Gives an address back, and says whether it was used.
    pub fn release(&mut self, address: IpAddr) -> bool {
        let used = self.is_used(address);
        if used {
            let number = number(address);
            self.used.remove(number, number);
            self.free.insert(number, number);
        }
        used
    }

    /// Takes a group's addresses out of this pool and gives them as a pool of their own; all of
    /// them must be free.
    pub fn carve(&mut self, first: IpAddr, last: IpAddr) -> Result<AddressPool, Refusal> {
        self.check_free(first, last)?;
        let (first, last) = (number(first), number(last));
        self.free.remove(first, last);
        let mut free = RangeSet::new();
        free.insert(first, last);
        Ok(AddressPool {
            net: self.net,
            free,
            used: RangeSet::new(),
        })
    }

    /// Takes a group's pool back; addresses of it that are used stay so.
    pub fn merge(&mut self, group: AddressPool) {
        for (first, last) in group.free.ranges() {
            self.free.insert(first, last);
        }
        for (first, last) in group.used.ranges() {
            self.used.insert(first, last);
        }
    }

    /// Refuses a range that is not free as a whole.
    pub fn check_free(&self, first: IpAddr, last: IpAddr) -> Result<(), Refusal> {
        let same_family = first.is_ipv4() == self.is_ipv4() && last.is_ipv4() == self.is_ipv4();
        let range = || format!("{first}-{last}");
        if !same_family || first > last {
            return Err(Refusal::RangeTaken {
                range: range(),
                pool: self.to_string(),
                taken: first,
            });
        }
        if self.free.contains_range(number(first), number(last)) {
            return Ok(());
        }
        let taken = self
            .free
            .lowest_missing_from(number(first))
            .unwrap_or(number(first));
        Err(Refusal::RangeTaken {
            range: range(),
            pool: self.to_string(),
            taken: self.address(taken),
        })
    }

    pub fn used_count(&self) -> u64 {
        u64::try_from(self.used.count()).unwrap_or(u64::MAX)
    }

    /// The used addresses, `10.1.1.1, 10.1.1.5-10.1.1.9`.
    pub fn used_text(&self) -> String {
        self.text(&self.used)
    }

    /// The free addresses, in the same form.
    pub fn free_text(&self) -> String {
        self.text(&self.free)
    }

    fn text(&self, set: &RangeSet) -> String {
        range_set::text(set, |number| self.address(number).to_string())
    }

    fn is_ipv4(&self) -> bool {
        self.net.addr().is_ipv4()
    }

    fn address(&self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.is_ipv4() => Ipv4Addr::from_bits(number).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }
}

/// An address as a member of a [`RangeSet`] of its family.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl std::fmt::Display for AddressPool {
    /// All of the pool's addresses, free or not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = self.free.clone();
        for (first, last) in self.used.ranges() {
            all.insert(first, last);
        }
        match all.is_empty() {
            true => write!(f, "{}", self.net),
            false => f.write_str(&self.text(&all)),
        }
    }
}

#[cfg(test)]
mod tests;
