//! Hosts' own interfaces in `infra` networks: one address each, for as long as both live.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use contiv_ipam::AddressState;
use contiv_model::agent::{EndpointRequest, Foothold, PoolRef};
use contiv_model::object::Network;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::given::network;
use crate::refusal::Kind;
use crate::world::{World, register};

const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn infra(name: &str, subnet: &str) -> Network {
    Network {
        nw_type: "infra".into(),
        ..network(name, subnet)
    }
}

fn make(world: &mut World, network: &Network) -> Result<(), crate::Refusal> {
    let stamp = world.stamp();
    let decision = crate::put_network(&world.image, &world.reports, &stamp, network, None)?;
    world.commit(decision.transaction).unwrap();
    Ok(())
}

fn here(world: &mut World, host: &str, boot: &str) {
    let register = register(boot, None);
    let decided = crate::register_host(&world.image, &world.reports, 1, host, &register);
    world.grant(decided);
}

/// Gives all that is lacking, as far as there are addresses.
fn give_all(world: &mut World) {
    for (network, host) in crate::lacking_footholds(&world.image) {
        if let Ok(given) = crate::give_foothold(&world.image, 1, &network, &host) {
            world.commit(given.transaction).unwrap();
        }
    }
}

/// The addresses of all footholds, by id.
fn held(world: &World) -> BTreeMap<String, Vec<IpAddr>> {
    let all = world.image.endpoints().filter(|e| Foothold::is_id(&e.id));
    all.map(|e| (e.id.clone(), e.addresses().collect()))
        .collect()
}

/// A random event in the life of hosts and networks.
#[derive(Clone, Debug)]
enum Event {
    Boot(&'static str, &'static str),
    /// A portion of the removal of a host.
    Remove(&'static str),
    CollectBoots(&'static str),
    Make(&'static str),
    Delete(&'static str),
    /// Which of those that are lacking.
    Give(prop::sample::Index),
    /// A host says that a foothold is gone.
    Forget(&'static str, &'static str),
    /// A host says, after a restore say, that it has the address with this last byte.
    Tell(&'static str, &'static str, u8),
}

fn event() -> impl Strategy<Value = Event> {
    let host = || select(HOSTS.to_vec());
    let network = || select(vec!["contivh1", "mon"]);
    prop_oneof![
        3 => (host(), select(vec!["b1", "b2"])).prop_map(|(host, boot)| Event::Boot(host, boot)),
        2 => host().prop_map(Event::Remove),
        2 => host().prop_map(Event::CollectBoots),
        3 => network().prop_map(Event::Make),
        1 => network().prop_map(Event::Delete),
        6 => any::<prop::sample::Index>().prop_map(Event::Give),
        2 => (host(), network()).prop_map(|(host, network)| Event::Forget(host, network)),
        2 => (host(), network(), 1..8u8).prop_map(|(h, n, last)| Event::Tell(h, n, last)),
    ]
}

fn id(network: &str, host: &str) -> String {
    Foothold {
        tenant: "default",
        network,
        host,
    }
    .to_string()
}

fn tell(world: &World, network: &str, host: &str, last: u8) -> crate::Decided<()> {
    let third = if network == "mon" { 8 } else { 9 };
    let request = EndpointRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: network.into(),
            group: None,
        },
        ipv4: Some([10, 1, third, last].into()),
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let decision = crate::put_endpoint(&world.image, 1, host, &id(network, host), &request)?;
    Ok(crate::Decision {
        transaction: decision.transaction,
        answer: (),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_host_has_one_address_in_a_network_while_both_live(events in vec(event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            let (before, hosts): (_, BTreeSet<String>) = (
                held(&world),
                world.image.hosts().map(|host| host.name.clone()).collect(),
            );
            let removed = match event {
                Event::Boot(host, boot) => {
                    here(&mut world, host, boot);
                    None
                }
                Event::Remove(host) => {
                    let decided = crate::collect_host(&world.image, host, None);
                    world.grant(decided);
                    Some((*host).to_owned())
                }
                Event::CollectBoots(host) => {
                    let decided = crate::collect_boots(&world.image, host);
                    world.grant(decided);
                    None
                }
                Event::Make(name) => {
                    // Six addresses for four hosts; the other network is one short.
                    let subnet = if *name == "mon" { "10.1.8.0/30" } else { "10.1.9.0/29" };
                    let _ = make(&mut world, &infra(name, subnet));
                    None
                }
                Event::Delete(name) => {
                    let decided = crate::delete_network(&world.image, &format!("default:{name}"), None);
                    if let Ok(decision) = decided {
                        world.commit(decision.transaction).unwrap();
                    }
                    None
                }
                Event::Give(which) => {
                    let lacking = crate::lacking_footholds(&world.image);
                    if !lacking.is_empty() {
                        let (network, host) = which.get(&lacking);
                        if let Ok(given) = crate::give_foothold(&world.image, 1, network, host) {
                            world.commit(given.transaction).unwrap();
                            let again = crate::give_foothold(&world.image, 1, network, host);
                            prop_assert!(again.unwrap().is_settled());
                        }
                    }
                    None
                }
                Event::Forget(host, network) => {
                    let decided = crate::delete_endpoint(&world.image, host, &id(network, host));
                    prop_assert!(decided.unwrap().is_settled());
                    None
                }
                Event::Tell(host, network, last) => {
                    if let Ok(told) = tell(&world, network, host, *last) {
                        world.commit(told.transaction).unwrap();
                    }
                    None
                }
            };
            let now = held(&world);
            for (id, addresses) in &before {
                let foothold = Foothold::parse(id).unwrap();
                let lives = world.image.network(&foothold.network_key()).is_some()
                    && removed.as_deref() != Some(foothold.host);
                if lives && hosts.contains(foothold.host) {
                    prop_assert_eq!(now.get(id), Some(addresses), "{:?}", event);
                }
            }
            let mut owners = BTreeSet::new();
            for (id, addresses) in &now {
                let foothold = Foothold::parse(id).unwrap();
                let network = world.image.network(&foothold.network_key()).unwrap().record.number;
                for address in addresses {
                    prop_assert!(owners.insert((network, *address)), "{address} twice");
                    let state = world.image.address(network, *address);
                    let bound = matches!(state, Some(AddressState::Bound { endpoint, .. }) if endpoint == id);
                    prop_assert!(bound, "{address} of {id}: {state:?}");
                }
            }
            // Nothing is left of networks that are gone.
            for owner in world.image.addresses() {
                let key = format!("{}:{}", owner.tenant, owner.network);
                prop_assert!(world.image.network(&key).is_some());
            }
        }
        // What was given up drains until all have heard; then all that there is room for is given.
        let number = world.image.number();
        let applied = HOSTS.map(|host| (host.to_owned(), number));
        let settled = crate::settle(&world.image, &applied.into(), u64::MAX);
        world.commit(settled).unwrap();
        give_all(&mut world);
        for (network, host) in crate::lacking_footholds(&world.image) {
            prop_assert_eq!(network.as_str(), "default:mon", "of {}", host);
        }
    }
}

#[test]
fn a_foothold_comes_with_the_host_and_goes_with_the_network() {
    let mut world = World::new();
    make(&mut world, &infra("contivh1", "10.1.9.0/29")).unwrap();
    assert_eq!(crate::lacking_footholds(&world.image), []);
    for host in ["h1", "h2"] {
        here(&mut world, host, "b1");
    }
    give_all(&mut world);
    let given: Vec<String> = held(&world).values().map(|a| a[0].to_string()).collect();
    assert_eq!(given, ["10.1.9.1", "10.1.9.2"]);
    // Hosts boot without losing anything.
    here(&mut world, "h1", "b2");
    let ended = crate::collect_boots(&world.image, "h1");
    world.grant(ended);
    assert_eq!(held(&world).len(), 2);
    let deleted = crate::delete_network(&world.image, "default:contivh1", None);
    world.grant(deleted);
    assert_eq!(
        (held(&world).len(), world.image.addresses().count()),
        (0, 0)
    );
}

#[test]
fn a_network_that_is_deleted_while_a_host_gets_its_address_is_deleted_anew() {
    let mut world = World::new();
    make(&mut world, &infra("contivh1", "10.1.9.0/29")).unwrap();
    here(&mut world, "h1", "b1");
    let deletion = crate::delete_network(&world.image, "default:contivh1", None).unwrap();
    let given = crate::give_foothold(&world.image, 1, "default:contivh1", "h1").unwrap();
    assert!(deletion.transaction.writes.len() > 1);
    let late = given.clone();
    world.commit(given.transaction).unwrap();
    assert!(world.commit(deletion.transaction).is_err());
    let again = crate::delete_network(&world.image, "default:contivh1", None);
    world.grant(again);
    assert!(world.commit(late.transaction).is_err());
}

#[test]
fn containers_stay_out_and_names_are_those_of_links() {
    let mut world = World::new();
    make(&mut world, &infra("contivh1", "10.1.9.0/29")).unwrap();
    make(&mut world, &network("data", "10.1.1.0/24")).unwrap();
    here(&mut world, "h1", "b1");
    let request = |network: &str| EndpointRequest {
        pool: PoolRef {
            tenant: "default".into(),
            network: network.into(),
            group: None,
        },
        ipv4: None,
        ipv6: None,
        mac: None,
        replaces: None,
        of_swarm: false,
        begins: false,
    };
    let put = |host: &str, id: &str, network: &str| {
        crate::put_endpoint(&world.image, 1, host, id, &request(network))
    };
    let refused = put("h1", "0a1b", "contivh1").unwrap_err();
    assert!(refused.message.contains("not for containers"), "{refused}");
    assert!(put("h1", &id("contivh1", "h2"), "contivh1").is_err());
    assert!(put("h1", &id("data", "h1"), "data").is_err());
    assert!(put("h1", &id("contivh1", "h1"), "contivh1").is_ok());

    let mut refuse = |name: &str, subnet: &str, tenant: &str| {
        let mut network = infra(name, subnet);
        network.tenant_name = tenant.into();
        let refusal = make(&mut world, &network).unwrap_err();
        (refusal.kind, refusal.message)
    };
    for name in ["sixteen-bytes-no", "contiv0", "lo", "cv0a"] {
        let (kind, message) = refuse(name, "10.1.7.0/24", "default");
        assert_eq!(kind, Kind::Invalid, "{name}: {message}");
    }
}

#[test]
fn what_hosts_route_to_is_apart_whosever_it_is() {
    let mut world = World::new();
    let stamp = world.stamp();
    let blue = contiv_model::object::Tenant {
        tenant_name: "blue".into(),
        ..Default::default()
    };
    let made = crate::put_tenant(&world.image, &stamp, &blue, None);
    world.grant(made);
    make(&mut world, &network("data", "10.1.0.0/16")).unwrap();
    let of_blue = |network: Network| Network {
        tenant_name: "blue".into(),
        ..network
    };
    make(&mut world, &of_blue(network("data", "10.1.0.0/17"))).unwrap();
    let hit = make(&mut world, &of_blue(infra("own", "10.1.200.0/24"))).unwrap_err();
    assert!(hit.message.contains("default:data"), "{hit}");
    make(&mut world, &of_blue(infra("own", "10.2.9.0/24"))).unwrap();
    let hit = make(&mut world, &network("more", "10.2.0.0/16")).unwrap_err();
    assert!(hit.message.contains("blue:own"), "{hit}");
    let hit = make(&mut world, &infra("own", "10.3.9.0/24")).unwrap_err();
    assert!(hit.message.contains("has the name"), "{hit}");
}
