//! The policy verdict: one function for the kernel, for user space and for tests.
//!
//! A *subject* is an endpoint in a group whose policy is asked; the *peer* is
//! the other side. Each connection is judged twice: by the sender's outgoing and
//! by the receiver's incoming rules.
//!
//! How a verdict is found, in this order:
//!
//! 1. (lineage, subject group, tier) → the group's *rule sets*, one per direction.
//!    No root, no group or no entry: the default, allow. The set of the normal tier
//!    says whether there are others: the admin tier is asked before it, the baseline
//!    tier after it, and the first tier that allows or denies decides.
//! 2. A rule set names the *profile* of each kind of peer that its rules name,
//!    see [`judge`]: any peer; the peer's group; the longest prefix that holds
//!    the peer's address; the longest prefix among those that are limited to the
//!    peer's group. Prefixes around very many others are looked for apart.
//!    At most six profiles, whatever the number of rules.
//! 3. A profile holds one [`Decision`] per block of ports that its rules name,
//!    per protocol, and for all the rest. The compiler lets the more special
//!    entry include the more general rules, so the first that is found decides.
//! 4. If rules are limited to addresses of the subject's own, the longest prefix
//!    that holds the own address names one more rule set, judged in the same way.
//! 5. The greatest [`Decision`] wins; one that passes leaves the tier. Nothing found
//!    in any tier: the group's default.
//! 6. If the group has staged policies, the same is done with them, see [`answer`].
//!
//! Look-ups, whatever the number of rules, prefixes and groups: none without
//! policy; 1 for a group without rules; 3 with rules for any peer alone; 12 with all
//! kinds of peers (step 1, then 3 + 4·2). The bounds with everything that there is:
//! 2 per profile, and 1 more for each further size of block, so 6 + 6·5 for a set,
//! twice that with rules for own addresses, thrice that with tiers, and all again for
//! staged policies. Each comes with a flag that no rule sets without need.

mod tables;
mod verdict;

pub use tables::{
    DECISIONS, DecisionKey, OWN_ADDRESSES, OwnKey, PEER_GROUPS, PEER_PREFIXES, PeerKey,
    PolicyTables, PrefixKey, Root, RuleSet, SUBJECTS, Selector, Sides, Subject, SubjectKey,
};
pub use verdict::{
    Action, Answer, Decision, FIRST_RULE, ICMP, ICMPV6, Outcome, RULE_DEFAULT,
    RULE_DEFAULT_DENY_IN, RULE_DEFAULT_DENY_OUT, RULE_FABRIC, RULE_NONE, TCP, UDP, Verdict,
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
    /// The tenant's [`Root`] as a number; 0 while it has no rules.
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
    /// Destination port of the connection's first packet, for TCP and UDP. Its type in the high
    /// and its code in the low byte, for ICMP and ICMPv6. Not read for others.
    pub port: u16,
}

/// Answers a query from one tenant's tables; see the module's text for the steps.
#[inline(always)]
pub fn evaluate<T: PolicyTables>(tables: &T, query: &Query) -> Verdict {
    let enforced = answer(tables, query, false);
    if enforced.has_staged() {
        enforced.verdict_with(answer(tables, query, true))
    } else {
        enforced.verdict()
    }
}

/// What the enforced policies say, and whether there are staged ones; or what they say together.
#[inline(always)]
pub fn answer<T: PolicyTables>(tables: &T, query: &Query, staged: bool) -> Answer {
    if query.root == 0 || query.subject_group == 0 {
        return Answer::DEFAULT;
    }
    let staged = if staged { SubjectKey::STAGED } else { 0 };
    let Some(normal) = rules_of(tables, query, SubjectKey::NORMAL | staged) else {
        return Answer::DEFAULT;
    };
    let mut answer = Answer::DEFAULT;
    if normal.kinds & RuleSet::DEFAULT_DENY != 0 {
        answer = Answer::deny(match query.direction {
            Direction::In => RULE_DEFAULT_DENY_IN,
            Direction::Out => RULE_DEFAULT_DENY_OUT,
        });
    }
    let mut tier = SubjectKey::ADMIN;
    while tier <= SubjectKey::BASELINE {
        let exists = match tier {
            SubjectKey::ADMIN => normal.kinds & RuleSet::ADMIN,
            SubjectKey::NORMAL => 1,
            _ => normal.kinds & RuleSet::BASELINE,
        };
        if exists != 0 {
            let rules = if tier == SubjectKey::NORMAL {
                Some(normal)
            } else {
                rules_of(tables, query, tier | staged)
            };
            if let Some(rules) = rules {
                let decision = judge(tables, &rules, query);
                if decision.decides() {
                    answer = decision.answer();
                    break;
                }
            }
        }
        tier += 1;
    }
    if normal.kinds & RuleSet::STAGED != 0 {
        answer = answer.with_staged();
    }
    answer
}

/// The rules of the subject's group for the direction, in one tier.
#[inline(always)]
fn rules_of<T: PolicyTables>(tables: &T, query: &Query, tier: u32) -> Option<RuleSet> {
    let root = Root::from_number(query.root);
    let key = SubjectKey {
        lineage: root.lineage,
        group: query.subject_group,
        tier,
    };
    let subject = tables.subject(&key)?;
    let subject = if root.side == 0 {
        &subject.left
    } else {
        &subject.right
    };
    Some(match query.direction {
        Direction::In => subject.receiving,
        Direction::Out => subject.sending,
    })
}

/// The winner among the rules of one set and those for the own address, or [`Decision::NONE`].
#[inline(always)]
pub fn judge<T: PolicyTables>(tables: &T, rules: &RuleSet, query: &Query) -> Decision {
    let side = Root::from_number(query.root).side;
    let mut winner = Decision::NONE;
    let mut rules = *rules;
    let mut round = 0;
    while round < 2 {
        winner = winner.max(among_peers(tables, &rules, query, side));
        if rules.kinds & RuleSet::OWN_ADDRESSES == 0 {
            break;
        }
        let key = OwnKey {
            set: rules.set,
            scope: family(&query.own_address),
            address: query.own_address,
        };
        let Some(own) = tables.own_address(&key) else {
            break;
        };
        rules = own.side(side);
        round += 1;
    }
    winner
}

/// The winner among the rules of one set, or [`Decision::NONE`].
///
/// | kind of rule | names | profile from | read when |
/// | --- | --- | --- | --- |
/// | any | no peer | the set itself | a rule of the kind exists |
/// | prefix | peer addresses | longest prefix of (set, peer address) | a rule of the kind exists |
/// | group | a peer group | (set, peer group) | a rule of the kind exists, the peer has a group |
/// | pair | both | longest prefix of (set, peer group, peer address) | as for group |
///
/// Kinds with prefixes are asked once more, for the longest of the wide ones, if there are any.
#[inline(always)]
fn among_peers<T: PolicyTables>(tables: &T, rules: &RuleSet, query: &Query, side: u32) -> Decision {
    let packet = (query.protocol as u32) << 16 | query.port as u32;
    let mut winner = Decision::NONE;
    if rules.any != 0 {
        winner = tables.in_profile(rules.any, packet, side);
    }
    let mut key = PrefixKey {
        set: rules.set,
        scope: 0,
        address: query.peer_address,
    };
    let family = family(&query.peer_address);
    let mut kind = 0;
    while kind < KINDS {
        // The bits of the kinds, in the order of the rounds: prefixes, pairs, both of them wide.
        let bit = match kind {
            0 => RuleSet::PREFIXES,
            1 => RuleSet::WIDE_PREFIXES,
            2 => RuleSet::PAIRS,
            3 => RuleSet::WIDE_PAIRS,
            _ => RuleSet::GROUPS,
        };
        let for_group = kind >= 2;
        if rules.kinds & bit != 0 && (!for_group || query.peer_group != 0) {
            let profile = if bit == RuleSet::GROUPS {
                tables.peer_group(&PeerKey {
                    set: rules.set,
                    group: query.peer_group,
                })
            } else {
                let wide = if kind & 1 == 0 { 0 } else { PrefixKey::WIDE };
                let group = if for_group { query.peer_group } else { 0 };
                key.scope = family | wide | group;
                tables.peer_prefix(&key)
            };
            let profile = match profile {
                Some(profile) => profile.side(side),
                None => 0,
            };
            if profile != 0 {
                winner = winner.max(tables.in_profile(profile, packet, side));
            }
        }
        kind += 1;
    }
    winner
}

/// Kinds of peers that a profile is looked up for.
const KINDS: u32 = 5;

/// Whether an address is a mapped one, as a part of keys.
#[inline(always)]
fn family(address: &[u8; 16]) -> u32 {
    let mut other = 0;
    let mut index = 0;
    while index < 12 {
        other |= address[index] ^ if index < 10 { 0 } else { 0xff };
        index += 1;
    }
    if other == 0 { PrefixKey::V4 } else { 0 }
}

/// The decision of one profile: for the smallest block that holds the port, else for the
/// protocol, else for all. `packet` is the protocol above 16 bits of port.
#[inline(always)]
pub fn in_profile<T: PolicyTables>(tables: &T, profile: u32, packet: u32, side: u32) -> Decision {
    let (protocol, port) = ((packet >> 16) as u8, packet as u16);
    let find = |selector| match tables.decision(&DecisionKey::new(profile, selector)) {
        Some(decision) => decision.side(side),
        None => Decision::NONE,
    };
    let head = find(Selector::protocol(protocol));
    if head.0 == 0 {
        return find(Selector::ALL);
    }
    let blocks = head.blocks();
    let mut size = 0;
    while size < Selector::SIZES {
        if blocks >> size & 1 != 0 {
            let decision = find(Selector::block(protocol, port, size));
            if decision.0 != 0 {
                return decision;
            }
        }
        size += 1;
    }
    head.without_blocks()
}
