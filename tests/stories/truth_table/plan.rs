//! What should be: policies, rules, groups and members, in words that fit on a line.
//!
//! Statements are separated by semicolons; those after `blue:` are about tenant blue.
//!
//! | statement | meaning |
//! | --- | --- |
//! | `p in deny tcp :80-90 @db ~10.1.0.0/16 !10.1.0.9 =10.1.0.1 ^10 type8 keep` | a rule of policy p: protocol, ports, peer group, peer addresses, exceptions, own address, priority, ICMP type |
//! | `p out allow %plain` | a rule about the peers of a network |
//! | `web has p q` | the group's policies; `web has p q r` is the beginning |
//! | `web default deny allow` | what the group does with what no rule decides, in and out |
//! | `p place admin 5 staged` | tier, order, and whether it is staged |
//! | `w1 member db` | who is in which group; `-` is none |

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use contiv_model::agent::AddressRange;
use contiv_policy::{
    Action, Defaults, Direction, IcmpMessage, Placement, PolicyRule, PortRange, TenantPolicy, Tier,
};
use serde_json::{Value, json};

/// All groups; the position is the number.
pub(super) const GROUPS: [&str; 4] = ["-", "web", "db", "ops"];
pub(super) const POLICIES: [&str; 3] = ["p", "q", "r"];

/// Of both tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) tenants: [Intent; 2],
    /// Who is not where the cast has begun.
    pub(super) members: BTreeMap<String, String>,
}

/// Of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    /// By policy and place in it.
    pub(super) rules: BTreeMap<(String, usize), Rule>,
    pub(super) has: BTreeMap<String, Vec<String>>,
    pub(super) defaults: BTreeMap<String, (String, String)>,
    pub(super) places: BTreeMap<String, Place>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    tier: String,
    order: Option<u16>,
    staged: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    direction: String,
    action: String,
    priority: u32,
    group: String,
    network: String,
    addresses: String,
    except: String,
    own: String,
    protocol: String,
    ports: String,
    icmp_type: Option<u8>,
    keep: bool,
}

impl Default for Intent {
    fn default() -> Self {
        let has = POLICIES.map(str::to_owned).to_vec();
        Intent {
            rules: BTreeMap::new(),
            has: BTreeMap::from([("web".to_owned(), has)]),
            defaults: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }
}

impl Plan {
    pub(super) fn read(text: &str) -> Plan {
        let mut plan = Plan::default();
        let mut tenant = 0;
        for statement in text.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            let statement = match statement.strip_prefix("blue:") {
                Some(rest) => {
                    tenant = 1;
                    rest
                }
                None => statement,
            };
            let words: Vec<&str> = statement.split_whitespace().collect();
            let intent = &mut plan.tenants[tenant];
            match words[..] {
                [who, "member", group] => drop(plan.members.insert(who.into(), group.into())),
                [group, "has", ref policies @ ..] => {
                    let policies = policies.iter().map(|p| (*p).to_owned()).collect();
                    intent.has.insert(group.into(), policies);
                }
                [group, "default", receiving, sending] => {
                    let actions = (receiving.into(), sending.into());
                    intent.defaults.insert(group.into(), actions);
                }
                [policy, "place", ref words @ ..] => {
                    intent.places.insert(policy.into(), Place::read(words));
                }
                [policy, direction, action, ref words @ ..] => {
                    let place = intent.rules.keys().filter(|(p, _)| p == policy).count();
                    let rule = Rule::read(direction, action, words);
                    intent.rules.insert((policy.into(), place), rule);
                }
                _ => panic!("no statement: {statement}"),
            }
        }
        // Equal addresses, other rules: who mixed tenants up would be found out by every case.
        let blue = &mut plan.tenants[1];
        if *blue == Intent::default() {
            let rule = Rule::read("in", "deny", &["udp", ":81"]);
            blue.rules.insert(("q".to_owned(), 0), rule);
        }
        plan
    }
}

impl Place {
    fn read(words: &[&str]) -> Place {
        let mut place = Place::default();
        for word in words {
            match (*word, word.parse()) {
                ("staged", _) => place.staged = true,
                (_, Ok(order)) => place.order = Some(order),
                (tier, _) => place.tier = tier.to_owned(),
            }
        }
        place
    }

    pub(super) fn document(&self) -> Value {
        let order = self.order.unwrap_or(1000);
        let tier = if self.tier.is_empty() {
            "normal"
        } else {
            &self.tier
        };
        json!({ "tier": tier, "order": order, "staged": self.staged })
    }

    fn placement(&self) -> Placement {
        Placement {
            tier: match self.tier.as_str() {
                "admin" => Tier::Admin,
                "baseline" => Tier::Baseline,
                _ => Tier::Normal,
            },
            // Here the higher is asked first.
            order: 16_383 - self.order.unwrap_or(1000),
            staged: self.staged,
        }
    }
}

impl Rule {
    fn read(direction: &str, action: &str, words: &[&str]) -> Rule {
        let mut rule = Rule {
            direction: direction.to_owned(),
            action: action.to_owned(),
            priority: 1,
            ..Rule::default()
        };
        for word in words {
            let rest = || word[1..].to_owned();
            match word.as_bytes()[0] {
                b':' => rule.ports = rest(),
                b'@' => rule.group = rest(),
                b'%' => rule.network = rest(),
                b'~' => rule.addresses = rest(),
                b'!' => rule.except = rest(),
                b'=' => rule.own = rest(),
                b'^' => rule.priority = rest().parse().unwrap(),
                _ if word.starts_with("type") => rule.icmp_type = word[4..].parse().ok(),
                _ if *word == "keep" => rule.keep = true,
                _ => rule.protocol = (*word).to_owned(),
            }
        }
        rule
    }

    pub(super) fn is_about_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// As REST takes it.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({
            "direction": self.direction,
            "action": self.action,
            "priority": self.priority,
            "protocol": self.protocol,
            "ports": self.ports,
            "icmpType": self.icmp_type,
            "keepEstablished": self.keep,
        });
        let peer = match self.direction.as_str() {
            "in" => [
                "fromEndpointGroup",
                "fromNetwork",
                "fromIpAddress",
                "fromIpExcept",
            ],
            _ => ["toEndpointGroup", "toNetwork", "toIpAddress", "toIpExcept"],
        };
        let values = [&self.group, &self.network, &self.addresses, &self.except];
        for (field, value) in peer.into_iter().zip(values) {
            document[field] = value.as_str().into();
        }
        if !self.own.is_empty() {
            document["toIpAddress"] = self.own.as_str().into();
        }
        document
    }

    /// As the evaluator takes it.
    fn rule(&self, number: u32, policy: &str) -> PolicyRule {
        let direction = match self.direction.as_str() {
            "in" => Direction::In,
            _ => Direction::Out,
        };
        let action = match self.action.as_str() {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            _ => Action::Pass,
        };
        let addresses = match self.network.as_str() {
            "" => self.addresses.as_str(),
            "plain" => "10.1.0.0/16,fd00:1::/64",
            "far" => "10.2.0.0/16",
            other => panic!("no network {other}"),
        };
        let group = |name: &str| GROUPS.iter().position(|group| *group == name).unwrap() as u32;
        PolicyRule {
            priority: self.priority,
            peer_group: (!self.group.is_empty()).then(|| group(&self.group)),
            peer_addresses: ranges(addresses),
            peer_except: ranges(&self.except),
            own_addresses: ranges(&self.own),
            protocol: match self.protocol.as_str() {
                "" => None,
                "tcp" => Some(6),
                "udp" => Some(17),
                "icmp" => Some(1),
                number => Some(number.parse().unwrap()),
            },
            ports: items(&self.ports).map(ports).collect(),
            icmp: self.icmp_type.map(message).into_iter().collect(),
            keep_established: self.keep,
            ..PolicyRule::new(number, policy, direction, action)
        }
    }
}

impl Intent {
    pub(super) fn group_document(&self, group: &str) -> Value {
        let (receiving, sending) = match self.defaults.get(group) {
            Some((receiving, sending)) => (receiving.as_str(), sending.as_str()),
            None => ("allow", "allow"),
        };
        json!({
            "policies": self.has.get(group).cloned().unwrap_or_default(),
            "defaultActionIn": receiving,
            "defaultActionOut": sending,
        })
    }

    pub(super) fn place(&self, policy: &str) -> Place {
        self.places.get(policy).cloned().unwrap_or_default()
    }

    pub(super) fn policy(&self) -> TenantPolicy {
        let mut policy = TenantPolicy::default();
        for (number, group) in GROUPS.iter().enumerate().skip(1) {
            let number = number as u32;
            let has = self.has.get(*group).into_iter().flatten().cloned();
            policy.groups.insert(number, has.collect::<BTreeSet<_>>());
            if let Some((receiving, sending)) = self.defaults.get(*group) {
                let action = |word: &str| match word {
                    "deny" => Action::Deny,
                    _ => Action::Allow,
                };
                let (receiving, sending) = (action(receiving), action(sending));
                policy
                    .defaults
                    .insert(number, Defaults { receiving, sending });
            }
        }
        for (name, place) in &self.places {
            policy.policies.insert(name.clone(), place.placement());
        }
        let rules = self.rules.iter().zip(16..);
        let rules = rules.map(|(((policy, _), rule), number)| rule.rule(number, policy));
        policy.rules = rules.map(Arc::new).collect();
        policy
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|item| !item.is_empty())
}

fn ports(item: &str) -> PortRange {
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    PortRange {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
    }
}

fn message(kind: u8) -> IcmpMessage {
    IcmpMessage { kind, code: None }
}

fn ranges(list: &str) -> Vec<AddressRange> {
    items(list).map(range).collect()
}

/// An address, a range, or a prefix.
fn range(item: &str) -> AddressRange {
    if let Some((first, last)) = item.split_once('-') {
        let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
        return AddressRange { first, last };
    }
    let (base, bits) = match item.split_once('/') {
        Some((base, bits)) => (base, Some(bits.parse::<u32>().unwrap())),
        None => (item, None),
    };
    let first: IpAddr = base.parse().unwrap();
    let last = match first {
        IpAddr::V4(a) => {
            let rest = u32::MAX.checked_shr(bits.unwrap_or(32)).unwrap_or(0);
            Ipv4Addr::from(u32::from(a) | rest).into()
        }
        IpAddr::V6(a) => {
            let rest = u128::MAX.checked_shr(bits.unwrap_or(128)).unwrap_or(0);
            Ipv6Addr::from(u128::from(a) | rest).into()
        }
    };
    AddressRange { first, last }
}
