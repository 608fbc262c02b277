//! A tenant with two networks, three groups and six endpoints on two hosts; policies at random.

use std::net::IpAddr;

use contiv_model::agent::EndpointRequest;
use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::decide::tests::given;
use crate::decide::tests::given::policy;
use crate::world::{HOSTS, Step, World};

pub(super) const GROUPS: [&str; 3] = ["g1", "g2", "g3"];
const POLICIES: [&str; 5] = ["p1", "p2", "p3", "p4", "p5"];

/// Id, network and group of all endpoints.
const MEMBERS: [(&str, &str, Option<&str>); 6] = [
    ("e1", "n1", Some("g1")),
    ("e2", "n1", Some("g2")),
    ("e3", "n2", Some("g3")),
    ("e4", "n1", None),
    ("e5", "n1", Some("g1")),
    ("e6", "n2", Some("g3")),
];

/// The network that a group is in.
pub(super) fn network_of(group: &str) -> &'static str {
    if group == "g3" { "n2" } else { "n1" }
}

pub(super) fn group(name: &str, policies: &[&str]) -> EndpointGroup {
    given::group(name, network_of(name), policies)
}

/// What varies from fabric to fabric.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) routing: bool,
    pub(super) groups: Vec<EndpointGroup>,
    pub(super) policies: Vec<Policy>,
    /// And whether they are about one endpoint of the group alone, where that can be said.
    pub(super) rules: Vec<(Rule, bool)>,
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let action = || select(vec!["", "", "allow", "deny"]);
    let some_group = (subsequence(POLICIES.to_vec(), 0..=5), action(), action());
    let tier = select(vec!["", "normal", "admin", "baseline"]);
    let order = select(vec![None, None, Some(5), Some(1000)]);
    let some_policy = (tier, order, prop::bool::weighted(0.3));
    let rules = btree_map((select(&POLICIES[..]), 0..6u32), rule(), 0..16);
    let some = (
        vec(some_group, GROUPS.len()),
        vec(some_policy, POLICIES.len()),
        rules,
    );
    (prop::bool::weighted(0.7), some).prop_map(|(routing, (groups, policies, rules))| {
        // After the last tier there is none to pass on to.
        let tiers = POLICIES.iter().zip(&policies);
        let last: Vec<&str> = tiers
            .filter(|(_, (tier, ..))| *tier == "baseline")
            .map(|(name, _)| *name)
            .collect();
        let rules = rules
            .into_iter()
            .filter(|((policy, _), (rule, _))| rule.action != "pass" || !last.contains(policy))
            .map(|((policy, id), (rule, narrow))| {
                let rule = Rule {
                    policy_name: policy.into(),
                    rule_id: format!("r{id}"),
                    ..rule
                };
                (rule, narrow)
            })
            .collect();
        let groups = GROUPS
            .iter()
            .zip(groups)
            .map(|(name, (policies, receiving, sending))| EndpointGroup {
                default_action_in: receiving.into(),
                default_action_out: sending.into(),
                ..group(name, &policies)
            })
            .collect();
        let policies = POLICIES
            .iter()
            .zip(policies)
            .map(|(name, (tier, order, staged))| Policy {
                tier: tier.into(),
                order,
                staged: Some(staged),
                ..policy(name)
            })
            .collect();
        Plan {
            routing,
            groups,
            policies,
            rules,
        }
    })
}

fn rule() -> impl Strategy<Value = (Rule, bool)> {
    let group = prop_oneof![2 => Just(""), 1 => select(&GROUPS[..])];
    let network = prop_oneof![8 => Just(""), 1 => select(vec!["n1", "n2"])];
    let addresses = select(vec![
        "",
        "",
        "",
        "10.1.0.0/30",
        "10.1.0.2-10.2.0.1,fd00:1::/64",
        "10.2.0.0/24,fd00:2::2",
        "198.51.100.0/24,2001:db8::/32",
        "::/0",
        "0.0.0.0/0",
    ]);
    let packets = select(vec![
        ("", ""),
        ("", ""),
        ("tcp", ""),
        ("tcp", "80"),
        ("tcp", "81-443"),
        ("udp", "1-1023"),
        ("icmp", ""),
        ("47", ""),
    ]);
    let is_in = any::<bool>();
    let action = select(vec!["allow", "allow", "deny", "deny", "pass"]);
    let peer = (group, network, addresses);
    let rule = (is_in, peer, packets, action, 1..4u32).prop_map(
        |(is_in, (group, network, addresses), (protocol, ports), action, priority)| {
            // A peer is given by its network alone, or by its group and addresses.
            let (group, addresses) = match network {
                "" => (group, addresses),
                _ => ("", ""),
            };
            let mut rule = Rule {
                tenant_name: "default".into(),
                direction: if is_in { "in" } else { "out" }.into(),
                action: action.into(),
                protocol: protocol.into(),
                ports: ports.into(),
                priority,
                ..Rule::default()
            };
            if is_in {
                rule.from_endpoint_group = group.into();
                rule.from_network = network.into();
                rule.from_ip_address = addresses.into();
            } else {
                rule.to_endpoint_group = group.into();
                rule.to_network = network.into();
                rule.to_ip_address = addresses.into();
            }
            rule
        },
    );
    (rule, any::<bool>())
}

/// An endpoint that exists.
#[derive(Clone, Debug)]
pub(super) struct Member {
    id: &'static str,
    pub(super) network: &'static str,
    pub(super) group: Option<&'static str>,
    addresses: Vec<IpAddr>,
}

fn put(world: &mut World, step: &Step) {
    let decided = world.decide(step);
    let transaction = decided.unwrap_or_else(|refusal| panic!("{refusal:?}: {step:?}"));
    world.commit(transaction).unwrap();
}

/// The addresses of one endpoint of the group that alone has the policy; none when others have it
/// too.
fn own_addresses(groups: &[EndpointGroup], policy: &str, members: &[Member]) -> String {
    let has_policy = |group: &&EndpointGroup| group.policies.iter().any(|name| name == policy);
    let users: Vec<&EndpointGroup> = groups.iter().filter(has_policy).collect();
    let [group] = users[..] else {
        return String::new();
    };
    let of_group = |member: &&Member| member.group == Some(&*group.group_name);
    let member = members.iter().find(of_group).unwrap();
    let addresses: Vec<String> = member.addresses.iter().map(IpAddr::to_string).collect();
    addresses.join(",")
}

pub(super) struct Fabric {
    pub(super) world: World,
    members: Vec<Member>,
}

impl Fabric {
    pub(super) fn of(plan: Plan) -> Fabric {
        let mut world = World::new();
        let mode = if plan.routing { "routing" } else { "bridge" };
        let mut steps = vec![Step::PutGlobal(Global {
            fwd_mode: mode.into(),
            ..Global::default()
        })];
        for network in ["n1", "n2"] {
            let number = &network[1..];
            steps.push(Step::PutNetwork(Box::new(Network {
                tenant_name: "default".into(),
                network_name: network.into(),
                encap: "vxlan".into(),
                subnet: format!("10.{number}.0.0/24"),
                gateway: format!("10.{number}.0.254"),
                ipv6_subnet: format!("fd00:{number}::/64"),
                ..Network::default()
            })));
        }
        steps.extend(plan.policies.into_iter().map(Step::PutPolicy));
        let groups = plan.groups.iter().cloned();
        steps.extend(groups.map(Step::PutGroup));
        steps.extend(HOSTS.map(|host| Step::Register(host, "b1", None)));
        for (at, (id, network, group)) in MEMBERS.into_iter().enumerate() {
            let request: EndpointRequest = serde_json::from_value(serde_json::json!({
                "pool": {"tenant": "default", "network": network, "group": group},
            }))
            .unwrap();
            let host = HOSTS[at % HOSTS.len()];
            steps.push(Step::PutEndpoint(host, id.to_owned(), request));
        }
        steps.iter().for_each(|step| put(&mut world, step));
        let of = |(id, network, group)| Member {
            id,
            network,
            group,
            addresses: world.image.endpoint(id).unwrap().addresses().collect(),
        };
        let members: Vec<Member> = MEMBERS.map(of).into();
        for (mut rule, narrow) in plan.rules {
            if narrow && rule.direction == "in" {
                rule.to_ip_address = own_addresses(&plan.groups, &rule.policy_name, &members);
            }
            put(&mut world, &Step::PutRule(Box::new(rule)));
        }
        Fabric { world, members }
    }

    /// The number that a group has; 0 without one.
    pub(super) fn number(&self, group: Option<&str>) -> u32 {
        let known = |name: &str| self.world.image.group(&format!("default:{name}"));
        group.map_or(0, |name| known(name).unwrap().record.number)
    }

    /// Who has an address.
    pub(super) fn at(&self, address: IpAddr) -> Option<&Member> {
        let mut members = self.members.iter();
        members.find(|member| member.addresses.contains(&address))
    }

    /// The addresses of all that are meant by a word, of those that exist.
    pub(super) fn addresses(&self, word: &str) -> Vec<IpAddr> {
        let meant = |member: &&Member| match word.split_once(':') {
            Some(("endpoint", id)) => member.id == id,
            Some(("group", name)) => member.group == Some(name),
            _ => false,
        };
        let all = self.members.iter().filter(meant);
        all.flat_map(|member| member.addresses.clone()).collect()
    }
}
