//! What happens to a cluster, at random.

use std::fmt;

use contiv_model::object::{EndpointGroup, Network, Policy, Rule, Tenant};

use crate::chance::Chance;
use crate::engine::Attachment;
use crate::operator::{Noun, Wish};

/// One thing that happens. What lasts, lasts for some seconds; hosts and masters are numbers.
#[derive(Clone, Debug)]
pub enum Operation {
    /// An operator writes.
    Write(Intent),
    /// A container starts.
    Start {
        host: usize,
        to: Place,
        wish: Option<u8>,
    },
    /// A container of a host ends.
    Stop {
        host: usize,
        which: u64,
    },
    /// A container ends, and another begins on its address at once.
    Restart {
        host: usize,
        which: u64,
    },
    /// An engine says that an address is free, whoever has it.
    Release {
        host: usize,
        network: u8,
        last: u8,
    },
    KillAgent {
        host: usize,
        seconds: u64,
    },
    Reboot {
        host: usize,
        seconds: u64,
    },
    /// Nothing passes between a host and a master.
    CutHost {
        host: usize,
        master: usize,
        seconds: u64,
    },
    /// A host is cut off from every master, perhaps for so long that it is lost.
    CutOff {
        host: usize,
        seconds: u64,
    },
    CrashMaster {
        master: usize,
        seconds: u64,
    },
    /// A master stands still, and goes on as if nothing had been.
    Pause {
        master: usize,
        seconds: u64,
    },
    /// A master cannot reach the store.
    CutStore {
        master: usize,
        seconds: u64,
    },
    /// A master hears late of what is committed.
    Lag {
        master: usize,
        milliseconds: u64,
        seconds: u64,
    },
    /// A master's clock jumps.
    Jump {
        master: usize,
        seconds: i64,
    },
    /// The store has no majority.
    Minority {
        seconds: u64,
    },
    /// Answers of the store are lost, in so many of a hundred cases.
    Lose {
        percent: u64,
        seconds: u64,
    },
    /// All followers of the store lose the thread.
    BreakFollowers,
    /// One in so many pieces breaks its connection.
    Fragile {
        one_in: u64,
        seconds: u64,
    },
    /// A copy of the store is made.
    Save,
    /// The last copy takes the store's place.
    Restore,
    /// A master is upgraded or downgraded: 0 is today's version.
    Upgrade {
        master: usize,
        version: u8,
    },
    /// Nothing, for a while.
    Rest {
        seconds: u64,
    },
}

/// A write, and its outcome in words.
#[derive(Clone)]
pub struct Intent(pub(crate) Wish);

/// What a container is attached to.
#[derive(Clone)]
pub struct Place(pub(crate) Attachment);

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Wish::PutTenant(o) => write!(f, "tenant {}", o.tenant_name),
            Wish::PutNetwork(o) => write!(f, "network {}:{}", o.tenant_name, o.network_name),
            Wish::PutGroup(o) => write!(
                f,
                "group {}:{} {:?}",
                o.tenant_name, o.group_name, o.policies
            ),
            Wish::PutPolicy(o) => write!(f, "policy {}:{}", o.tenant_name, o.policy_name),
            Wish::PutRule(o) => {
                let Rule {
                    tenant_name,
                    policy_name,
                    rule_id,
                    action,
                    port,
                    priority,
                    ..
                } = &**o;
                write!(
                    f,
                    "rule {tenant_name}:{policy_name}:{rule_id} {action} {port} {priority}"
                )
            }
            Wish::Delete(noun, key) => write!(f, "delete {noun:?} {key}"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attachment {
            tenant,
            network,
            group,
            ..
        } = &self.0;
        write!(f, "{tenant}:{network}")?;
        match group {
            Some(group) => write!(f, " in {group}"),
            None => Ok(()),
        }
    }
}

pub(crate) const TENANTS: [&str; 2] = ["default", "blue"];
const NETWORKS: u64 = 2;
const GROUPS: u64 = 3;

/// The subnet of a network, the same for all lives of it.
fn subnet(tenant: &str, network: u64) -> String {
    let second = if tenant == TENANTS[0] { 1 } else { 2 };
    format!("10.{second}.{network}.0/28")
}

impl Operation {
    /// What every run begins with, so that there is something to happen to.
    pub(crate) fn beginning() -> Vec<Wish> {
        let mut wishes = Vec::new();
        for name in TENANTS {
            wishes.push(Wish::PutTenant(tenant(name)));
            wishes.extend((0..NETWORKS).map(|n| Wish::PutNetwork(network(name, n))));
            wishes.extend((0..2).map(|n| Wish::PutPolicy(policy(name, n))));
            wishes.extend((0..GROUPS).map(|n| Wish::PutGroup(group(name, n, &[n % 2]))));
        }
        wishes
    }

    /// The next one, among so many hosts and masters.
    pub(crate) fn next(chance: &Chance, hosts: usize, masters: usize) -> Operation {
        let one_of = |count: usize| {
            let count = u64::try_from(count).unwrap_or(1);
            usize::try_from(chance.of(0..count)).unwrap_or_default()
        };
        let (host, master) = (one_of(hosts), one_of(masters));
        let seconds = match chance.happens(20) {
            true => chance.of(15..60),
            false => chance.of(1..9),
        };
        match chance.of(0..100) {
            0..18 => Operation::Write(Intent(wish(chance))),
            18..42 => Operation::Start {
                host,
                to: Place(place(chance)),
                wish: chance.happens(15).then(|| small(chance.of(1..13))),
            },
            42..50 => Operation::Stop {
                host,
                which: chance.next(),
            },
            50..55 => Operation::Restart {
                host,
                which: chance.next(),
            },
            55..58 => Operation::Release {
                host,
                network: small(chance.of(0..NETWORKS)),
                last: small(chance.of(1..13)),
            },
            58..61 => Operation::KillAgent { host, seconds },
            61..63 => Operation::Reboot { host, seconds },
            63..66 => Operation::CutHost {
                host,
                master,
                seconds,
            },
            66..70 => Operation::CutOff {
                host,
                seconds: if chance.happens(40) {
                    chance.of(50..90)
                } else {
                    seconds
                },
            },
            70..74 => Operation::CrashMaster { master, seconds },
            74..77 => Operation::Pause { master, seconds },
            77..79 => Operation::CutStore { master, seconds },
            79..81 => Operation::Lag {
                master,
                milliseconds: chance.of(50..1500),
                seconds,
            },
            81..83 => {
                let by = i64::try_from(chance.of(0..600)).unwrap_or_default();
                Operation::Jump {
                    master,
                    seconds: by - 300,
                }
            }
            83..85 => Operation::Minority {
                seconds: seconds.min(20),
            },
            85..87 => Operation::Lose {
                percent: chance.of(5..40),
                seconds,
            },
            87 => Operation::BreakFollowers,
            88..90 => Operation::Fragile {
                one_in: chance.of(5..60),
                seconds,
            },
            90..93 => Operation::Save,
            93..95 => Operation::Restore,
            95..97 => Operation::Upgrade {
                master,
                version: small(chance.of(0..3)),
            },
            _ => Operation::Rest { seconds },
        }
    }
}

fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn place(chance: &Chance) -> Attachment {
    let tenant = *chance.pick(&TENANTS);
    let network = chance.of(0..NETWORKS);
    // Groups are of the first network.
    let group = (network == 0 && chance.happens(60)).then(|| format!("g{}", chance.of(0..GROUPS)));
    Attachment {
        tenant: tenant.to_owned(),
        network: format!("n{network}"),
        group,
        subnet: subnet(tenant, network),
    }
}

fn wish(chance: &Chance) -> Wish {
    let name = *chance.pick(&TENANTS);
    let number = chance.of(0..GROUPS);
    match chance.of(0..20) {
        0 => Wish::PutTenant(tenant(name)),
        1 => Wish::PutNetwork(network(name, chance.of(0..NETWORKS + 1))),
        3..6 => {
            let policies: Vec<u64> = (0..2).filter(|_| chance.happens(60)).collect();
            Wish::PutGroup(group(name, number, &policies))
        }
        6 | 7 => Wish::PutPolicy(policy(name, chance.of(0..2))),
        2 | 8..15 => Wish::PutRule(Box::new(rule(chance, name))),
        15 => Wish::Delete(Noun::Tenant, TENANTS[1].to_owned()),
        16 => Wish::Delete(
            Noun::Network,
            format!("{name}:n{}", chance.of(1..NETWORKS + 1)),
        ),
        17 => Wish::Delete(Noun::Group, format!("{name}:g{number}")),
        18 => Wish::Delete(Noun::Policy, format!("{name}:p{}", chance.of(0..2))),
        _ => {
            let (policy, id) = (chance.of(0..2), chance.of(1..5));
            Wish::Delete(Noun::Rule, format!("{name}:p{policy}:{id}"))
        }
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant {
        key: name.to_owned(),
        tenant_name: name.to_owned(),
        ..Tenant::default()
    }
}

fn network(tenant: &str, number: u64) -> Network {
    let subnet = subnet(tenant, number);
    Network {
        key: format!("{tenant}:n{number}"),
        tenant_name: tenant.to_owned(),
        network_name: format!("n{number}"),
        gateway: subnet.replace(".0/28", ".14"),
        subnet,
        encap: "vxlan".into(),
        ..Network::default()
    }
}

fn group(tenant: &str, number: u64, policies: &[u64]) -> EndpointGroup {
    EndpointGroup {
        key: format!("{tenant}:g{number}"),
        tenant_name: tenant.to_owned(),
        group_name: format!("g{number}"),
        network_name: "n0".into(),
        policies: policies.iter().map(|p| format!("p{p}")).collect(),
        ..EndpointGroup::default()
    }
}

fn policy(tenant: &str, number: u64) -> Policy {
    Policy {
        key: format!("{tenant}:p{number}"),
        tenant_name: tenant.to_owned(),
        policy_name: format!("p{number}"),
        ..Policy::default()
    }
}

fn rule(chance: &Chance, tenant: &str) -> Rule {
    let (policy, id) = (chance.of(0..2), chance.of(1..5));
    let direction = if chance.happens(50) { "in" } else { "out" };
    let peer = format!("g{}", chance.of(0..GROUPS));
    let named = chance.happens(40);
    let mut rule = Rule {
        key: format!("{tenant}:p{policy}:{id}"),
        tenant_name: tenant.to_owned(),
        policy_name: format!("p{policy}"),
        rule_id: id.to_string(),
        direction: direction.into(),
        priority: u32::from(small(chance.of(1..4))),
        protocol: "tcp".into(),
        port: u32::from(small(chance.of(0..3))) * 80,
        action: chance.pick(&["allow", "deny"]).to_string(),
        ..Rule::default()
    };
    if named {
        match direction {
            "in" => rule.from_endpoint_group = peer,
            _ => rule.to_endpoint_group = peer,
        }
    }
    rule
}
