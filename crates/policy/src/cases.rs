//! The outcomes that connections between two parties can have, and for which addresses.

use contiv_datapath_abi::policy::{Direction, Verdict, evaluate};
use contiv_model::agent::AddressRange;

use crate::explain::{Party, Question};
use crate::space::Say;
use crate::{Build, PolicyError, TenantPolicy, compile};

/// Who opens or receives: members of a group, or peers without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// 0 for none.
    pub group: u32,
    /// Where they have their addresses; anywhere when empty.
    pub places: Vec<AddressRange>,
}

/// Addresses between which connections have one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Of one such pair of addresses.
    pub question: Question,
    /// The outgoing and the incoming verdict.
    pub verdicts: (Verdict, Verdict),
    /// All such pairs; `None` for every address.
    pub addresses: Vec<(Option<AddressRange>, Option<AddressRange>)>,
}

/// Asks for every class of addresses that rules tell apart, `limit` of them at most; false when
/// there are more. `packets` gives the protocol and the port, by whether the family is IPv4.
pub fn cases(
    policy: &TenantPolicy,
    ends: (&End, &End),
    packets: impl Fn(bool) -> (u8, u16),
    limit: usize,
) -> Result<(Vec<Case>, bool), PolicyError> {
    Ok(cases_of(policy, &compile(policy)?, ends, packets, limit))
}

/// As [`cases`], with what the policy was compiled to.
pub(crate) fn cases_of(
    policy: &TenantPolicy,
    build: &Build,
    (from, to): (&End, &End),
    packets: impl Fn(bool) -> (u8, u16),
    limit: usize,
) -> (Vec<Case>, bool) {
    let classes = Say::between(&[policy], from.group, to.group).addresses(&from.places, &to.places);
    let mut cases: Vec<Case> = Vec::new();
    for (sender, receiver) in classes.iter().take(limit) {
        let address = sender.sample();
        let (protocol, port) = packets(address.is_ipv4());
        let question = Question {
            from: Party {
                group: from.group,
                address,
            },
            to: Party {
                group: to.group,
                address: receiver.sample(),
            },
            protocol,
            port,
        };
        let side = |direction| evaluate(&build.write, &question.query(direction, build.root));
        let verdicts = (side(Direction::Out), side(Direction::In));
        let pair = (sender.range(), receiver.range());
        match cases.iter_mut().find(|case| case.verdicts == verdicts) {
            Some(case) => case.addresses.push(pair),
            None => cases.push(Case {
                question,
                verdicts,
                addresses: vec![pair],
            }),
        }
    }
    for case in &mut cases {
        case.addresses = joined(std::mem::take(&mut case.addresses));
    }
    (cases, classes.len() <= limit)
}

type Pair = (Option<AddressRange>, Option<AddressRange>);

/// Neighbouring ranges of receivers with the same senders are one, and then the other way round.
fn joined(pairs: Vec<Pair>) -> Vec<Pair> {
    let swap = |(a, b): Pair| (b, a);
    let mut pairs: Vec<Pair> = join(pairs).into_iter().map(swap).collect();
    pairs.sort_unstable();
    join(pairs).into_iter().map(swap).collect()
}

fn join(pairs: Vec<Pair>) -> Vec<Pair> {
    let mut joined: Vec<Pair> = Vec::new();
    for pair in pairs {
        if let Some((same, Some(range))) = joined.last_mut()
            && let (other, Some(next)) = pair
            && *same == other
            && follows(range, &next)
        {
            range.last = next.last;
        } else {
            joined.push(pair);
        }
    }
    joined
}

fn follows(range: &AddressRange, next: &AddressRange) -> bool {
    use std::net::IpAddr::{V4, V6};
    match (range.last, next.first) {
        (V4(last), V4(first)) => last.to_bits().checked_add(1) == Some(first.to_bits()),
        (V6(last), V6(first)) => last.to_bits().checked_add(1) == Some(first.to_bits()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::{Action, PolicyRule};

    fn range(text: &str) -> AddressRange {
        let (first, last) = text.split_once('-').unwrap();
        AddressRange {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        }
    }

    #[test]
    fn a_rule_with_addresses_makes_cases_and_what_is_alike_is_one() {
        let mut policy = TenantPolicy::default();
        policy.groups.insert(2, BTreeSet::from(["p".to_owned()]));
        let mut deny = PolicyRule::new(16, "p", Direction::In, Action::Deny);
        deny.peer_addresses = vec![range("10.1.0.64-10.1.0.127")];
        policy.rules.push(Arc::new(deny));
        let of = |group, places: &[&str]| End {
            group,
            places: places.iter().map(|text| range(text)).collect(),
        };
        let (from, to) = (
            of(1, &["10.1.0.1-10.1.0.254"]),
            of(2, &["10.1.1.1-10.1.1.254"]),
        );
        let (cases, whole) = cases(&policy, (&from, &to), |_| (6, 80), 100).unwrap();
        assert!(whole);
        let found: Vec<(Action, Vec<AddressRange>)> = cases
            .iter()
            .map(|case| {
                let senders = case.addresses.iter().filter_map(|(from, _)| *from);
                (case.verdicts.1.action, senders.collect())
            })
            .collect();
        let open = vec![range("10.1.0.1-10.1.0.63"), range("10.1.0.128-10.1.0.254")];
        let closed = vec![range("10.1.0.64-10.1.0.127")];
        assert_eq!(found, [(Action::Allow, open), (Action::Deny, closed)]);
    }

    #[test]
    fn one_address_is_one_case() {
        let policy = TenantPolicy::default();
        let one = End {
            group: 0,
            places: vec![range("10.1.0.1-10.1.0.1")],
        };
        let (found, whole) = cases(&policy, (&one, &one), |_| (6, 80), 100).unwrap();
        assert!(whole && found.len() == 1);
        let (none, whole) = cases(&policy, (&one, &one), |_| (6, 80), 0).unwrap();
        assert!(!whole && none.is_empty());
    }
}
