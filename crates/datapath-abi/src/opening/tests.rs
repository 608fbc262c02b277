#![allow(clippy::unwrap_used, reason = "a test")]

use std::vec::Vec;

use super::*;
use crate::Words;
use crate::policy::{RULE_DEFAULT, TCP};
use crate::{config, mapped};

/// A host with a fixed answer to every question of policy.
struct Sketch {
    config: Config,
    tenant: Tenant,
    networks: Vec<(u32, [u8; 3], Network)>,
    targets: Vec<(u32, Address, Target)>,
    endpoints: Vec<Endpoint>,
    /// Group that may do nothing.
    locked: u32,
}

impl Fabric for Sketch {
    fn config(&self) -> Option<&Config> {
        Some(&self.config)
    }
    fn tenant(&self, number: u32) -> Option<Tenant> {
        (number < 3).then_some(self.tenant)
    }
    fn network(&self, key: &PrefixKey) -> Option<&Network> {
        let head = unmapped(&key.address);
        let holds =
            |row: &&(u32, [u8; 3], Network)| row.0 == key.tenant && head.starts_with(&row.1);
        self.networks.iter().find(holds).map(|row| &row.2)
    }
    fn target(&self, key: &AddressKey) -> Option<&Target> {
        let holds = |row: &&(u32, Address, Target)| (row.0, row.1) == (key.tenant, key.address);
        self.targets.iter().find(holds).map(|row| &row.2)
    }
    fn endpoint(&self, slot: u32) -> Option<&Endpoint> {
        self.endpoints.get(slot as usize)
    }
    fn is_host(&self, address: &Address) -> bool {
        *address == mapped([192, 0, 2, 1])
    }
    fn verdict(&self, query: &Query) -> Verdict {
        let action = if query.subject_group == self.locked {
            Action::Deny
        } else {
            Action::Allow
        };
        Verdict {
            action,
            rule: RULE_DEFAULT + query.subject_group,
            ..Verdict::DEFAULT
        }
    }
}

/// Slots 2 and 3 in network 1, slot 4 in network 2, all of tenant 1.
fn sketch() -> Sketch {
    let network = |number: u32| Network {
        number,
        mtu: 1400 + number,
        flags: 0,
        host_bits: 8,
        gateway: mapped([10, 1, number as u8, 254]),
    };
    let places = [(2, 1), (3, 1), (4, 2)];
    let endpoint = |(slot, network): (u32, u32)| Endpoint {
        serial: slot + 100,
        state: Endpoint::OPEN,
        tenant: 1,
        network,
        group: slot,
        ..Endpoint::default()
    };
    let target = |(slot, network): (u32, u32)| {
        let address = mapped([10, 1, network as u8, slot as u8]);
        let target = Target {
            slot,
            serial: slot + 100,
            network,
            group: slot,
            ..Target::default()
        };
        (1, address, target)
    };
    let mut endpoints = Vec::from([Endpoint::default(); 2]);
    endpoints.extend(places.map(endpoint));
    Sketch {
        config: Config {
            private_base: [172, 19, 0, 0],
            private_mask: [255, 255, 0, 0],
            ..Config::default()
        },
        tenant: Tenant {
            root: 1,
            generation: 9,
            ..Tenant::default()
        },
        networks: Vec::from([1, 2].map(|n| (1, [10, 1, n as u8], network(n)))),
        targets: Vec::from(places.map(target)),
        endpoints,
        locked: 0,
    }
}

fn opened(sketch: &Sketch, by: u32, from: [u8; 4], to: [u8; 4]) -> Result<Flow, Reason> {
    resumed(sketch, by, (from, to), Kept::NONE)
}

/// As [`opened`], of a connection to which something was promised.
fn resumed(
    sketch: &Sketch,
    by: u32,
    (from, to): ([u8; 4], [u8; 4]),
    kept: Kept,
) -> Result<Flow, Reason> {
    let key = FlowKey {
        tenant: 1,
        source: Words::new(mapped(from)),
        destination: Words::new(mapped(to)),
        source_port: 1,
        destination_port: 2,
        protocol: TCP.into(),
    };
    let mut judgement = Judgement::NONE;
    judge(
        sketch,
        &Opening {
            kept,
            ..Opening::new(key, 2, by)
        },
        &mut judgement,
    )?;
    Ok(judgement.flow)
}

const OWN: [u8; 4] = [10, 1, 1, 2];

#[test]
fn within_a_network_both_policies_are_asked() {
    let mut sketch = sketch();
    let flow = opened(&sketch, 0, OWN, [10, 1, 1, 3]).unwrap();
    let (forward, reply) = (flow.forward, flow.reply);
    assert_eq!((forward.delivery, forward.target), (Flow::LOCAL, 103));
    assert_eq!((reply.delivery, reply.target), (Flow::LOCAL, 102));
    assert_eq!((forward.sender, reply.sender, flow.flags), (102, 103, 0));
    assert_eq!(
        (flow.opener_rule, flow.accepter_rule, flow.rule()),
        (3, 4, 4)
    );
    for (locked, reason) in [(2, Reason::PolicyOut), (3, Reason::PolicyIn)] {
        sketch.locked = locked;
        let denied = opened(&sketch, 0, OWN, [10, 1, 1, 3]).unwrap();
        assert_eq!(denied.reason, reason as u8);
        for way in [denied.forward, denied.reply] {
            assert_eq!(way.delivery, Flow::DENIED);
        }
    }
}

#[test]
fn networks_are_routed_only_where_the_tenant_is() {
    let mut sketch = sketch();
    let to = [10, 1, 2, 4];
    assert_eq!(opened(&sketch, 0, OWN, to), Err(Reason::OtherNetwork));
    sketch.tenant.flags = Tenant::ROUTING;
    let flow = opened(&sketch, 0, OWN, to).unwrap();
    assert_eq!(flow.flags, Flow::ROUTED);
    assert_eq!((flow.forward.mtu, flow.reply.mtu), (1402, 1401));
}

#[test]
fn the_network_of_the_hosts_is_separate_from_none() {
    let mut sketch = sketch();
    let to = [10, 1, 2, 4];
    for of_hosts in 0..2 {
        for network in 0..2 {
            let flags = Network::OF_HOSTS * u32::from(network == of_hosts);
            sketch.networks[network].2.flags = flags;
        }
        let flow = opened(&sketch, 0, OWN, to).unwrap();
        assert_eq!((flow.flags, flow.forward.slot), (Flow::ROUTED, 4));
    }
}

#[test]
fn what_is_not_in_a_network_is_the_hosts_or_the_worlds() {
    let mut sketch = sketch();
    for (to, expected) in [
        ([192, 0, 2, 1], Ok(0)),
        ([198, 51, 100, 1], Ok(Flow::TRANSLATED)),
        ([172, 19, 3, 4], Err(Reason::PrivateAddress)),
        ([127, 0, 0, 1], Err(Reason::BadDestination)),
        ([10, 1, 1, 254], Err(Reason::Gateway)),
        ([10, 1, 1, 255], Err(Reason::Broadcast)),
        ([10, 1, 1, 9], Err(Reason::UnknownAddress)),
    ] {
        let flags = opened(&sketch, 0, OWN, to).map(|flow| flow.flags);
        assert_eq!(flags, expected, "{to:?}");
    }
    sketch.networks[0].2.flags = Network::NOT_FROM_HOST;
    let to_host = opened(&sketch, 0, OWN, [192, 0, 2, 1]).unwrap();
    assert_eq!(to_host.flags, Flow::TRANSLATED);
}

#[test]
fn the_host_opens_by_either_address() {
    let sketch = sketch();
    for (by, flags) in [(0, 0), (Opening::TRANSLATED, Flow::TRANSLATED)] {
        let by = Opening::BY_HOST | by;
        let flow = opened(&sketch, by, [172, 19, 0, 1], OWN).unwrap();
        assert_eq!((flow.forward.delivery, flow.forward.slot), (Flow::LOCAL, 2));
        assert_eq!((flow.reply.delivery, flow.flags), (Flow::HOST, flags));
        assert_eq!((flow.opener_rule, flow.accepter_rule), (0, 3));
    }
}

#[test]
fn what_a_rule_keeps_is_kept_between_the_same_ends_alone() {
    let mut sketch = sketch();
    let ends = (OWN, [10, 1, 1, 3]);
    let mut flow = opened(&sketch, 0, ends.0, ends.1).unwrap();
    sketch.locked = 3;
    let again = |sketch: &Sketch, flow: &Flow| resumed(sketch, 0, ends, Kept::of(flow)).unwrap();
    assert_eq!(again(&sketch, &flow).forward.delivery, Flow::DENIED);
    flow.flags |= Flow::KEPT_BY_ACCEPTER;
    let kept = again(&sketch, &flow);
    assert!(kept.is_judged_like(&flow), "{kept:?}");
    assert_eq!(kept.forward.delivery, Flow::LOCAL);
    // The other side promised nothing.
    sketch.locked = 2;
    let cut = again(&sketch, &flow);
    assert_eq!((cut.reason, cut.flags), (Reason::PolicyOut as u8, 0));
    // Nothing was promised to who comes after, nor to members of another group.
    sketch.locked = 3;
    sketch.targets[1].2.serial = 777;
    assert_eq!(again(&sketch, &flow).reason, Reason::PolicyIn as u8);
    sketch.targets[1].2.serial = 103;
    sketch.endpoints[2].group = 9;
    assert_eq!(again(&sketch, &flow).reason, Reason::PolicyIn as u8);
}

#[test]
fn private_addresses_name_slots_in_both_families() {
    let config = sketch().config;
    for slot in [2, 300] {
        let v4 = config.private_address(slot);
        assert_eq!(config.slot_of(&mapped(v4)), Some(slot));
        assert_eq!(config.slot_of(&config::private_v6(v4)), Some(slot));
    }
    assert_eq!(config.slot_of(&mapped([172, 20, 0, 2])), None);
    assert_eq!(Config::default().slot_of(&mapped([0, 0, 0, 2])), None);
}

#[test]
fn broadcast_addresses_depend_on_the_length_of_the_prefix() {
    let network = |host_bits| Network {
        host_bits,
        ..Network::default()
    };
    assert!(is_broadcast(&network(8), &mapped([10, 1, 1, 0])));
    assert!(is_broadcast(&network(9), &mapped([10, 1, 1, 255])));
    assert!(!is_broadcast(&network(9), &mapped([10, 1, 0, 255])));
    assert!(!is_broadcast(&network(1), &mapped([10, 1, 1, 1])));
    assert!(!is_broadcast(&network(0), &mapped([10, 1, 1, 1])));
}
