//! The addresses by which a case is told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contiv_datapath_abi::opening::leads_nowhere;
use contiv_model::agent::AddressRange;
use contiv_policy::Case;

use super::{Finder, Found, Kind};
use crate::reach::picture::mapped;
use crate::record::EndpointRecord;

/// Both ends of what was asked.
pub(super) struct Samples<'a> {
    pub(super) finder: &'a Finder<'a>,
    pub(super) from: &'a Found,
    pub(super) to: &'a Found,
}

/// One connection of a case.
pub(super) struct Sample {
    pub(super) from: Found,
    pub(super) to: Found,
    pub(super) addresses: (IpAddr, IpAddr),
    /// Whether these are ends that exist.
    pub(super) real: (bool, bool),
}

impl Samples<'_> {
    /// A connection of the case: between endpoints if there are such, else between addresses
    /// that could be theirs; none when nobody can have these addresses.
    pub(super) fn of(&self, case: &Case) -> Option<Sample> {
        let pairs = || case.addresses.iter();
        let best = |(from, to): &(Option<AddressRange>, Option<AddressRange>)| {
            let from = |other| self.real(self.from, from.as_ref(), other);
            let to = |other| self.real(self.to, to.as_ref(), other);
            let ((from, a), (to, b)) = both(from, to)?;
            (a.is_ipv4() == b.is_ipv4()).then_some(((from, a), (to, b)))
        };
        if let Some(((from, a), (to, b))) = pairs().find_map(best) {
            return Some(Sample {
                from,
                to,
                addresses: (a, b),
                real: (true, true),
            });
        }
        let any = |(from, to): &(Option<AddressRange>, Option<AddressRange>)| {
            let v4 = (*from).or(*to).is_none_or(|range| range.first.is_ipv4());
            let one = |(found, facing): (&Found, &Found), range: &Option<AddressRange>, other| {
                let real = self.real(found, range.as_ref(), other);
                let real = real.filter(|(_, address)| address.is_ipv4() == v4);
                match real {
                    Some((found, address)) => Some(((found, true), address)),
                    None => {
                        let address = self.likely((found, facing), range.as_ref(), v4, other)?;
                        Some(((found.clone(), false), address))
                    }
                }
            };
            let from = |other| one((self.from, self.to), from, other);
            let to = |other| one((self.to, self.from), to, other);
            both(from, to)
        };
        let (((from, first), a), ((to, second), b)) = pairs().find_map(any)?;
        Some(Sample {
            from,
            to,
            addresses: (a, b),
            real: (first, second),
        })
    }

    /// An existing one with an address in the range.
    fn real(
        &self,
        found: &Found,
        range: Option<&AddressRange>,
        other: Option<IpAddr>,
    ) -> Option<(Found, IpAddr)> {
        let fits = |address: &IpAddr| {
            range.is_none_or(|range| holds(range, *address))
                && other
                    .is_none_or(|other| other != *address && other.is_ipv4() == address.is_ipv4())
        };
        match found.kind {
            Kind::Group => {
                let key = format!("{}:{}", self.finder.tenant, found.told.group_name);
                let members = self.finder.image.endpoints_of_group(&key);
                let with = |record: &EndpointRecord| record.addresses().find(fits);
                let (record, address) = members
                    .filter_map(|record| Some((record, with(record)?)))
                    .next()?;
                Some((self.finder.endpoint(record), address))
            }
            Kind::Host if found.places.is_empty() => None,
            _ => {
                let own = found.places.iter().map(|place| place.first);
                // An endpoint may well talk to itself.
                let fits = |address: &IpAddr| {
                    range.is_none_or(|range| holds(range, *address))
                        && other.is_none_or(|other| other.is_ipv4() == address.is_ipv4())
                };
                own.into_iter().find(fits).map(|a| (found.clone(), a))
            }
        }
    }

    /// An address of the range that the end could have: none that the end that it faces has, or
    /// the latter would be taken for it.
    fn likely(
        &self,
        (found, facing): (&Found, &Found),
        range: Option<&AddressRange>,
        v4: bool,
        other: Option<IpAddr>,
    ) -> Option<IpAddr> {
        let whole = match v4 {
            true => AddressRange {
                first: Ipv4Addr::UNSPECIFIED.into(),
                last: Ipv4Addr::BROADCAST.into(),
            },
            false => AddressRange {
                first: Ipv6Addr::UNSPECIFIED.into(),
                last: Ipv6Addr::from_bits(u128::MAX).into(),
            },
        };
        let range = match (range, found.kind) {
            (Some(range), _) => *range,
            (None, Kind::Group | Kind::Nobody | Kind::Endpoint) => *found
                .places
                .iter()
                .find(|place| place.first.is_ipv4() == v4)?,
            (None, _) => whole,
        };
        let is_host = found.kind == Kind::Host;
        let network = |address: IpAddr| {
            let networks = self.finder.image.networks_of(self.finder.tenant);
            let mut networks = networks.map(|(_, known)| &known.parsed);
            networks.any(|parsed| match address {
                IpAddr::V4(address) => parsed.subnet.net.contains(&address),
                IpAddr::V6(address) => parsed.ipv6_subnet.is_some_and(|net| net.contains(&address)),
            })
        };
        let is_faced = |address: IpAddr| {
            let mut places = facing.places.iter();
            facing.kind != Kind::Group && places.any(|place| holds(place, address))
        };
        candidates(&range).into_iter().find(|address| {
            holds(&range, *address)
                && !is_faced(*address)
                && other != Some(*address)
                && !(is_host && (leads_nowhere(&mapped(*address)) || network(*address)))
        })
    }
}

/// Finds one for each end, each given the address of the other if that was found before. The
/// receiver comes first if the sender took the only address that it could have.
fn both<T>(
    from: impl Fn(Option<IpAddr>) -> Option<(T, IpAddr)>,
    to: impl Fn(Option<IpAddr>) -> Option<(T, IpAddr)>,
) -> Option<((T, IpAddr), (T, IpAddr))> {
    let forth = || {
        let sender = from(None)?;
        let receiver = to(Some(sender.1))?;
        Some((sender, receiver))
    };
    let back = || {
        let receiver = to(None)?;
        let sender = from(Some(receiver.1))?;
        Some((sender, receiver))
    };
    forth().or_else(back)
}

fn holds(range: &AddressRange, address: IpAddr) -> bool {
    range.first.is_ipv4() == address.is_ipv4() && range.first <= address && address <= range.last
}

/// Some addresses of a range: its edges, and some between.
fn candidates(range: &AddressRange) -> Vec<IpAddr> {
    match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            let some = [
                first,
                first.saturating_add(1),
                first.saturating_add(0x0a63_0001),
                last,
                first + (last - first) / 2,
                0xac10_0001,
            ];
            some.map(|bits| IpAddr::V4(bits.into())).into()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            let some = [first, first.saturating_add(1), 0x2001 << 112 | 1, last];
            some.map(|bits| IpAddr::V6(bits.into())).into()
        }
        _ => Vec::new(),
    }
}
