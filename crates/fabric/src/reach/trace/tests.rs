//! What a trace says in the end against the reference evaluator, in fabrics at random.
//!
//! Whether two ends meet at all is said here once more, in the words of a reader: the picture, the
//! course and the sentences have no part in it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod fabric;

use std::net::IpAddr;

use contiv_model::object::Rule;
use contiv_model::reach::{ALLOW, DENY, DEPENDS, TraceCase, TraceRequest, UNREACHABLE};
use contiv_policy::{Action, Direction, Query, TenantPolicy, Verdict, evaluate_reference};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngAlgorithm;

use super::trace;
use crate::decide::tests::given;
use crate::reach::picture::mapped;
use crate::view;
use fabric::{Fabric, Plan, plan};

/// Packets that a question is about.
struct Packets {
    /// In the words of a request.
    protocol: &'static str,
    port: Option<u16>,
    /// What policies are asked about: for IPv4 and for IPv6.
    asked: [(u8, u16); 2],
}

const fn packets(protocol: &'static str, port: Option<u16>, asked: [(u8, u16); 2]) -> Packets {
    Packets {
        protocol,
        port,
        asked,
    }
}

const PACKETS: [Packets; 5] = [
    packets("tcp", Some(80), [(6, 80), (6, 80)]),
    packets("tcp", Some(443), [(6, 443), (6, 443)]),
    packets("udp", Some(53), [(17, 53), (17, 53)]),
    packets("icmp", None, [(1, 8 << 8), (58, 128 << 8)]),
    packets("47", None, [(47, 0), (47, 0)]),
];
const ECHO: usize = 3;

/// Whom a question may name.
const ENDS: [&str; 14] = [
    "endpoint:e1",
    "endpoint:e2",
    "endpoint:e3",
    "endpoint:e4",
    "endpoint:e5",
    "endpoint:e6",
    "group:g1",
    "group:g2",
    "group:g3",
    "host",
    "198.51.100.7",
    "2001:db8:f::7",
    "10.1.0.200",
    "10.1.0.254",
];

/// Who stands at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Of a group, 0 without one, in a network.
    Member(u32, &'static str),
    Host,
    World,
    /// In a network, and nobody's.
    Nobody,
    Gateway,
}

/// What becomes of a connection, and what would if staged policies were in force.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    verdict: &'static str,
    staged: &'static str,
    /// The rules of the sender's side and of the receiver's, where they are asked.
    rules: [Option<u32>; 2],
}

impl Fate {
    const LOST: Fate = Fate {
        verdict: UNREACHABLE,
        staged: UNREACHABLE,
        rules: [None; 2],
    };
}

struct Judge<'a> {
    fabric: &'a Fabric,
    policy: TenantPolicy,
    routing: bool,
}

impl Judge<'_> {
    /// Who it is that has this address, of those that a question means by a word.
    fn who(&self, word: &str, address: IpAddr) -> Who {
        match word {
            "host" => Who::Host,
            "198.51.100.7" | "2001:db8:f::7" => Who::World,
            "10.1.0.200" => Who::Nobody,
            "10.1.0.254" => Who::Gateway,
            _ => match (word.split_once(':'), self.fabric.at(address)) {
                // Of all that there could be, at addresses that others have, too.
                (Some(("group", name)), _) => {
                    Who::Member(self.fabric.number(Some(name)), fabric::network_of(name))
                }
                (_, Some(member)) => Who::Member(self.fabric.number(member.group), member.network),
                _ => panic!("{word} has not {address}"),
            },
        }
    }

    /// The reference's answers, of the sides that have a say where the two ends meet.
    fn fate(&self, ends: (Who, Who), (from, to): (IpAddr, IpAddr), packets: usize) -> Fate {
        let (opener, accepter) = match ends {
            (Who::Member(opener, near), Who::Member(accepter, far)) => {
                if near != far && !self.routing {
                    return Fate::LOST;
                }
                (Some((opener, accepter)), Some((accepter, opener)))
            }
            (Who::Member(opener, _), Who::Host | Who::World) => (Some((opener, 0)), None),
            (Who::Host, Who::Member(accepter, _)) => (None, Some((accepter, 0))),
            // The fabric itself answers.
            (Who::Member(..), Who::Gateway) if packets == ECHO => (None, None),
            _ => return Fate::LOST,
        };
        let (protocol, port) = PACKETS[packets].asked[usize::from(from.is_ipv6())];
        let ask = |direction, (subject_group, peer_group), own, peer| {
            let query = Query {
                root: 0,
                subject_group,
                own_address: mapped(own),
                direction,
                peer_group,
                peer_address: mapped(peer),
                protocol,
                port,
            };
            evaluate_reference(&self.policy, &query)
        };
        let sides = [
            opener.map(|groups| ask(Direction::Out, groups, from, to)),
            accepter.map(|groups| ask(Direction::In, groups, to, from)),
        ];
        let all = |action: fn(&Verdict) -> Action| {
            let allow = sides.iter().flatten().all(|v| action(v) == Action::Allow);
            if allow { ALLOW } else { DENY }
        };
        Fate {
            verdict: all(|verdict| verdict.action),
            staged: all(|verdict| verdict.staged.map_or(verdict.action, |s| s.action)),
            rules: sides.map(|side| side.map(|verdict| verdict.rule)),
        }
    }
}

/// Whether a case stands for a connection between two addresses.
fn is_about(case: &TraceCase, (from, to): (IpAddr, IpAddr)) -> bool {
    let within = |range: &str, address: IpAddr| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = (first.parse::<IpAddr>(), last.parse::<IpAddr>());
        range == "any"
            || matches!(bounds, (Ok(first), Ok(last))
                if first.is_ipv4() == address.is_ipv4() && first <= address && address <= last)
    };
    let mut pairs = case.addresses.iter();
    case.addresses.is_empty() || pairs.any(|pair| within(&pair.from, from) && within(&pair.to, to))
}

/// Compares one answer; tells of how many connections.
fn check(
    judge: &Judge<'_>,
    (from, to, packets): (&str, &str, usize),
) -> Result<u32, TestCaseError> {
    let request = TraceRequest {
        from: from.to_owned(),
        to: to.to_owned(),
        protocol: PACKETS[packets].protocol.to_owned(),
        port: PACKETS[packets].port,
        ..TraceRequest::default()
    };
    let world = &judge.fabric.world;
    let Ok(tracing) = trace(&world.image, &world.reports, String::new(), &request) else {
        // Neither end is an endpoint's, or they are of two families.
        return Ok(0);
    };
    let told = tracing.document;
    let fate = |addresses: (IpAddr, IpAddr)| {
        let ends = (judge.who(from, addresses.0), judge.who(to, addresses.1));
        judge.fate(ends, addresses, packets)
    };
    let mut asked = 0;
    for case in &told.cases {
        let fate = fate((case.from.parse().unwrap(), case.to.parse().unwrap()));
        let staged = match case.staged.as_str() {
            "" => case.verdict.as_str(),
            staged => staged,
        };
        prop_assert_eq!(&case.verdict, fate.verdict, "{:?}: {:#?}", request, case);
        prop_assert_eq!(staged, fate.staged, "{:?}: {:#?}", request, case);
        if fate != Fate::LOST {
            let rules = [&case.sending, &case.receiving]
                .map(|side| side.as_ref().map(|side| side.outcome.rule));
            prop_assert_eq!(rules, fate.rules, "{:?}: {:#?}", request, case);
        }
        asked += 1;
    }
    let mut verdicts: Vec<&str> = told.cases.iter().map(|case| &*case.verdict).collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let sum = match verdicts[..] {
        [one] => one,
        _ => DEPENDS,
    };
    prop_assert_eq!(&told.verdict, sum, "{:?}", request);
    if !told.cut.is_empty() {
        return Ok(asked);
    }
    // Nobody whom a group stands for is told otherwise, or left out.
    for a in judge.fabric.addresses(from) {
        for b in judge.fabric.addresses(to) {
            if a == b || a.is_ipv4() != b.is_ipv4() {
                continue;
            }
            let about = |case: &&TraceCase| is_about(case, (a, b));
            let about: Vec<&TraceCase> = told.cases.iter().filter(about).collect();
            prop_assert!(!about.is_empty(), "{} to {}: {:?}", a, b, request);
            for case in about {
                prop_assert_eq!(
                    &case.verdict,
                    fate((a, b)).verdict,
                    "{} to {}: {:#?}",
                    a,
                    b,
                    case
                );
                asked += 1;
            }
        }
    }
    Ok(asked)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    })]

    /// Thousands of connections: some dozens are asked about in each fabric.
    #[test]
    fn a_trace_ends_in_what_the_reference_says(
        plan in plan(),
        questions in vec((select(&ENDS[..]), select(&ENDS[..]), 0..PACKETS.len()), 24),
    ) {
        let Plan { routing, .. } = plan;
        let fabric = Fabric::of(plan);
        let (policy, _) = view::tenant_policy(&fabric.world.image, "default");
        let judge = Judge { fabric: &fabric, policy, routing };
        let mut asked = 0;
        for question in questions {
            asked += check(&judge, question)?;
        }
        prop_assert!(asked > 0, "no question was answered");
    }
}

/// One group has a policy, of one rule that denies.
fn denying(group: &str, rule: Rule) -> Fabric {
    let policies_of = |name: &str| if name == group { vec!["p1"] } else { vec![] };
    Fabric::of(Plan {
        routing: false,
        groups: fabric::GROUPS
            .map(|name| fabric::group(name, &policies_of(name)))
            .into(),
        policies: vec![given::policy("p1")],
        rules: vec![(
            Rule {
                tenant_name: "default".into(),
                policy_name: "p1".into(),
                rule_id: "r1".into(),
                action: "deny".into(),
                ..rule
            },
            false,
        )],
    })
}

/// Asks about TCP at port 80, and answers with what is denied.
fn denied(fabric: &Fabric, from: &str, to: &str) -> TraceCase {
    let request = TraceRequest {
        from: from.into(),
        to: to.into(),
        protocol: "tcp".into(),
        port: Some(80),
        ..TraceRequest::default()
    };
    let world = &fabric.world;
    let told = trace(&world.image, &world.reports, String::new(), &request)
        .unwrap()
        .document;
    let mut cases = told.cases.iter();
    let denied = cases.find(|case| case.verdict == DENY);
    denied.unwrap_or_else(|| panic!("{told:#?}")).clone()
}

/// A member that does not exist is supposed to be where it could be, and not where the end is that
/// it speaks to.
#[test]
fn nobody_is_supposed_to_be_at_the_other_end() {
    let fabric = denying(
        "g2",
        Rule {
            direction: "in".into(),
            from_ip_address: "10.1.0.2-10.1.0.3".into(),
            ..Rule::default()
        },
    );
    let denied = denied(&fabric, "group:g1", "endpoint:e2");
    assert_eq!(
        (&*denied.from, &*denied.to),
        ("10.1.0.3", "10.1.0.2"),
        "{denied:#?}"
    );
    assert_eq!(denied.receiving.unwrap().group_name, "g2");
}

/// What only one member receives is told, though it could be the sender's address, too.
#[test]
fn members_of_one_group_are_told_apart() {
    let fabric = denying(
        "g3",
        Rule {
            direction: "out".into(),
            to_ip_address: "10.2.0.1".into(),
            ..Rule::default()
        },
    );
    let denied = denied(&fabric, "group:g3", "group:g3");
    assert_eq!(
        (&*denied.from, &*denied.to),
        ("10.2.0.2", "10.2.0.1"),
        "{denied:#?}"
    );
}
