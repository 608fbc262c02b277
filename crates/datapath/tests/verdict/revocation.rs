//! Rules that come, go, and cut what they allowed.

use std::sync::Arc;

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::policy::{Action, Direction, TCP, UDP};
use contiv_datapath_abi::tenant::Tenant;
use contiv_policy::{Build, HostTables, PolicyRule, PortRange, TenantPolicy};

use crate::frames::{Way, v4};
use crate::rig::{A, B, HOST, HOST_MAC, Rig, key, mac, v6};

const GROUP: u32 = 7;

/// Programs, and a tenant 1 whose policy changes. `B` is in the group.
struct Guarded {
    rig: Rig,
    host: HostTables,
    generation: u32,
}

impl Guarded {
    fn new() -> Guarded {
        let mut rig = Rig::new();
        rig.endpoint(B, (1, 1, GROUP), [10, 1, 1, 2], Some(v6(0x11, 2)));
        Guarded {
            rig,
            host: HostTables::after(0),
            generation: 1,
        }
    }

    /// Denies all that the group receives, but for TCP to these ports.
    fn open(&mut self, ports: &[u16]) {
        let rule = |number, priority, action, protocol, port: Option<u16>| PolicyRule {
            priority,
            protocol,
            ports: port.map(PortRange::from).into_iter().collect(),
            ..PolicyRule::new(number, "p", Direction::In, action)
        };
        let allow = |port: &u16| rule(u32::from(*port), 10, Action::Allow, Some(TCP), Some(*port));
        let mut rules: Vec<_> = ports.iter().map(allow).collect();
        rules.push(rule(16, 1, Action::Deny, None, None));
        let groups = [(GROUP, ["p".to_owned()].into())].into();
        let policy = TenantPolicy {
            groups,
            rules: rules.into_iter().map(Arc::new).collect(),
            ..TenantPolicy::default()
        };
        let Build { root, write } = self.host.prepare(1, &policy).unwrap();
        self.rig.policy(&write);
        self.generation += 1;
        let generation = self.generation;
        self.rig.tenant(
            1,
            Tenant {
                root,
                generation,
                ..Tenant::default()
            },
        );
        let settling = self.host.settle(1);
        self.rig.policy(&settling.write);
        self.rig.forget(&settling.delete);
    }
}

fn a_to_b() -> Way {
    Way::new((mac(A), mac(B)), v4(10, 1, 1, 1), v4(10, 1, 1, 2))
}

fn b_to_a() -> Way {
    Way::new((mac(B), mac(A)), v4(10, 1, 1, 2), v4(10, 1, 1, 1))
}

#[test]
fn answers_pass_where_questions_may() {
    let mut guarded = Guarded::new();
    guarded.open(&[80]);
    let rig = &mut guarded.rig;
    rig.passes(A, &a_to_b().tcp(1000, 80, "S"));
    rig.passes(B, &b_to_a().tcp(80, 1000, "SA"));
    rig.refuses(A, &a_to_b().tcp(1000, 81, "S"), Reason::PolicyIn);
    rig.refuses(A, &a_to_b().tcp(1000, 81, "S"), Reason::PolicyIn);
    // What B opens itself is answered, though nobody may open towards B.
    rig.passes(B, &b_to_a().udp(3000, 53, b"ask"));
    rig.passes(A, &a_to_b().udp(53, 3000, b"tell"));
    rig.refuses(A, &a_to_b().udp(54, 3000, b"tell"), Reason::PolicyIn);
}

#[test]
fn the_deciding_rule_is_in_the_flow() {
    let mut guarded = Guarded::new();
    guarded.open(&[80]);
    let rig = &mut guarded.rig;
    rig.passes(A, &a_to_b().tcp(1000, 80, "S"));
    rig.refuses(A, &a_to_b().tcp(1000, 81, "S"), Reason::PolicyIn);
    let flow = |rig: &mut Rig, port| {
        rig.flow(&key(TCP, (v4(10, 1, 1, 1), 1000), (v4(10, 1, 1, 2), port)))
            .unwrap()
    };
    assert_eq!(flow(rig, 80).rule(), 80);
    assert_eq!(
        (flow(rig, 81).rule(), flow(rig, 81).forward.delivery),
        (16, Flow::DENIED)
    );
}

#[test]
fn a_revoked_rule_cuts_what_it_allowed_in_both_directions() {
    let mut guarded = Guarded::new();
    guarded.open(&[80, 443]);
    for port in [80, 443] {
        guarded.rig.passes(A, &a_to_b().tcp(1000, port, "S"));
        guarded.rig.passes(B, &b_to_a().tcp(port, 1000, "SA"));
    }
    guarded.open(&[443]);
    let rig = &mut guarded.rig;
    // The answer meets the change first, and is judged as a part of A's connection.
    rig.refuses(B, &b_to_a().tcp(80, 1000, "A"), Reason::PolicyIn);
    rig.refuses(B, &b_to_a().tcp(80, 1000, "A"), Reason::PolicyIn);
    rig.refuses(A, &a_to_b().tcp(1000, 80, "A"), Reason::PolicyIn);
    rig.passes(A, &a_to_b().tcp(1000, 443, "A"));
    rig.passes(B, &b_to_a().tcp(443, 1000, "A"));
    // B may open a connection of its own between the same ports.
    rig.passes(B, &b_to_a().tcp(80, 1000, "S"));
    guarded.open(&[80, 443]);
    guarded.rig.passes(A, &a_to_b().tcp(1000, 80, "A"));
}

#[test]
fn a_cut_answer_without_states_may_begin_anew_after_a_while() {
    let mut guarded = Guarded::new();
    let ask = a_to_b().udp(1000, 53, b"ask");
    let tell = b_to_a().udp(53, 1000, b"tell");
    guarded.rig.passes(A, &ask);
    guarded.rig.passes(B, &tell);
    guarded.open(&[]);
    let rig = &mut guarded.rig;
    rig.refuses(B, &tell, Reason::PolicyIn);
    let key = key(UDP, (v4(10, 1, 1, 2), 53), (v4(10, 1, 1, 1), 1000));
    let flow = rig.flow(&key).unwrap();
    assert_eq!(flow.reply.delivery, Flow::DENIED);
    assert!(flow.is_reply(key.is_turned()));
    let mut old = flow;
    old.reply.seen = flow.reply.seen.wrapping_sub(100);
    rig.set_flow(&key, old);
    rig.passes(B, &tell);
    assert!(!rig.flow(&key).unwrap().is_reply(key.is_turned()));
}

#[test]
fn the_host_is_a_peer_without_a_group() {
    let mut guarded = Guarded::new();
    let way = Way::new((HOST_MAC, mac(0)), HOST, v4(172, 19, 0, 3));
    guarded.rig.passes_from_host(B, &way.tcp(4000, 80, "S"));
    guarded.open(&[443]);
    let rig = &mut guarded.rig;
    for (port, flags) in [(80, "A"), (80, "S"), (22, "S")] {
        let before = rig.drops(B, Reason::PolicyIn);
        rig.send_from_host(&way.tcp(4000, port, flags));
        assert_eq!(rig.drops(B, Reason::PolicyIn), before + 1);
    }
    rig.passes_from_host(B, &way.tcp(4000, 443, "S"));
    let back = Way::new((mac(B), mac(0)), v4(10, 1, 1, 2), HOST);
    rig.passes(B, &back.tcp(443, 4000, "SA"));
    rig.refuses(B, &back.tcp(80, 4000, "A"), Reason::PolicyIn);
}
