//! Matrices and differences against the reference evaluator, question by question.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use contiv_datapath_abi::policy::{Action, Direction, ICMP, ICMPV6, Query, TCP, UDP};
use contiv_model::agent::AddressRange;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRunner};

use crate::diff::groups;
use crate::space::protocols;
use crate::strategies::{case, history};
use crate::{
    Answer, Change, End, MatrixQuestion, Party, Question, TenantPolicy, diff, evaluate_reference,
    matrix,
};

/// Runs a test of as many policies, of each of which many connections are asked about; tells of how
/// many it was.
fn many<S: Strategy>(
    what: &str,
    policies: u32,
    of: S,
    test: impl Fn(S::Value) -> Result<u32, TestCaseError>,
) {
    let config = ProptestConfig {
        cases: policies,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    };
    let asked = Cell::new(0);
    let outcome = TestRunner::new(config).run(&of, |case| {
        asked.set(asked.get() + test(case)?);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let asked = asked.get();
    println!("{what}: {asked} connections under {policies} policies");
    assert!(asked > 1_000, "{what}: {asked} connections are few");
}

/// Each case is a connection of which both references and the difference are asked.
#[test]
fn a_difference_is_what_both_references_say() {
    many(
        "differences",
        200,
        (history(8, 3), case(3, 40)),
        |(history, case)| {
            let (old, new) = (&history[0], &history[history.len() - 1]);
            let found = diff(old, new, 200_000).unwrap();
            if found.cut.is_some() {
                return Ok(0);
            }
            let edges = old.rules.iter().chain(&new.rules).flat_map(|rule| {
                rule.ports
                    .iter()
                    .flat_map(|r| [r.first, r.last, r.last.wrapping_add(1)])
            });
            let (named, groups) = (protocols(&[old, new]), groups(&[old, new]));
            let edges: Vec<u16> = edges.take(6).collect();
            let mut asked_about = 0;
            for query in &case.queries {
                let ports = match query.protocol {
                    TCP | UDP => edges.iter().copied().chain([query.port]).collect(),
                    _ => vec![query.port],
                };
                for port in ports {
                    let mut question = Question {
                        port,
                        ..asked(query)
                    };
                    for party in [&mut question.from, &mut question.to] {
                        if !groups.contains(&party.group) {
                            party.group = 0;
                        }
                    }
                    let (before, after) = (open(old, &question), open(new, &question));
                    let told: Vec<Action> = found
                        .changes
                        .iter()
                        .filter(|change| covers(change, &named, &question))
                        .map(|change| change.becomes)
                        .collect();
                    let expected = match (before, after) {
                        (false, true) => vec![Action::Allow],
                        (true, false) => vec![Action::Deny],
                        _ => vec![],
                    };
                    prop_assert_eq!(told, expected, "{:?} {:#?}", question, found.changes);
                    asked_about += 1;
                }
            }
            Ok(asked_about)
        },
    );
}

/// Each case is a connection of which the reference and the cell are asked.
#[test]
fn a_cell_is_what_the_reference_says_of_all() {
    many("cells", 200, case(10, 60), |case| {
        let mut asked_about = 0;
        for protocol in [TCP, 47] {
            let port = if protocol == TCP { 80 } else { 0 };
            let ends = (0..=5).map(|group| End {
                group,
                places: Vec::new(),
            });
            let question = MatrixQuestion {
                ends: ends.collect(),
            };
            let answer = matrix(&case.policy, &question, |_| (protocol, port)).unwrap();
            for query in &case.queries {
                let asked = Question {
                    protocol,
                    port,
                    ..asked(query)
                };
                if asked.from.group > 5 || asked.to.group > 5 {
                    continue;
                }
                let cell = answer.cells[asked.from.group as usize][asked.to.group as usize];
                let is_open = open(&case.policy, &asked);
                match cell.enforced {
                    Answer::Open { .. } => prop_assert!(is_open, "{:?}", asked),
                    Answer::Closed { .. } => prop_assert!(!is_open, "{:?}", asked),
                    Answer::Depends { open, of } => prop_assert!(0 < open && open < of),
                    Answer::Nobody => prop_assert!(false, "{:?}", asked),
                }
                asked_about += 1;
            }
        }
        Ok(asked_about)
    });
}

/// The connection that a query of one side is about.
fn asked(query: &Query) -> Question {
    let address = |bytes| Ipv6Addr::from(bytes).to_canonical();
    let own = Party {
        group: query.subject_group,
        address: address(query.own_address),
    };
    let peer = Party {
        group: query.peer_group,
        address: address(query.peer_address),
    };
    let (from, to) = match query.direction {
        Direction::In => (peer, own),
        Direction::Out => (own, peer),
    };
    Question {
        from,
        to,
        protocol: query.protocol,
        port: query.port,
    }
}

fn open(policy: &TenantPolicy, question: &Question) -> bool {
    [Direction::In, Direction::Out]
        .into_iter()
        .all(|direction| {
            evaluate_reference(policy, &question.query(direction, 0)).action == Action::Allow
        })
}

fn covers(change: &Change, named: &BTreeSet<u8>, question: &Question) -> bool {
    let within = |range: Option<AddressRange>, address: IpAddr| {
        range.is_none_or(|r| {
            r.first.is_ipv4() == address.is_ipv4() && r.first <= address && address <= r.last
        })
    };
    let protocol = match change.protocol {
        Some(protocol) => protocol == question.protocol,
        None => !named.contains(&question.protocol),
    };
    change.from == question.from.group
        && change.to == question.to.group
        && protocol
        && within(change.from_addresses, question.from.address)
        && within(change.to_addresses, question.to.address)
        && (!matches!(question.protocol, TCP | UDP | ICMP | ICMPV6)
            || (change.ports.first..=change.ports.last).contains(&question.port))
}
