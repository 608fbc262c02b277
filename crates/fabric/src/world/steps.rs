//! Requests at random, in few names so that they meet.

use std::net::{IpAddr, Ipv4Addr};

use contiv_model::agent::{
    AddressRelease, AddressRequest, DockerNetwork, EndpointRequest, PoolRef,
};
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule};
use proptest::prelude::*;
use proptest::sample::select;

use super::Step;

pub(super) const TENANTS: [&str; 3] = ["default", "blue", "red"];
pub(crate) const HOSTS: [&str; 2] = ["h1", "h2"];

/// One request.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let objects = prop_oneof![
        3 => tenant().prop_map(Step::PutTenant),
        1 => tenant().prop_map(Step::DeleteTenant),
        4 => network().prop_map(|n| Step::PutNetwork(Box::new(n))),
        2 => key(&NETWORKS).prop_map(Step::DeleteNetwork),
        4 => group().prop_map(Step::PutGroup),
        2 => key(&GROUPS).prop_map(Step::DeleteGroup),
        3 => placed_policy().prop_map(Step::PutPolicy),
        1 => key(&POLICIES).prop_map(Step::DeletePolicy),
        4 => rule().prop_map(|r| Step::PutRule(Box::new(r))),
        1 => (key(&POLICIES), select(vec!["r1", "r2"]))
            .prop_map(|(policy, id)| Step::DeleteRule(format!("{policy}:{id}"))),
        1 => select(vec!["1-4", "2-5", "1-6"]).prop_map(|vlans| {
            Step::PutGlobal(Global { vlans: vlans.into(), ..Global::default() })
        }),
    ];
    let addresses = prop_oneof![
        4 => (host(), pool(), address()).prop_map(|(host, pool, address)| {
            Step::RequestAddress(host, AddressRequest { pool, ipv6: false, address, by: Default::default(), })
        }),
        2 => (host(), pool(), any_address()).prop_map(|(host, pool, address)| {
            Step::ReleaseAddress(host, AddressRelease { pool, address, by: Default::default(), })
        }),
        6 => (host(), endpoint_id(), pool(), address()).prop_map(|(host, id, pool, address)| {
            let ipv4 = address.map(|address| match address {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => unreachable!("addresses at random are IPv4"),
            });
            let request = EndpointRequest { pool, ipv4, ipv6: None, mac: None, replaces: None, of_swarm: false, begins: false, };
            Step::PutEndpoint(host, id, request)
        }),
        4 => (host(), endpoint_id()).prop_map(|(host, id)| Step::DeleteEndpoint(host, id)),
        2 => docker_network().prop_map(Step::PutDockerNetwork),
        1 => (host(), select(vec!["d1", "d2"]))
            .prop_map(|(host, id)| Step::DeleteDockerNetwork(host, id.into())),
        1 => (0u64..20).prop_map(Step::Expire),
        2 => (0u64..6, 0u64..6).prop_map(|(a, b)| Step::Settle(vec![("h1", a), ("h2", b)])),
    ];
    let hosts = prop_oneof![
        3 => (host(), select(vec!["b1", "b2"]), tunnel())
            .prop_map(|(host, boot, tunnel)| Step::Register(host, boot, tunnel)),
        2 => host().prop_map(Step::CollectBoots),
        1 => host().prop_map(Step::CollectHost),
    ];
    prop_oneof![4 => objects, 4 => addresses, 1 => hosts]
}

pub(super) const NETWORKS: [&str; 3] = ["n1", "n2", "both"];
const GROUPS: [&str; 3] = ["g1", "g2", "both"];
const POLICIES: [&str; 2] = ["p1", "p2"];

fn tenant() -> impl Strategy<Value = &'static str> {
    // The first one most of the time: what is there is to be used.
    prop_oneof![3 => Just(TENANTS[0]), 2 => Just(TENANTS[1]), 1 => Just(TENANTS[2])]
}

fn host() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(HOSTS[0]), 1 => Just(HOSTS[1])]
}

fn tunnel() -> impl Strategy<Value = Option<IpAddr>> {
    select(vec![None, Some(1), Some(2)])
        .prop_map(|last| last.map(|last| Ipv4Addr::new(192, 0, 2, last).into()))
}

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(names[0]), 1 => select(names.to_vec())]
}

fn key(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    (tenant(), name(names)).prop_map(|(tenant, name)| format!("{tenant}:{name}"))
}

/// Subnets with their gateways.
pub(super) const SUBNETS: [(&str, &str); 4] = [
    ("10.0.0.0/29", "10.0.0.6"),
    ("10.0.0.8/30", ""),
    ("10.0.0.3-10.0.0.5/29", "10.0.0.1"),
    ("10.0.0.0/28", ""),
];

fn network() -> impl Strategy<Value = Network> {
    let subnet = select(SUBNETS.to_vec());
    let encap = select(vec!["vlan", "vxlan"]);
    let tag = prop_oneof![2 => Just(0), 1 => 1..8u32];
    (tenant(), name(&NETWORKS), subnet, encap, tag, any::<bool>()).prop_map(
        |(tenant, name, (subnet, gateway), encap, pkt_tag, ipv6)| Network {
            tenant_name: tenant.into(),
            network_name: name.into(),
            encap: encap.into(),
            pkt_tag,
            subnet: subnet.into(),
            gateway: gateway.into(),
            ipv6_subnet: match ipv6 {
                true => format!("fd00:{}::/126", &name[1..2].replace('o', "3")),
                false => String::new(),
            },
            ..Network::default()
        },
    )
}

fn group() -> impl Strategy<Value = EndpointGroup> {
    let pool = select(vec!["", "", "10.0.0.2-10.0.0.3", "10.0.0.4-10.0.0.4"]);
    let policies = proptest::sample::subsequence(POLICIES.to_vec(), 0..=2);
    (tenant(), name(&GROUPS), name(&NETWORKS), pool, policies).prop_map(
        |(tenant, name, network, pool, policies)| EndpointGroup {
            tenant_name: tenant.into(),
            group_name: name.into(),
            network_name: network.into(),
            ip_pool: pool.into(),
            policies: policies.into_iter().map(str::to_owned).collect(),
            ..EndpointGroup::default()
        },
    )
}

pub(super) fn policy(key: &str) -> Policy {
    let (tenant, name) = key.split_once(':').unwrap();
    Policy {
        tenant_name: tenant.into(),
        policy_name: name.into(),
        ..Policy::default()
    }
}

fn placed_policy() -> impl Strategy<Value = Policy> {
    let tier = select(vec!["", "", "admin", "normal", "baseline"]);
    let order = select(vec![None, Some(5), Some(1000)]);
    (key(&POLICIES), tier, order).prop_map(|(key, tier, order)| Policy {
        tier: tier.into(),
        order,
        ..policy(&key)
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let peer = prop_oneof![
        Just(("", "")),
        name(&GROUPS).prop_map(|group| (group, "")),
        name(&NETWORKS).prop_map(|network| ("", network)),
    ];
    let id = select(vec!["r1", "r2"]);
    let action = select(vec!["allow", "allow", "pass"]);
    let parts = (key(&POLICIES), id, peer, 1..3u32, action);
    parts.prop_map(|(policy, id, (group, network), priority, action)| {
        let (tenant, policy) = policy.split_once(':').unwrap();
        Rule {
            tenant_name: tenant.into(),
            policy_name: policy.into(),
            rule_id: id.into(),
            direction: "in".into(),
            action: action.into(),
            from_endpoint_group: group.into(),
            from_network: network.into(),
            priority,
            ..Rule::default()
        }
    })
}

fn pool() -> impl Strategy<Value = PoolRef> {
    let group = prop_oneof![2 => Just(None), 1 => name(&GROUPS).prop_map(Some)];
    (tenant(), name(&NETWORKS), group).prop_map(|(tenant, network, group)| PoolRef {
        tenant: tenant.into(),
        network: network.into(),
        group: group.map(str::to_owned),
    })
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    (0..12u8).prop_map(|last| Ipv4Addr::new(10, 0, 0, last).into())
}

fn address() -> impl Strategy<Value = Option<IpAddr>> {
    prop_oneof![2 => Just(None), 1 => any_address().prop_map(Some)]
}

fn endpoint_id() -> impl Strategy<Value = String> {
    (0..8u8).prop_map(|n| format!("e{n}"))
}

fn docker_network() -> impl Strategy<Value = DockerNetwork> {
    let id = select(vec!["d1", "d2"]);
    let aux = proptest::collection::vec(any_address(), 0..2);
    (host(), id, pool(), aux).prop_map(|(host, id, pool, aux_addresses)| DockerNetwork {
        id: id.into(),
        host: host.into(),
        tenant: pool.tenant,
        network: pool.network,
        group: pool.group,
        aux_addresses,
        swarm: None,
    })
}
