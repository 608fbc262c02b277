//! What policies say of services: to whoever receives and to whoever sends, in two tiers, and
//! staged above both.

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath_abi::policy::{Action, Direction, FIRST_RULE, ICMP, TCP, UDP};
use contiv_policy::{Placement, PolicyRule, PortRange, TenantPolicy, Tier};
use proptest::prelude::*;

/// Members of this group have policies, those of the other have none.
pub(crate) const GUARDED: u32 = 7;
pub(crate) const FREE: u32 = 8;

/// What a policy may speak of: protocol and port.
pub(crate) const SERVICES: [(u8, u16); 4] = [(TCP, 80), (TCP, 81), (UDP, 53), (ICMP, 0)];

/// What members receive is closed, where nothing else is said.
const DENY: u32 = FIRST_RULE;

/// What one policy says of one service in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Nothing,
    Allow,
    /// As long as the connection lasts, whatever is said later.
    Keep,
    Deny,
    Pass,
}

/// The policies, and how often they speak in words of [`Say`].
const LAYERS: [(&str, Placement, [u32; 5]); 3] = [
    (
        "normal",
        Placement {
            tier: Tier::Normal,
            order: 0,
            staged: false,
        },
        [4, 6, 8, 2, 1],
    ),
    (
        "admin",
        Placement {
            tier: Tier::Admin,
            order: 0,
            staged: false,
        },
        [12, 1, 1, 1, 1],
    ),
    (
        "staged",
        Placement {
            tier: Tier::Admin,
            order: 1,
            staged: true,
        },
        [12, 2, 1, 2, 2],
    ),
];
const DIRECTIONS: [Direction; 2] = [Direction::In, Direction::Out];

/// By service, direction and policy.
pub(crate) type Said = [[[Say; LAYERS.len()]; DIRECTIONS.len()]; SERVICES.len()];

pub(crate) fn said() -> impl Strategy<Value = Said> {
    let say = |[nothing, allow, keep, deny, pass]: [u32; 5]| {
        prop_oneof![
            nothing => Just(Say::Nothing),
            allow => Just(Say::Allow),
            keep => Just(Say::Keep),
            deny => Just(Say::Deny),
            pass => Just(Say::Pass),
        ]
    };
    let layers = move || LAYERS.map(|(_, _, weights)| say(weights));
    // On the heap: a long list of steps would not fit on the stack of a test.
    SERVICES.map(|_| DIRECTIONS.map(|_| layers())).boxed()
}

/// The policy of the tenant that says so.
pub(crate) fn policy_of(said: &Said) -> TenantPolicy {
    let (normal, ..) = LAYERS[0];
    let mut rules = vec![PolicyRule {
        priority: 1,
        ..PolicyRule::new(DENY, normal, Direction::In, Action::Deny)
    }];
    for (service, directions) in said.iter().enumerate() {
        for (at, layers) in directions.iter().enumerate() {
            for (layer, say) in layers.iter().enumerate() {
                let action = match say {
                    Say::Nothing => continue,
                    Say::Allow | Say::Keep => Action::Allow,
                    Say::Deny => Action::Deny,
                    Say::Pass => Action::Pass,
                };
                // Who says something else of the same says it by another rule.
                let place = (layer * DIRECTIONS.len() + at) * SERVICES.len() + service;
                let number = DENY + 1 + (place * 5) as u32 + *say as u32;
                let (protocol, port) = SERVICES[service];
                let ports = (protocol != ICMP).then(|| PortRange::from(port));
                rules.push(PolicyRule {
                    priority: 10,
                    protocol: Some(protocol),
                    ports: ports.into_iter().collect(),
                    keep_established: *say == Say::Keep,
                    ..PolicyRule::new(number, LAYERS[layer].0, DIRECTIONS[at], action)
                });
            }
        }
    }
    let names = LAYERS.map(|(name, ..)| name.to_owned());
    let places = LAYERS.map(|(name, place, _)| (name.to_owned(), place));
    TenantPolicy {
        groups: [(GUARDED, names.into()), (FREE, [].into())].into(),
        defaults: BTreeMap::new(),
        policies: places.into(),
        rules: rules.into_iter().map(Arc::new).collect(),
    }
}
