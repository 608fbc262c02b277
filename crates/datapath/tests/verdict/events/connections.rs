//! Events of connections: logged, and judged otherwise by staged policies.

use std::sync::Arc;

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::event::{End, Event, EventKind};
use contiv_datapath_abi::policy::{Action, Direction, TCP};
use contiv_datapath_abi::tenant::Tenant;
use contiv_policy::{HostTables, Placement, PolicyRule, PortRange, TenantPolicy};

use super::{a_to_b, end};
use crate::frames::{Way, v4};
use crate::rig::{A, B, HOST, HOST_MAC, Rig, key, mac};

/// The group of `B`, which receives TCP at 80, told, and at 81. A staged policy would rather have
/// 82 than 81. And that of `A`, of which a staged policy would let nothing out to 83.
const RECEIVERS: u32 = 7;
const SENDERS: u32 = 8;

const DENY: u32 = 16;
const WOULD_DENY: u32 = 90;
const WOULD_ALLOW: u32 = 91;
const WOULD_KEEP_IN: u32 = 92;

struct Told {
    rig: Rig,
    host: HostTables,
    generation: u32,
}

impl Told {
    fn new() -> Told {
        let mut rig = Rig::new();
        rig.endpoint(A, (1, 1, SENDERS), [10, 1, 1, 1], None);
        rig.endpoint(B, (1, 1, RECEIVERS), [10, 1, 1, 2], None);
        let mut told = Told {
            rig,
            host: HostTables::after(0),
            generation: 1,
        };
        told.set(policy());
        told
    }

    fn set(&mut self, policy: TenantPolicy) {
        let build = self.host.prepare(1, &policy).unwrap();
        self.rig.policy(&build.write);
        self.generation += 1;
        let tenant = Tenant {
            root: build.root,
            generation: self.generation,
            ..Tenant::default()
        };
        self.rig.tenant(1, tenant);
    }

    /// Opens a connection to a port of `B`, and answers with what is told about it.
    fn open(&mut self, port: u16) -> Vec<Event> {
        self.rig.send(A, &a_to_b().tcp(1000, port, "S"));
        self.rig.events()
    }
}

fn policy() -> TenantPolicy {
    let rule = |number, policy: &str, priority, action, port: Option<u16>| PolicyRule {
        priority,
        protocol: port.and(Some(TCP)),
        ports: port.map(PortRange::from).into_iter().collect(),
        ..PolicyRule::new(number, policy, Direction::In, action)
    };
    let rules = [
        PolicyRule {
            log: true,
            ..rule(80, "p", 10, Action::Allow, Some(80))
        },
        rule(81, "p", 10, Action::Allow, Some(81)),
        rule(83, "p", 10, Action::Allow, Some(83)),
        PolicyRule {
            log: true,
            ..rule(84, "p", 10, Action::Deny, Some(84))
        },
        rule(DENY, "p", 1, Action::Deny, None),
        rule(WOULD_DENY, "staged", 20, Action::Deny, Some(81)),
        rule(WOULD_ALLOW, "staged", 20, Action::Allow, Some(82)),
        PolicyRule {
            direction: Direction::Out,
            ..rule(WOULD_KEEP_IN, "out", 20, Action::Deny, Some(83))
        },
    ];
    let staged = Placement {
        staged: true,
        ..Placement::default()
    };
    TenantPolicy {
        groups: [
            (RECEIVERS, ["p".to_owned(), "staged".to_owned()].into()),
            (SENDERS, ["out".to_owned()].into()),
        ]
        .into(),
        policies: [("staged".to_owned(), staged), ("out".to_owned(), staged)].into(),
        rules: rules.into_iter().map(Arc::new).collect(),
        ..TenantPolicy::default()
    }
}

#[test]
fn a_rule_with_log_tells_of_each_connection_once() {
    let mut told = Told::new();
    let frame = a_to_b().tcp(1000, 80, "S");
    let events = told.open(80);
    let expected = Event {
        time: events[0].time,
        length: frame.len() as u32,
        key: key(TCP, (v4(10, 1, 1, 1), 1000), (v4(10, 1, 1, 2), 80)),
        kind: EventKind::Log as u8,
        sender: end(A),
        target: end(B),
        opener_rule: 1,
        accepter_rule: 80,
        ..Event::NONE
    };
    assert_eq!(events, [expected]);
    // What follows is no news.
    let back = Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1));
    told.rig.passes(B, &back.tcp(80, 1000, "SA"));
    told.rig.passes(A, &a_to_b().tcp(1000, 80, "A"));
    assert_eq!(told.rig.events(), []);
    // A change of policy is: the answer meets it first, and the connection is told as it began.
    told.set(policy());
    told.rig.passes(B, &back.tcp(80, 1000, "A"));
    let again = told.rig.event(EventKind::Log);
    assert_eq!((again.flags, again.key), (Event::AGAIN, expected.key));
    assert_eq!((again.sender, again.target), (end(A), end(B)));
    told.rig.passes(A, &a_to_b().tcp(1000, 80, "A"));
    assert_eq!(told.rig.events(), []);
}

#[test]
fn a_denied_connection_is_logged_and_its_packets_are_drops() {
    let mut told = Told::new();
    let events = told.open(84);
    let kinds: Vec<u8> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Log as u8, EventKind::Drop as u8]);
    for event in &events {
        assert_eq!(event.flags, Event::DENIED);
        assert_eq!(event.reason, Reason::PolicyIn as u8);
        assert_eq!((event.opener_rule, event.accepter_rule), (1, 84));
        assert_eq!((event.sender, event.target), (end(A), end(B)));
    }
    // What has no rule with log is dropped just the same, along the flow as well.
    for flags in ["S", "A"] {
        told.rig.send(A, &a_to_b().tcp(1000, 22, flags));
        let event = told.rig.event(EventKind::Drop);
        assert_eq!(event.accepter_rule, DENY);
    }
}

#[test]
fn the_host_is_told_of_as_nobody() {
    let mut told = Told::new();
    let way = Way::new((HOST_MAC, mac(0)), HOST, v4(172, 19, 0, 3));
    told.rig.passes_from_host(B, &way.tcp(4000, 80, "S"));
    let event = told.rig.event(EventKind::Log);
    assert_eq!((event.sender, event.target), (End::NONE, end(B)));
    assert_eq!(event.key, key(TCP, (HOST, 4000), (v4(10, 1, 1, 2), 80)));
}

#[test]
fn staged_policies_tell_what_they_would_decide() {
    let mut told = Told::new();
    let events = told.open(81);
    let event = events[0];
    assert_eq!((events.len(), event.kind), (1, EventKind::Staged as u8));
    assert_eq!(event.flags, Event::STAGED_ACCEPTER_DENIES);
    assert_eq!(
        (event.accepter_rule, event.staged_accepter_rule),
        (81, WOULD_DENY)
    );
    assert_eq!(event.staged_opener_rule, 0);

    let events = told.open(82);
    let kinds: Vec<u8> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Staged as u8, EventKind::Drop as u8]);
    let event = events[0];
    assert_eq!(
        (event.flags, event.reason),
        (Event::DENIED, Reason::PolicyIn as u8)
    );
    assert_eq!(
        (event.accepter_rule, event.staged_accepter_rule),
        (DENY, WOULD_ALLOW)
    );

    let events = told.open(83);
    let event = events[0];
    assert_eq!((events.len(), event.kind), (1, EventKind::Staged as u8));
    assert_eq!(event.flags, Event::STAGED_OPENER_DENIES);
    assert_eq!(
        (event.staged_opener_rule, event.staged_accepter_rule),
        (WOULD_KEEP_IN, 0)
    );

    assert_eq!(
        told.open(80).len(),
        1,
        "staged policies agree: it is only logged"
    );
}
