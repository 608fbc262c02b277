//! What things are called, and for a while what they were called.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use contiv_model::agent::{EventEnd, FabricEvent};

use crate::docker::Observed;
use crate::mirror::Mirror;

/// Packets of what has gone are still met for a moment, and events wait to be read.
const MEMORY: Duration = Duration::from_secs(60);

/// Names of tenants, rules and endpoints.
#[derive(Debug, Default)]
pub(super) struct Names {
    host: String,
    /// Counts refreshments.
    round: u64,
    tenants: BTreeMap<u32, Known<String>>,
    rules: BTreeMap<u32, Known<String>>,
    /// By the tenant's number and the address.
    ends: BTreeMap<(u32, IpAddr), Known<EventEnd>>,
}

#[derive(Debug)]
struct Known<T> {
    name: T,
    /// The last refreshment that knew it.
    round: u64,
    gone: Option<Instant>,
}

impl Names {
    pub(super) fn new(host: &str) -> Names {
        Names {
            host: host.to_owned(),
            ..Names::default()
        }
    }

    /// Takes in what there is, and forgets what went some time ago.
    pub(super) fn refresh(&mut self, mirror: &Mirror, observed: &Observed, now: Instant) {
        self.round += 1;
        let round = self.round;
        let mut numbers = BTreeMap::new();
        for tenant in mirror.tenants() {
            numbers.insert(tenant.name.as_str(), tenant.number);
            put(&mut self.tenants, tenant.number, round, || {
                tenant.name.clone()
            });
        }
        for rule in mirror.rules() {
            put(&mut self.rules, rule.number, round, || {
                format!("{}:{}:{}", rule.tenant, rule.policy, rule.id)
            });
        }
        for endpoint in mirror.endpoints() {
            let Some(tenant) = numbers.get(endpoint.tenant.as_str()) else {
                continue;
            };
            let container = observed.containers.get(&endpoint.id);
            let container = container.map(|facts| facts.name.clone());
            for address in endpoint.addresses() {
                let known = self.ends.get(&(*tenant, address));
                let known = known.filter(|known| known.name.endpoint == endpoint.id);
                let end = EventEnd {
                    address: Some(address),
                    port: None,
                    endpoint: endpoint.id.clone(),
                    // A container that ends is forgotten before its endpoint is.
                    container: container
                        .clone()
                        .or_else(|| known.map(|known| known.name.container.clone()))
                        .unwrap_or_default(),
                    network: endpoint.network.clone(),
                    group: endpoint.group.clone().unwrap_or_default(),
                    host: endpoint.host.clone(),
                };
                let known = Known {
                    name: end,
                    round,
                    gone: None,
                };
                self.ends.insert((*tenant, address), known);
            }
        }
        forget(&mut self.tenants, round, now);
        forget(&mut self.rules, round, now);
        forget(&mut self.ends, round, now);
    }

    /// The name of a tenant; empty when it is not known.
    pub(super) fn tenant(&self, number: u32) -> String {
        let known = self.tenants.get(&number);
        known.map_or_else(String::new, |known| known.name.clone())
    }

    /// `tenant:policy:rule`, or words for what is built in.
    pub(super) fn rule(&self, number: u32) -> String {
        match number {
            0 => String::new(),
            1 => "default".into(),
            2 => "fabric".into(),
            3 => "default-deny-in".into(),
            4 => "default-deny-out".into(),
            _ => match self.rules.get(&number) {
                Some(known) => known.name.clone(),
                None => format!("rule {number}"),
            },
        }
    }

    /// Whoever has an address in a tenant; at least the address.
    pub(super) fn end(&self, tenant: u32, address: IpAddr) -> EventEnd {
        match self.ends.get(&(tenant, address)) {
            Some(known) => known.name.clone(),
            None => EventEnd {
                address: Some(address),
                ..EventEnd::default()
            },
        }
    }

    /// Whether an end is an endpoint of this host whose container's name is not known yet.
    pub(super) fn lacks_container(&self, event: &FabricEvent) -> bool {
        let lacks = |end: &EventEnd| end.host == self.host && end.container.is_empty();
        lacks(&event.from) || lacks(&event.to)
    }
}

/// Notes that there is such a number; what it names never changes.
fn put<T>(map: &mut BTreeMap<u32, Known<T>>, key: u32, round: u64, name: impl FnOnce() -> T) {
    let known = map.entry(key).or_insert_with(|| Known {
        name: name(),
        round,
        gone: None,
    });
    (known.round, known.gone) = (round, None);
}

fn forget<K: Ord, T>(map: &mut BTreeMap<K, Known<T>>, round: u64, now: Instant) {
    map.retain(|_, known| {
        known.round == round || {
            let gone = *known.gone.get_or_insert(now);
            now.saturating_duration_since(gone) < MEMORY
        }
    });
}

#[cfg(test)]
mod tests {
    use contiv_model::agent::{EndpointView, HostObject, Mac, Revision, StreamMessage, TenantView};

    use super::*;
    use crate::docker::ContainerFacts;

    fn mirror(endpoint: Option<&str>) -> Mirror {
        let tenant = HostObject::Tenant(TenantView {
            uid: "u".into(),
            name: "blue".into(),
            number: 7,
        });
        let endpoint = endpoint.map(|id| {
            HostObject::Endpoint(EndpointView {
                id: id.into(),
                tenant: "blue".into(),
                network: "n".into(),
                group: Some("g".into()),
                host: "here".into(),
                ipv4: "10.0.0.1".parse().unwrap(),
                ipv6: None,
                mac: Mac::default(),
            })
        });
        let mut mirror = Mirror::default();
        mirror.apply(StreamMessage::Snapshot {
            revision: Revision::default(),
            objects: std::iter::once(tenant).chain(endpoint).collect(),
        });
        mirror
    }

    fn observed(endpoint: &str, name: &str) -> Observed {
        let facts = ContainerFacts {
            name: name.into(),
            ..ContainerFacts::default()
        };
        Observed {
            containers: BTreeMap::from([(endpoint.to_owned(), facts)]),
            ..Observed::default()
        }
    }

    #[test]
    fn an_endpoint_that_has_just_gone_has_its_names() {
        let (address, begin) = ("10.0.0.1".parse().unwrap(), Instant::now());
        let mut names = Names::new("here");
        names.refresh(&mirror(Some("e1")), &Observed::default(), begin);
        let event = |names: &Names| FabricEvent {
            to: names.end(7, address),
            ..FabricEvent::default()
        };
        assert!(names.lacks_container(&event(&names)));
        names.refresh(&mirror(Some("e1")), &observed("e1", "web"), begin);
        assert!(!names.lacks_container(&event(&names)));
        // The engine forgets it first, then the master.
        names.refresh(&mirror(Some("e1")), &Observed::default(), begin);
        // Nothing has changed for a long time before.
        let later = begin + 2 * MEMORY;
        names.refresh(&mirror(None), &Observed::default(), later);
        let end = names.end(7, address);
        assert_eq!(
            (end.endpoint.as_str(), end.container.as_str()),
            ("e1", "web")
        );
        assert_eq!(
            (end.group.as_str(), names.tenant(7).as_str()),
            ("g", "blue")
        );
        // Its address is another's now, of which nothing else is known.
        names.refresh(&mirror(Some("e2")), &Observed::default(), later);
        assert_eq!(names.end(7, address).container, "");
        names.refresh(&mirror(None), &Observed::default(), later);
        assert_eq!(names.end(7, address).endpoint, "e2");
        names.refresh(&mirror(None), &Observed::default(), later + MEMORY);
        assert_eq!(names.end(7, address).endpoint, "");
        assert_eq!(names.end(7, address).address, Some(address));
    }

    #[test]
    fn rules_have_names_whatever_their_number() {
        let names = Names::default();
        assert_eq!(names.rule(0), "");
        assert_eq!(names.rule(3), "default-deny-in");
        assert_eq!(names.rule(99), "rule 99");
    }
}
