//! Four answers to each question: the reference evaluator's, the compiled tables', that of the
//! kernel's tables as they are read for people, and the kernel's own.
//!
//! A packet asks two questions, the sender's outgoing and the receiver's incoming one; its flow
//! says which rule answered each. Packets cost far less than policies: some dozens are sent under
//! each of some hundreds, and that makes tens of thousands.

use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath::Kernel;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::flow::Flow;
use contiv_datapath_abi::policy::{
    Action, Direction, ICMP, ICMPV6, Query, RULE_NONE, TCP, UDP, evaluate,
};
use contiv_datapath_abi::tenant::{Network, Tenant};
use contiv_policy::strategies::{Case, case};
use contiv_policy::{Beginning, Course, HostTables, Rows, TenantPolicy, evaluate_reference};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRunner};

use crate::frames::Way;
use crate::rig::{A, B, DROPPED, REDIRECTED, Rig, key, mac};

/// The identifier of pings.
const PING: u16 = 9;

#[test]
fn the_kernel_says_what_the_tables_and_the_reference_say() {
    let mut rig = Rig::empty();
    // One network that is everything, without a gateway.
    let network = Network {
        number: 1,
        mtu: 1500,
        ..Network::default()
    };
    rig.prefix(1, [0; 16], 0, network);
    let rig = std::cell::RefCell::new((rig, HostTables::after(0), Rows::default(), 0));
    let (sent, policies) = (Cell::new(0), Cell::new(0));
    let config = Config {
        cases: Config::default().cases.max(24) * 3,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&case(24, 40), |Case { policy, queries }| {
        let (rig, host, rows, generation) = &mut *rig.borrow_mut();
        // Each case is a change of the one before it.
        let build = host.prepare(1, &policy).unwrap();
        let root = build.root;
        if !fits(rows, &build.write) {
            // The compiler allows a tenant more than the tables of this test have room for.
            host.abandon(1);
            return Ok(());
        }
        rig.policy(&build.write);
        rows.add(build.write);
        for query in &queries {
            *generation += 1;
            rig.tenant(
                1,
                Tenant {
                    root,
                    generation: *generation,
                    ..Tenant::default()
                },
            );
            if agree(rig, &policy, rows, &Query { root, ..*query })? {
                sent.set(sent.get() + 1);
            }
        }
        policies.set(policies.get() + 1);
        let settling = host.settle(1);
        rig.policy(&settling.write);
        rig.forget(&settling.delete);
        rows.add(settling.write);
        rows.remove(&settling.delete);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let (sent, policies) = (sent.get(), policies.get());
    println!("{sent} packets under {policies} policies");
    assert!(sent > 30 * policies, "{sent} packets under {policies}");
}

/// Whether the tables of the test have room for these rows beside those that they hold.
fn fits(held: &Rows, added: &Rows) -> bool {
    let largest = |rows: &Rows| {
        let prefixes = rows.peer_prefixes.len().max(rows.own_addresses.len());
        prefixes.max(rows.decisions.len())
    };
    largest(held) + largest(added) <= Rig::ROOM
}

/// Sends a packet that asks, if there is one.
fn agree(
    rig: &mut Rig,
    policy: &TenantPolicy,
    rows: &Rows,
    asked: &Query,
) -> Result<bool, TestCaseError> {
    if asked.own_address == asked.peer_address {
        return Ok(false);
    }
    let asked = &Query {
        port: match (asked.protocol, is_v4(asked)) {
            (ICMP, true) | (ICMPV6, false) => question(asked),
            // The other family's messages are not read.
            (ICMP | ICMPV6, _) => 0,
            _ => asked.port,
        },
        ..*asked
    };
    let outgoing = match asked.direction {
        Direction::Out => *asked,
        Direction::In => other_side(asked),
    };
    let incoming = other_side(&outgoing);
    let (flow, action) = ask(rig, &outgoing);
    let kernel = rig.kernel();
    let expected = evaluate_reference(policy, &outgoing);
    prop_assert_eq!(evaluate(rows, &outgoing), expected);
    prop_assert_eq!(evaluate(&kernel, &outgoing), expected);
    let told = course(&kernel, &outgoing);
    prop_assert_eq!(told.sending, Some((outgoing, expected)));
    prop_assert_eq!(flow.opener_rule, expected.rule, "{:?} {:?}", outgoing, flow);
    if expected.action == Action::Deny {
        prop_assert_eq!(
            (flow.forward.delivery, flow.accepter_rule),
            (Flow::DENIED, RULE_NONE)
        );
        prop_assert_eq!((flow.reason, action), (Reason::PolicyOut as u8, DROPPED));
        prop_assert_eq!(flow.rule(), expected.rule);
        return Ok(true);
    }
    let expected = evaluate_reference(policy, &incoming);
    prop_assert_eq!(evaluate(rows, &incoming), expected);
    prop_assert_eq!(evaluate(&kernel, &incoming), expected);
    prop_assert_eq!(told.receiving, Some((incoming, expected)));
    prop_assert_eq!(told.is_open(), expected.action == Action::Allow);
    prop_assert!(kernel.result().is_ok());
    prop_assert_eq!(
        flow.accepter_rule,
        expected.rule,
        "{:?} {:?}",
        incoming,
        flow
    );
    if expected.action == Action::Deny {
        prop_assert_eq!(
            (flow.forward.delivery, flow.reason),
            (Flow::DENIED, Reason::PolicyIn as u8)
        );
        prop_assert_eq!((flow.rule(), action), (expected.rule, DROPPED));
    } else {
        prop_assert_eq!((flow.forward.delivery, action), (Flow::LOCAL, REDIRECTED));
    }
    Ok(true)
}

/// The way of the connection that an outgoing question is about, by the kernel's tables.
fn course(kernel: &Kernel, query: &Query) -> Course {
    let address = |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_canonical();
    let beginning = Beginning {
        tenant: 1,
        from: address(query.own_address),
        to: address(query.peer_address),
        by_host: false,
        protocol: query.protocol,
        port: query.port,
    };
    Course::of(kernel, &beginning)
}

fn is_v4(query: &Query) -> bool {
    Ipv6Addr::from(query.own_address).to_ipv4_mapped().is_some()
}

/// The type and code that are asked about, or a ping's where these open nothing: errors and
/// answers belong to a connection, and what neighbours say is not judged.
fn question(query: &Query) -> u16 {
    let [kind, _] = query.port.to_be_bytes();
    let opens_nothing = match query.protocol {
        ICMP => matches!(kind, 0 | 3..=5 | 11 | 12 | 14),
        _ => matches!(kind, 0..=127 | 129..=137 | 143 | 151..=153),
    };
    match (opens_nothing, query.protocol) {
        (false, _) => query.port,
        (true, ICMP) => 8 << 8,
        (true, _) => 128 << 8,
    }
}

/// The same connection, as the peer's policy is asked about it.
fn other_side(query: &Query) -> Query {
    Query {
        subject_group: query.peer_group,
        own_address: query.peer_address,
        direction: match query.direction {
            Direction::In => Direction::Out,
            Direction::Out => Direction::In,
        },
        peer_group: query.subject_group,
        peer_address: query.own_address,
        ..*query
    }
}

/// Sends the first packet of the connection that an outgoing question is about.
fn ask(rig: &mut Rig, query: &Query) -> (Flow, u32) {
    let address = |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_canonical();
    let (source, destination) = (address(query.own_address), address(query.peer_address));
    for (slot, group, address) in [
        (A, query.subject_group, source),
        (B, query.peer_group, destination),
    ] {
        match address {
            IpAddr::V4(v4) => rig.endpoint(slot, (1, 1, group), v4.octets(), None),
            IpAddr::V6(v6) => rig.endpoint(slot, (1, 1, group), [0, 0, 0, slot as u8], Some(v6)),
        }
    }
    let way = Way::new((mac(A), mac(B)), source, destination);
    let (frame, ports) = match query.protocol {
        TCP => (way.tcp(4000, query.port, "S"), (4000, query.port)),
        UDP => (way.udp(4000, query.port, b"?"), (4000, query.port)),
        ICMP | ICMPV6 if is_v4(query) == (query.protocol == ICMP) => {
            let [kind, code] = query.port.to_be_bytes();
            let [high, low] = PING.to_be_bytes();
            let is_query = matches!((query.protocol, kind), (ICMP, 8 | 13) | (ICMPV6, 128));
            let from = if is_query { PING } else { 0 };
            let message = [kind, code, 0, 0, high, low, 0, 1];
            (way.raw(query.protocol, &message), (from, query.port))
        }
        other => (way.raw(other, b"some other protocol"), (0, 0)),
    };
    let action = rig.send(A, &frame).0;
    let flow = rig.flow(&key(
        query.protocol,
        (source, ports.0),
        (destination, ports.1),
    ));
    (
        flow.unwrap_or_else(|| panic!("no flow: {query:?} {:?}", rig.all_drops(A))),
        action,
    )
}
