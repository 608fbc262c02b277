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
//!    says whether there are others: the admin tier goes before it, the baseline
//!    tier behind it, and the first tier that allows or denies decides.
//! 2. A rule set names the *profile* of each kind of peer that its rules name,
//!    see [`judge`]: any peer; the peer's group; the longest prefix that holds
//!    the peer's address; the longest prefix among those that are limited to the
//!    peer's group. Prefixes around very many others are looked for apart.
//!    At most six profiles, whatever the number of rules. A group whose profile
//!    would have a single entry, for all packets, has that decision in place of it;
//!    and kinds that lose against what was found are not asked.
//! 3. A profile holds one [`Decision`] per block of ports that its rules name,
//!    per protocol, and for all the rest. The compiler lets the more special
//!    entry include the more general rules, so the first that is found decides.
//! 4. If rules are limited to addresses of the subject's own, the longest prefix
//!    that holds the own address names one more rule set, judged in the same way.
//! 5. The greatest [`Decision`] wins; one that passes leaves the tier. Nothing found
//!    in any tier: the group's default.
//! 6. If the group has staged policies, the same is done with them.
//!
//! Look-ups, whatever the number of rules, prefixes and groups: none without
//! policy; 1 for a group without rules; 2 where a rule for a group and all packets
//! stands highest, or with such rules for any peer alone; 12 at most with all kinds of
//! peers (step 1, then 3 + 4·2). The bounds with everything that there is:
//! 2 per profile, and 1 more for each further size of block, so 6 + 6·5 for a set,
//! twice that with rules for own addresses, thrice that with tiers, and all again for
//! staged policies. Each comes with a flag that no rule sets without need.

mod profile;
mod tables;
mod verdict;

pub use profile::{Peer, Profile};
pub use tables::{
    DECISIONS, DecisionKey, OWN_ADDRESSES, OwnKey, PEER_GROUPS, PEER_PREFIXES, PeerKey,
    PolicyTables, PrefixKey, Root, RuleSet, SUBJECTS, Selector, Sides, Subject, SubjectKey,
};
use verdict::Answer;
pub use verdict::{
    Action, Decision, FIRST_RULE, ICMP, ICMPV6, Outcome, RULE_DEFAULT, RULE_DEFAULT_DENY_IN,
    RULE_DEFAULT_DENY_OUT, RULE_FABRIC, RULE_NONE, Ruling, TCP, UDP, Verdict,
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
///
/// Addresses are aligned like numbers, which is how the kernel's programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Query {
    /// The tenant's [`Root`] as a number; 0 while it has no rules.
    pub root: u32,
    /// 0 for an endpoint outside any group.
    pub subject_group: u32,
    /// 0 for the host, the world, and endpoints outside any group.
    pub peer_group: u32,
    /// IPv4 in its mapped form, `::ffff:a.b.c.d`.
    pub own_address: [u8; 16],
    /// IPv4 in its mapped form.
    pub peer_address: [u8; 16],
    pub direction: Direction,
    /// As in the IP header, or the last of the IPv6 header chain.
    pub protocol: u8,
    /// Destination port of the connection's first packet, for TCP and UDP. Its type in the high
    /// and its code in the low byte, for ICMP and ICMPv6. Not read for others.
    pub port: u16,
}

const _: () = {
    assert!(size_of::<Query>() == 48);
    assert!(core::mem::offset_of!(Query, own_address) % 4 == 0);
    assert!(core::mem::offset_of!(Query, peer_address) % 4 == 0);
};

/// Answers a query from one tenant's tables; see the module's text for the steps.
#[inline(always)]
pub fn evaluate<T: PolicyTables>(tables: &T, query: &Query) -> Verdict {
    struct ByTables<'a, T>(&'a T, &'a Query);
    impl<T: PolicyTables> Rulings for ByTables<'_, T> {
        #[inline(always)]
        fn ruling(&self, tier: u32) -> Ruling {
            ruling(self.0, self.1, tier)
        }
    }
    evaluate_by(query, &ByTables(tables, query))
}

/// Answers [`ruling`] for one query. No closure, which the compiler would not promise to inline.
pub trait Rulings {
    fn ruling(&self, tier: u32) -> Ruling;
}

/// Answers a query by the rulings of tiers, as [`ruling`] finds them.
///
/// The normal tier is asked first, since its ruling says whether there are others.
#[inline(always)]
pub fn evaluate_by(query: &Query, ask: &impl Rulings) -> Verdict {
    if query.root == 0 || query.subject_group == 0 {
        return Verdict::DEFAULT;
    }
    let enforced = in_tier(SubjectKey::NORMAL, ask);
    let answer = among_tiers(query, enforced, 0, ask);
    if !enforced.has(Ruling::STAGED) {
        return answer.verdict();
    }
    let staged = in_tier(SubjectKey::NORMAL | SubjectKey::STAGED, ask);
    let staged = among_tiers(query, staged, SubjectKey::STAGED, ask);
    answer.verdict_with(staged)
}

#[inline(always)]
fn among_tiers(query: &Query, normal: Ruling, staged: u32, ask: &impl Rulings) -> Answer {
    let mut decision = normal.decision();
    if normal.has(Ruling::ADMIN) {
        let admin = in_tier(SubjectKey::ADMIN | staged, ask).decision();
        if admin.decides() {
            decision = admin;
        }
    }
    if !decision.decides() && normal.has(Ruling::BASELINE) {
        decision = in_tier(SubjectKey::BASELINE | staged, ask).decision();
    }
    if decision.decides() {
        return decision.answer();
    }
    if !normal.has(Ruling::DEFAULT_DENY) {
        return Answer::DEFAULT;
    }
    Answer::deny(match query.direction {
        Direction::In => RULE_DEFAULT_DENY_IN,
        Direction::Out => RULE_DEFAULT_DENY_OUT,
    })
}

/// The ruling of all rules of a tier, those for the own address included.
#[inline(always)]
fn in_tier(tier: u32, ask: &impl Rulings) -> Ruling {
    let ruling = ask.ruling(tier);
    if !ruling.has(Ruling::OWN) {
        return ruling;
    }
    ruling.or(ask.ruling(tier | SubjectKey::OWN).decision())
}

/// What the rules of the subject's group say in one tier, and what else there is to ask: the
/// rules for any own address, or with [`SubjectKey::OWN`] those for the subject's.
#[inline(always)]
pub fn ruling<T: PolicyTables>(tables: &T, query: &Query, tier: u32) -> Ruling {
    match rules(tables, query, tier) {
        Some(rules) => Ruling::new(judge(tables, rules, query), rules.kinds),
        None => Ruling::NONE,
    }
}

#[inline(always)]
fn rules<'a, T: PolicyTables>(tables: &'a T, query: &Query, tier: u32) -> Option<&'a RuleSet> {
    let root = Root::from_number(query.root);
    let subject = tables.subject(&SubjectKey {
        lineage: root.lineage,
        group: query.subject_group,
        tier: tier & !SubjectKey::OWN,
    })?;
    let subject = subject.at(root.side);
    let rules = match query.direction {
        Direction::In => &subject.receiving,
        Direction::Out => &subject.sending,
    };
    if tier & SubjectKey::OWN == 0 {
        return Some(rules);
    }
    let address = &query.own_address;
    let own = tables.own_address(rules.set, family(address), address)?;
    Some(own.at(root.side))
}

/// The winner among the rules of one set, or [`Decision::NONE`].
///
/// | kind of rule | names | profile from | read when |
/// | --- | --- | --- | --- |
/// | group | a peer group | (set, peer group) | a rule of the kind exists, the peer has a group |
/// | pair | both | longest prefix of (set, peer group, peer address) | as for group |
/// | prefix | peer addresses | longest prefix of (set, peer address) | a rule of the kind exists |
/// | any | no peer | the set itself | a rule of the kind exists |
///
/// Kinds with prefixes are asked once more, for the longest of the wide ones, if there are any;
/// and neither is asked once something was found that wins against all of them. The last kind is
/// not asked where another one has found something, if it always loses.
#[inline(always)]
pub fn judge<T: PolicyTables>(tables: &T, rules: &RuleSet, query: &Query) -> Decision {
    let mut winner = Decision::NONE;
    let mut kind = 0;
    while kind < KINDS {
        // The bits of the kinds, in the order of the rounds.
        let bit = match kind {
            0 => RuleSet::GROUPS,
            1 => RuleSet::PAIRS,
            2 => RuleSet::WIDE_PAIRS,
            3 => RuleSet::PREFIXES,
            4 => RuleSet::WIDE_PREFIXES,
            _ => 0,
        };
        let profile = if bit == 0 {
            if winner.0 != 0 && rules.kinds & RuleSet::ANY_LAST != 0 {
                0
            } else {
                rules.any
            }
        } else if rules.kinds & bit == 0 || kind < 3 && query.peer_group == 0 {
            0
        } else if bit == RuleSet::GROUPS {
            let key = PeerKey {
                set: rules.set,
                group: query.peer_group,
            };
            if rules.kinds & RuleSet::TELLING == 0 {
                profile_of(tables.older_peer_group(&key), query)
            } else if let Some(peer) = tables.peer_group(&key) {
                let peer = peer.side(query.root & 1);
                winner = peer.decision();
                peer.profile()
            } else {
                0
            }
        } else if RuleSet::outreached(rules.kinds, winner) {
            0
        } else {
            let wide = if kind & 1 == 0 { PrefixKey::WIDE } else { 0 };
            let group = if kind < 3 { query.peer_group } else { 0 };
            let address = &query.peer_address;
            let scope = family(address) | wide | group;
            let found = tables.peer_prefix(rules.set, scope, address);
            profile_of(found, query)
        };
        if profile != 0 {
            let entries = if rules.kinds & RuleSet::TELLING == 0 {
                Profile::ENTRIES
            } else {
                Profile(profile).entries() & (Profile::ALL | Profile::of(query.protocol))
            };
            if entries != 0 {
                let packet = entries << 24 | (query.protocol as u32) << 16 | query.port as u32;
                winner = winner.max(tables.in_profile(profile, packet, query.root & 1));
            }
        }
        kind += 1;
    }
    winner
}

/// Kinds of peers that a profile is looked up for.
const KINDS: u32 = 6;

#[inline(always)]
fn profile_of(found: Option<&Sides<u32>>, query: &Query) -> u32 {
    match found {
        Some(profile) => profile.side(query.root & 1),
        None => 0,
    }
}

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
/// protocol, else for all. `packet` is, from the highest byte down, which
/// [entries](Profile::entries) there may be, the protocol, and the port in two bytes.
#[inline(always)]
pub fn in_profile<T: PolicyTables>(tables: &T, profile: u32, packet: u32, side: u32) -> Decision {
    let (protocol, port) = ((packet >> 16) as u8, packet as u16);
    let find = |selector| match tables.decision(&DecisionKey::new(profile, selector)) {
        Some(decision) => decision.side(side),
        None => Decision::NONE,
    };
    const OF_PROTOCOLS: u32 = (Profile::ENTRIES - Profile::ALL) << 24;
    let head = if packet & OF_PROTOCOLS == 0 {
        Decision::NONE
    } else {
        find(Selector::protocol(protocol))
    };
    if head.0 == 0 {
        if packet & Profile::ALL << 24 == 0 {
            return Decision::NONE;
        }
        return find(Selector::ALL);
    }
    let mut size = 0;
    while size < Selector::SIZES {
        if head.blocks() >> size & 1 != 0 {
            let decision = find(Selector::block(protocol, port, size));
            if decision.0 != 0 {
                return decision;
            }
        }
        size += 1;
    }
    head.without_blocks()
}
