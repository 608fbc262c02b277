//! Held to a model that remembers who did what, in words of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
const IDS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Event {
    Request(&'static str),
    Bind(&'static str, &'static str),
    Hold(&'static str, &'static str),
    Release(&'static str),
    Expire,
    LetGo(&'static str, &'static str),
    Unbind(&'static str),
    Dropped(&'static str),
    /// From an endpoint of the host to another one.
    HandOn(&'static str, &'static str, &'static str),
}

fn event() -> impl Strategy<Value = Event> {
    let host = || select(&HOSTS[..]);
    let id = || select(&IDS[..]);
    prop_oneof![
        4 => host().prop_map(Event::Request),
        4 => (id(), host()).prop_map(|(id, host)| Event::Bind(id, host)),
        1 => (id(), host()).prop_map(|(id, host)| Event::Hold(id, host)),
        3 => host().prop_map(Event::Release),
        1 => Just(Event::Expire),
        2 => (id(), host()).prop_map(|(id, host)| Event::LetGo(id, host)),
        3 => id().prop_map(Event::Unbind),
        3 => host().prop_map(Event::Dropped),
        2 => (id(), host(), id()).prop_map(|(old, host, next)| Event::HandOn(old, host, next)),
    ]
}

/// What the world knows of one address: at most one of these is not empty, but that a host which
/// alone has flows may ask.
#[derive(Debug, Default)]
struct Model {
    asked_by: Option<&'static str>,
    /// Endpoints and their hosts.
    endpoints: BTreeMap<&'static str, &'static str>,
    /// Docker networks and their hosts.
    holders: BTreeMap<&'static str, &'static str>,
    hosts_with_flows: BTreeSet<&'static str>,
    /// The endpoint that has ended last, and its host.
    ended: Option<(&'static str, &'static str)>,
}

impl Model {
    fn free(&self) -> bool {
        self.asked_by.is_none()
            && self.endpoints.is_empty()
            && self.holders.is_empty()
            && self.hosts_with_flows.is_empty()
    }

    fn drains_only_on(&self, host: &str) -> bool {
        self.asked_by.is_none() && self.hosts_with_flows.iter().eq([&host])
    }

    /// The host may take what is free or what its engine was given.
    fn may_take(&self, host: &str) -> bool {
        self.free() || self.asked_by == Some(host)
    }

    /// Whether the call is granted, after what it does.
    fn happens(&mut self, event: &Event) -> bool {
        match *event {
            Event::Request(host) => {
                if self.free() || self.drains_only_on(host) {
                    self.asked_by = Some(host);
                }
                let mut owners = self.endpoints.values().chain(self.holders.values());
                self.asked_by == Some(host) || owners.any(|owner| *owner == host)
            }
            Event::Bind(id, host) => {
                if self.may_take(host) || self.drains_only_on(host) {
                    self.asked_by = None;
                    self.hosts_with_flows.clear();
                    self.endpoints.insert(id, host);
                }
                self.endpoints.get(id) == Some(&host)
            }
            Event::Hold(id, host) => {
                if self.may_take(host) && self.hosts_with_flows.is_empty() {
                    self.asked_by = None;
                    self.holders.insert(id, host);
                }
                self.holders.get(id) == Some(&host)
            }
            Event::Release(host) => {
                self.asked_by = self.asked_by.filter(|has| *has != host);
                true
            }
            Event::Expire => {
                self.asked_by = None;
                true
            }
            Event::LetGo(id, host) => {
                self.holders.retain(|i, h| (*i, *h) != (id, host));
                true
            }
            Event::Unbind(id) => {
                if let Some(host) = self.endpoints.remove(id) {
                    self.hosts_with_flows = awaited(host);
                    self.ended = Some((id, host));
                }
                true
            }
            Event::Dropped(host) => {
                // The host was given what it had flows of: it is asked again when it gives that back.
                if self.asked_by.is_none() {
                    self.hosts_with_flows.remove(host);
                }
                true
            }
            Event::HandOn(old, host, next) => {
                let drains = !self.hosts_with_flows.is_empty() && self.ended == Some((old, host));
                let is_anothers = self.asked_by.is_some_and(|by| by != host);
                if drains && !is_anothers || self.endpoints.get(old) == Some(&host) {
                    self.hosts_with_flows.clear();
                    self.asked_by = None;
                    self.endpoints.remove(old);
                    self.endpoints.insert(next, host);
                }
                true
            }
        }
    }
}

/// The endpoint's own host, and one more that talked to it; none for endpoints of h3.
fn awaited(host: &'static str) -> BTreeSet<&'static str> {
    match host {
        "h3" => BTreeSet::new(),
        host => [host, "h3"].into(),
    }
}

/// What the address becomes, and the refusal if there was one.
fn step(current: Option<AddressState>, event: &Event) -> (Option<AddressState>, Option<Refusal>) {
    let endpoint_host = match &current {
        Some(Bound { host, .. }) => HOSTS.into_iter().find(|h| h == host),
        _ => None,
    };
    let asked = match *event {
        Event::Request(host) => AddressState::request(current.as_ref(), host, For::Engine, 7),
        Event::Bind(id, host) => AddressState::bind(current.as_ref(), id, host, For::Engine),
        Event::Hold(id, host) => AddressState::hold(current.as_ref(), id, host),
        Event::Release(host) => return (AddressState::release(current, host), None),
        Event::Expire => return (AddressState::expire(current), None),
        Event::LetGo(id, host) => return (AddressState::let_go(current, id, host), None),
        Event::Unbind(id) => {
            let hosts = endpoint_host.map(awaited).unwrap_or_default();
            let hosts = hosts.into_iter().map(String::from).collect();
            return (AddressState::unbind(current, id, hosts), None);
        }
        Event::Dropped(host) => return (AddressState::settle(current, |h| h == host), None),
        Event::HandOn(old, host, next) => {
            let handed = AddressState::hand_on(current.as_ref(), old, host, next);
            return (handed.or(current), None);
        }
    };
    match asked {
        Ok(state) => (Some(state), None),
        Err(refusal) => (current, Some(refusal)),
    }
}

fn agrees(state: Option<&AddressState>, model: &Model) {
    match state {
        None => assert!(model.free(), "{model:?}"),
        Some(Tentative { host, drains, .. }) => {
            assert_eq!(model.asked_by, Some(host.as_str()));
            assert_eq!(drains.is_none(), model.hosts_with_flows.is_empty());
        }
        Some(Bound { endpoint, host, .. }) => {
            assert_eq!(model.endpoints.get(endpoint.as_str()), Some(&host.as_str()));
        }
        Some(Auxiliary {
            docker_network: id,
            host,
        }) => {
            assert_eq!(model.holders.get(id.as_str()), Some(&host.as_str()));
        }
        Some(Draining { awaited, .. }) => {
            assert!(!awaited.is_empty() && model.asked_by.is_none());
            assert!(
                awaited
                    .iter()
                    .map(String::as_str)
                    .eq(model.hosts_with_flows.iter().copied())
            );
        }
        Some(Gateway | Reserved(_)) => unreachable!("nothing makes one of an address here"),
    }
}

proptest! {
    #[test]
    fn an_address_goes_the_way_that_the_model_goes(
        events in prop::collection::vec(event(), 0..60)
    ) {
        let (mut state, mut model) = (None, Model::default());
        for event in events {
            let granted = model.happens(&event);
            let (after, refusal) = step(state.take(), &event);
            prop_assert_eq!(granted, refusal.is_none(), "{:?}: {:?} {:?}", event, after, refusal);
            state = after;
            agrees(state.as_ref(), &model);
            // Whoever was granted an address is granted it again, and nothing moves.
            if let (true, Event::Request(_) | Event::Bind(..) | Event::Hold(..)) = (granted, &event) {
                prop_assert_eq!(step(state.clone(), &event), (state.clone(), None));
            }
        }
    }

    #[test]
    fn a_gateway_stays_one(event in event()) {
        let (after, _) = step(Some(Gateway), &event);
        prop_assert_eq!(after, Some(Gateway));
    }
}

#[test]
fn a_release_for_a_live_container_is_no_more_than_a_hint() {
    let bound = AddressState::bind(None, "e1", "h1", For::Engine).unwrap();
    assert_eq!(
        AddressState::release(Some(bound.clone()), "h1"),
        Some(bound.clone())
    );
    // The engine forgot, asks again, and is answered; another container is not.
    assert_eq!(
        AddressState::request(Some(&bound), "h1", For::Engine, 9),
        Ok(bound.clone())
    );
    let refused = AddressState::bind(Some(&bound), "e2", "h1", For::Engine).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the address belongs to endpoint e1 on host h1; choose another"
    );
}

#[test]
fn a_draining_address_names_the_hosts_that_are_awaited() {
    let bound = AddressState::bind(None, "e1", "h1", For::Engine).unwrap();
    let hosts: BTreeSet<String> = ["h1".into(), "h2".into()].into();
    let draining = AddressState::unbind(Some(bound), "e1", hosts).unwrap();
    let refused = AddressState::request(Some(&draining), "h1", For::Engine, 9).unwrap_err();
    assert!(matches!(&refused, Refusal::Draining { .. }) && refused.to_string().contains("h1, h2"));
    let one = AddressState::settle(Some(draining), |host| host == "h1").unwrap();
    assert!(AddressState::bind(Some(&one), "e2", "h1", For::Engine).is_err());
    assert!(AddressState::hold(Some(&one), "d1", "h2").is_err());
    assert_eq!(AddressState::settle(Some(one), |_| true), None);
}

#[test]
fn records_are_plain_json() {
    let state = AddressState::hold(None, "d1", "h1").unwrap();
    let json = r#"{"state":"auxiliary","dockerNetwork":"d1","host":"h1"}"#;
    assert_eq!(serde_json::to_string(&state).unwrap(), json);
    assert_eq!(serde_json::from_str::<AddressState>(json).unwrap(), state);
    assert_eq!(
        serde_json::to_string(&Gateway).unwrap(),
        r#"{"state":"gateway"}"#
    );
}

mod swarm;
