//! The policy verdict: one function for the kernel, for user space and for tests.
//!
//! A *subject* is an endpoint in a group whose policy is asked; the *peer* is
//! the other side. Each connection is judged twice: by the sender's outgoing and
//! by the receiver's incoming rules.
//!
//! How a verdict is found, in this order:
//!
//! 1. (root, subject group) → the group's *rule sets*, one per direction. No
//!    root, no group or no entry: the default, allow.
//! 2. A rule set names the *profile* of each kind of peer that its rules name,
//!    see [`judge`]: any peer; the peer's group; the longest prefix that holds
//!    the peer's address; the longest prefix among those that are limited to the
//!    peer's group. At most four profiles, whatever the number of rules.
//! 3. A profile holds one [`Decision`] per (protocol, port) that its rules name,
//!    per protocol, and for all the rest. The compiler lets the more special
//!    entry include the more general rules, so the first that is found decides.
//! 4. If rules are limited to addresses of the subject's own, the longest prefix
//!    that holds the own address names one more rule set, judged in the same way.
//! 5. The greatest [`Decision`] wins. Nothing found: the default, allow.
//!
//! Look-ups, whatever the number of rules, prefixes and groups: none without
//! policy; 1 for a group without rules; 4 with rules for any peer alone; at most
//! 16 (step 1, then 3 + 4·3), or 32 with rules for own addresses.

mod tables;
mod verdict;

pub use tables::{
    DECISIONS, DecisionKey, OWN_ADDRESSES, OwnKey, PEER_GROUPS, PEER_PREFIXES, PeerKey,
    PolicyTables, PrefixKey, RuleSet, SUBJECTS, Selector, Subject, SubjectKey,
};
pub use verdict::{
    Action, Decision, FIRST_RULE, ICMP, ICMPV6, RULE_DEFAULT, RULE_FABRIC, RULE_NONE, TCP, UDP,
    Verdict,
};

/// The side of the subject that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// The subject receives the connection's first packet.
    In,
    /// The subject sends it.
    Out,
}

/// What is asked: may this subject exchange such a connection with this peer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The build of the tenant's tables that is in force; 0 while it has none.
    pub root: u32,
    /// 0 for an endpoint outside any group.
    pub subject_group: u32,
    /// IPv4 in its mapped form, `::ffff:a.b.c.d`.
    pub own_address: [u8; 16],
    pub direction: Direction,
    /// 0 for the host, the world, and endpoints outside any group.
    pub peer_group: u32,
    /// IPv4 in its mapped form.
    pub peer_address: [u8; 16],
    /// As in the IP header, or the last of the IPv6 header chain.
    pub protocol: u8,
    /// Destination port of the connection's first packet; read for TCP and UDP alone.
    pub port: u16,
}

/// Answers a query from one tenant's tables; see the module's text for the steps.
#[inline(always)]
pub fn evaluate<T: PolicyTables>(tables: &T, query: &Query) -> Verdict {
    if query.root == 0 || query.subject_group == 0 {
        return Verdict::DEFAULT;
    }
    let key = SubjectKey {
        root: query.root,
        group: query.subject_group,
    };
    let Some(subject) = tables.subject(&key) else {
        return Verdict::DEFAULT;
    };
    let rules = match query.direction {
        Direction::In => subject.receiving,
        Direction::Out => subject.sending,
    };
    let mut winner = judge(tables, &rules, query);
    if rules.kinds & RuleSet::OWN_ADDRESSES != 0 {
        let key = OwnKey {
            set: rules.set,
            address: query.own_address,
        };
        if let Some(own) = tables.own_address(&key) {
            winner = winner.max(judge(tables, &own, query));
        }
    }
    winner.verdict()
}

/// The winner among the rules of one set, or [`Decision::NONE`].
///
/// | kind of rule | names | profile from | read when |
/// | --- | --- | --- | --- |
/// | any | no peer | the set itself | a rule of the kind exists |
/// | group | a peer group | (set, peer group) | a rule of the kind exists, the peer has a group |
/// | prefix | peer addresses | longest prefix of (set, 0, peer address) | a rule of the kind exists |
/// | pair | both | longest prefix of (set, peer group, peer address) | as for group |
#[inline(always)]
pub fn judge<T: PolicyTables>(tables: &T, rules: &RuleSet, query: &Query) -> Decision {
    let mut winner = in_profile(tables, rules.any, query);
    if rules.kinds & RuleSet::PREFIXES != 0 {
        let key = PrefixKey {
            set: rules.set,
            group: 0,
            address: query.peer_address,
        };
        if let Some(profile) = tables.peer_prefix(&key) {
            winner = winner.max(in_profile(tables, profile, query));
        }
    }
    if query.peer_group == 0 {
        return winner;
    }
    if rules.kinds & RuleSet::GROUPS != 0 {
        let key = PeerKey {
            set: rules.set,
            group: query.peer_group,
        };
        if let Some(profile) = tables.peer_group(&key) {
            winner = winner.max(in_profile(tables, profile, query));
        }
    }
    if rules.kinds & RuleSet::PAIRS != 0 {
        let key = PrefixKey {
            set: rules.set,
            group: query.peer_group,
            address: query.peer_address,
        };
        if let Some(profile) = tables.peer_prefix(&key) {
            winner = winner.max(in_profile(tables, profile, query));
        }
    }
    winner
}

/// The decision of one profile: for the port, else for the protocol, else for all.
#[inline(always)]
fn in_profile<T: PolicyTables>(tables: &T, profile: u32, query: &Query) -> Decision {
    if profile == 0 {
        return Decision::NONE;
    }
    if query.protocol == TCP || query.protocol == UDP {
        let port = DecisionKey::new(profile, Selector::port(query.protocol, query.port));
        if let Some(decision) = tables.decision(&port) {
            return decision;
        }
    }
    let protocol = DecisionKey::new(profile, Selector::protocol(query.protocol));
    if let Some(decision) = tables.decision(&protocol) {
        return decision;
    }
    let all = DecisionKey::new(profile, Selector::ALL);
    tables.decision(&all).unwrap_or(Decision::NONE)
}
