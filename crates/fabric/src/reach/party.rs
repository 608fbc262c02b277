//! Whom the words of a request mean.
//!
//! The first of these that fits is meant, within the tenant:
//!
//! 1. `host`: the host itself, of whichever endpoint is on the other side.
//! 2. An address: the endpoint, the gateway, the host that has it; nobody in a network; the world.
//! 3. The name of a group, or of a container, or the id of an endpoint or a container, whole.
//! 4. The beginning of one of the latter, when no other begins so.
//!
//! What is both a group and a container is nobody: `group:` or `endpoint:` says which.

use std::collections::BTreeSet;
use std::net::IpAddr;

use contiv_model::agent::AddressRange;
use contiv_model::{near, reach};

use crate::image::{Image, KnownNetwork};
use crate::record::EndpointRecord;
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Who stands at one end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) group: u32,
    /// The network's number, of those that are in one.
    pub(super) network: u32,
    /// Where it has its addresses; anywhere when empty.
    pub(super) places: Vec<AddressRange>,
    pub(super) told: reach::Party,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    Endpoint,
    /// Any member that it has, or might have.
    Group,
    Host,
    Gateway,
    /// In a network, and nobody's.
    Nobody,
    #[default]
    World,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Endpoint => "endpoint",
            Kind::Group => "group",
            Kind::Host => "host",
            Kind::Gateway => "gateway",
            Kind::Nobody => "address",
            Kind::World => "world",
        }
    }
}

/// Finds whom a field of a request means.
pub(super) struct Finder<'a> {
    pub(super) image: &'a Image,
    pub(super) reports: &'a HostReports,
    pub(super) tenant: &'a str,
}

impl<'a> Finder<'a> {
    pub(super) fn find(&self, field: &str, said: &str) -> Result<Found, Refusal> {
        let mut found = match said.split_once(':') {
            Some(("group", name)) => self.group(name).ok_or(()),
            Some(("endpoint", name)) => return self.endpoints(field, said, name),
            _ if said == "host" => Ok(self.host()),
            _ => said.parse().map(|a| self.address(a)).map_err(|_| ()),
        };
        if found.is_err() && !said.is_empty() {
            let exact = self.exactly(said);
            found = match (self.group(said), exact.is_empty()) {
                (Some(_), false) => {
                    let message = format!(
                        "{said:?} is a group and an endpoint; say group:{said} or endpoint:{said}"
                    );
                    return Err(Refusal::invalid(field, message));
                }
                (Some(group), true) => Ok(group),
                (None, _) => return self.endpoints(field, said, said),
            };
        }
        match found {
            Ok(mut found) => {
                found.told.asked = said.to_owned();
                found.told.kind = found.kind.word().to_owned();
                Ok(found)
            }
            Err(()) => Err(self.unknown(field, said)),
        }
    }

    /// The one endpoint that is called so, wholly or by a beginning.
    fn endpoints(&self, field: &str, said: &str, name: &str) -> Result<Found, Refusal> {
        let mut fits = self.exactly(name);
        if fits.is_empty() && !name.is_empty() {
            fits = self.called(|of| of.starts_with(name));
        }
        match fits[..] {
            [one] => {
                let mut found = self.endpoint(one);
                found.told.asked = said.to_owned();
                Ok(found)
            }
            [] => Err(self.unknown(field, said)),
            _ => {
                let some = fits.iter().take(4);
                let some: Vec<String> = some.map(|record| self.label(record)).collect();
                let message = format!(
                    "{said:?} is the beginning of {} endpoints, such as {}; say more of it",
                    fits.len(),
                    some.join(", ")
                );
                Err(Refusal::invalid(field, message))
            }
        }
    }

    fn exactly(&self, name: &str) -> Vec<&'a EndpointRecord> {
        self.called(|of| of == name)
    }

    fn called(&self, fits: impl Fn(&str) -> bool) -> Vec<&'a EndpointRecord> {
        let endpoints = self.image.endpoints_of_tenant(self.tenant);
        let fits = |record: &&EndpointRecord| self.names(record).iter().any(|name| fits(name));
        endpoints.filter(fits).collect()
    }

    /// The endpoint's id, its container's id and its container's name.
    fn names(&self, record: &'a EndpointRecord) -> Vec<&'a str> {
        let mut names = vec![record.id.as_str()];
        let report = self.reports.hosts.get(&record.host);
        if let Some(status) = report.and_then(|report| report.endpoints.get(&record.id)) {
            names.extend([
                status.container_id.as_str(),
                status.container_name.trim_start_matches('/'),
            ]);
        }
        names
    }

    /// The container's name, or else the endpoint's id.
    fn label(&self, record: &'a EndpointRecord) -> String {
        let names = self.names(record);
        let name = names.get(2).filter(|name| !name.is_empty());
        name.unwrap_or(&names[0]).chars().take(64).collect()
    }

    pub(super) fn endpoint(&self, record: &'a EndpointRecord) -> Found {
        let key = |name: &str| format!("{}:{name}", self.tenant);
        let group = record.group.as_deref();
        let known = group.and_then(|group| self.image.group(&key(group)));
        let network = self.image.network(&key(&record.network));
        let addresses: Vec<IpAddr> = record.addresses().collect();
        Found {
            kind: Kind::Endpoint,
            group: known.map_or(0, |known| known.record.number),
            network: network.map_or(0, |known| known.record.number),
            places: addresses.iter().copied().map(single).collect(),
            told: reach::Party {
                kind: Kind::Endpoint.word().to_owned(),
                name: self.label(record),
                endpoint_id: record.id.clone(),
                group_name: group.unwrap_or_default().to_owned(),
                network_name: record.network.clone(),
                host: record.host.clone(),
                addresses: addresses.iter().map(ToString::to_string).collect(),
                ..reach::Party::default()
            },
        }
    }

    pub(super) fn group(&self, name: &str) -> Option<Found> {
        let known = self.image.group(&format!("{}:{name}", self.tenant))?;
        let network = format!("{}:{}", self.tenant, known.parsed.network);
        let network = self.image.network(&network)?;
        let v4 = known.parsed.pool.or_else(|| network.parsed.subnet.usable());
        let gateway = network.parsed.gateway.map(IpAddr::from);
        let v4 = v4.map(AddressRange::from);
        let places = without(v4.into_iter().chain(v6(network)), gateway);
        Some(Found {
            kind: Kind::Group,
            group: known.record.number,
            network: network.record.number,
            told: reach::Party {
                name: name.to_owned(),
                group_name: name.to_owned(),
                network_name: known.parsed.network.to_string(),
                addresses: places.iter().map(told).collect(),
                ..reach::Party::default()
            },
            places,
        })
    }

    fn host(&self) -> Found {
        Found {
            kind: Kind::Host,
            ..Found::default()
        }
    }

    fn address(&self, address: IpAddr) -> Found {
        let mut endpoints = self.image.endpoints_of_tenant(self.tenant);
        if let Some(record) = endpoints.find(|e| e.addresses().any(|of| of == address)) {
            return self.endpoint(record);
        }
        let mut found = Found {
            places: vec![single(address)],
            told: reach::Party {
                addresses: vec![address.to_string()],
                ..reach::Party::default()
            },
            ..Found::default()
        };
        let has = |host: &&crate::record::HostRecord| {
            host.control == Some(address) || host.tunnel == Some(address)
        };
        let network = self.image.networks_of(self.tenant);
        let network = network
            .map(|(_, known)| known)
            .find(|known| holds(known, address));
        if let Some(known) = network {
            let gateways = [
                known.parsed.gateway.map(IpAddr::from),
                known.parsed.ipv6_gateway.map(IpAddr::from),
            ];
            found.kind = match gateways.contains(&Some(address)) {
                true => Kind::Gateway,
                false => Kind::Nobody,
            };
            found.network = known.record.number;
            found.told.network_name = known.parsed.name.to_string();
        } else if let Some(host) = self.image.hosts().find(has) {
            found.kind = Kind::Host;
            found.told.host.clone_from(&host.name);
        }
        found
    }

    fn unknown(&self, field: &str, said: &str) -> Refusal {
        if said.is_empty() {
            let message = "it is missing; name an endpoint, a group, an address or host";
            return Refusal::invalid(field, message);
        }
        let tenant = self.tenant;
        let mut names: BTreeSet<String> = BTreeSet::new();
        let groups = self.image.groups_of(tenant);
        names.extend(groups.map(|(_, known)| known.parsed.name.to_string()));
        let endpoints = self.image.endpoints_of_tenant(tenant);
        names.extend(endpoints.map(|record| self.label(record)));
        let way_out = match &near(said, names.iter().map(String::as_str))[..] {
            [] => "netctl endpoint ls and netctl group ls list what there is".to_owned(),
            close => format!("did you mean {}?", close.join(", ")),
        };
        let message =
            format!("{said:?} is no endpoint, group or address of tenant {tenant}; {way_out}");
        Refusal::invalid(field, message)
    }
}

/// The addresses that endpoints of the network may have in IPv6.
fn v6(network: &KnownNetwork) -> Option<AddressRange> {
    let net = network.parsed.ipv6_subnet?;
    let first = net.network().to_bits() + u128::from(net.prefix_len() < 127);
    Some(AddressRange {
        first: IpAddr::V6(first.into()),
        last: IpAddr::V6(net.broadcast()),
    })
}

fn holds(network: &KnownNetwork, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => network.parsed.subnet.net.contains(&address),
        IpAddr::V6(address) => network
            .parsed
            .ipv6_subnet
            .is_some_and(|net| net.contains(&address)),
    }
}

/// Ranges without one address.
fn without(
    ranges: impl Iterator<Item = AddressRange>,
    address: Option<IpAddr>,
) -> Vec<AddressRange> {
    let cut = |range: AddressRange| -> Vec<AddressRange> {
        let (Some(IpAddr::V4(out)), IpAddr::V4(first), IpAddr::V4(last)) =
            (address, range.first, range.last)
        else {
            return vec![range];
        };
        if out < first || last < out {
            return vec![range];
        }
        let below = (first < out).then(|| (first.to_bits(), out.to_bits() - 1));
        let above = (out < last).then(|| (out.to_bits() + 1, last.to_bits()));
        let range = |(first, last): (u32, u32)| AddressRange {
            first: IpAddr::V4(first.into()),
            last: IpAddr::V4(last.into()),
        };
        [below, above].into_iter().flatten().map(range).collect()
    };
    ranges.flat_map(cut).collect()
}

pub(super) fn single(address: IpAddr) -> AddressRange {
    AddressRange {
        first: address,
        last: address,
    }
}

/// A range as people read it.
pub(super) fn told(range: &AddressRange) -> String {
    match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    }
}
