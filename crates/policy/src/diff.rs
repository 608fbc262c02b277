//! What a change of policy would open or close.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use contiv_datapath_abi::policy::Action;
use contiv_model::agent::AddressRange;

use crate::explain::{Party, Question};
use crate::matrix::ask;
use crate::space::{PacketClass, Say, protocols};
use crate::{Build, Placement, PolicyError, PolicyRule, PortRange, TenantPolicy, compile};

/// Connections whose verdict changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Groups; 0 is the host, the world, and endpoints outside any group.
    pub from: u32,
    pub to: u32,
    /// Addresses of the sender; `None` for all.
    pub from_addresses: Option<AddressRange>,
    /// Addresses of the receiver; `None` for all.
    pub to_addresses: Option<AddressRange>,
    /// `None` for all but TCP, UDP, ICMP, ICMPv6 and those that a rule of either policy names.
    pub protocol: Option<u8>,
    /// Ports, or ICMP messages as in [`Query::port`](crate::Query::port).
    pub ports: PortRange,
    /// What becomes of them: it was the other one.
    pub becomes: Action,
}

/// All changes, or as many as were found in the time allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub changes: Vec<Change>,
    /// Set when there was too much to ask.
    pub cut: Option<Cut>,
}

/// Where a comparison ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Questions that were asked.
    pub asked: usize,
    /// Pairs of groups that were compared to the end, of those that may differ.
    pub pairs: usize,
    pub of: usize,
}

impl Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut { asked, pairs, of } = self;
        write!(
            f,
            "stopped after {asked} questions, with {pairs} of {of} pairs of groups compared: \
             what is listed changes, and more may; ask about fewer groups at a time"
        )
    }
}

/// Compares two policies by asking both about each class of questions that either can tell
/// apart, `limit` questions at most.
///
/// 1. Pairs of groups between which neither rules nor their places nor defaults differ are
///    passed over.
/// 2. Between the others, addresses, protocols and ports are cut where a rule of either begins
///    or ends, and one question is asked for each piece.
/// 3. Neighbouring pieces of ports that change alike are told as one.
pub fn diff(old: &TenantPolicy, new: &TenantPolicy, limit: usize) -> Result<Diff, PolicyError> {
    let (before, after) = (compile(old)?, compile(new)?);
    let groups = groups(&[old, new]);
    let pairs: Vec<(u32, u32)> = groups
        .iter()
        .flat_map(|from| groups.iter().map(|to| (*from, *to)))
        .filter(|(from, to)| may_differ(old, new, *from, *to))
        .collect();
    let protocols = protocols(&[old, new]);
    let mut found = Diff::default();
    let mut asked = 0;
    for (done, &(from, to)) in pairs.iter().enumerate() {
        let say = Say::between(&[old, new], from, to);
        let packets = say.packets(&protocols);
        for addresses in say.addresses(&[], &[]) {
            if asked + packets.len() > limit {
                found.cut = Some(Cut {
                    asked,
                    pairs: done,
                    of: pairs.len(),
                });
                return Ok(found);
            }
            asked += packets.len();
            let (sender, receiver) = addresses;
            let mut last: Option<Change> = None;
            for class in &packets {
                let question = Question {
                    from: Party {
                        group: from,
                        address: sender.sample(),
                    },
                    to: Party {
                        group: to,
                        address: receiver.sample(),
                    },
                    protocol: class.sample,
                    port: class.ports.first,
                };
                let Some(becomes) = changed(&before, &after, &question) else {
                    found.changes.extend(last.take());
                    continue;
                };
                if let Some(change) = &mut last
                    && joins(change, class, becomes)
                {
                    change.ports.last = class.ports.last;
                    continue;
                }
                found.changes.extend(last.take());
                last = Some(Change {
                    from,
                    to,
                    from_addresses: sender.range(),
                    to_addresses: receiver.range(),
                    protocol: class.protocol,
                    ports: class.ports,
                    becomes,
                });
            }
            found.changes.extend(last);
        }
    }
    Ok(found)
}

/// The groups that policies tell apart; all others are to them as none.
pub(crate) fn groups(policies: &[&TenantPolicy]) -> BTreeSet<u32> {
    let mut groups = BTreeSet::from([0]);
    for policy in policies {
        groups.extend(policy.groups.keys().chain(policy.defaults.keys()));
        groups.extend(policy.rules.iter().filter_map(|rule| rule.peer_group));
    }
    groups
}

fn changed(before: &Build, after: &Build, question: &Question) -> Option<Action> {
    let is_open = |build: &Build| ask((&build.write, build.root), question).is_ok();
    match (is_open(before), is_open(after)) {
        (false, true) => Some(Action::Allow),
        (true, false) => Some(Action::Deny),
        _ => None,
    }
}

/// Whether a class goes on where the change ends.
fn joins(change: &Change, class: &PacketClass, becomes: Action) -> bool {
    change.protocol == class.protocol
        && change.becomes == becomes
        && change.ports.last.checked_add(1) == Some(class.ports.first)
}

/// Whether anything that has a say between two groups is another one.
fn may_differ(old: &TenantPolicy, new: &TenantPolicy, from: u32, to: u32) -> bool {
    what_is_said(old, from, to) != what_is_said(new, from, to)
}

type Said<'a> = (Vec<&'a PolicyRule>, Vec<Placement>, (Action, Action));

fn what_is_said(policy: &TenantPolicy, from: u32, to: u32) -> Said<'_> {
    let say = Say::between(&[policy], from, to);
    let mut rules: Vec<_> = say.sending.into_iter().chain(say.receiving).collect();
    rules.sort_unstable_by_key(|rule| rule.number);
    let places = rules.iter().map(|rule| policy.placement(&rule.policy));
    let places = places.collect();
    let defaults = (
        policy.defaults_of(from).sending,
        policy.defaults_of(to).receiving,
    );
    (rules, places, defaults)
}
