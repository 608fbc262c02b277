//! Verdicts, and the one total order that makes the deciding rule unique.

/// No rule: the packet was not judged by policy.
pub const RULE_NONE: u32 = 0;
/// The built-in rule of a packet that nothing matched: allow.
pub const RULE_DEFAULT: u32 = 1;
/// The built-in rule of what the fabric itself answers: ARP, neighbours, the gateway.
pub const RULE_FABRIC: u32 = 2;
/// Nothing matched, and the receiver's group denies what nothing matches.
pub const RULE_DEFAULT_DENY_IN: u32 = 3;
/// Nothing matched, and the sender's group denies what nothing matches.
pub const RULE_DEFAULT_DENY_OUT: u32 = 4;
/// Rules of users are numbered from here.
pub const FIRST_RULE: u32 = 16;

/// ICMP for IPv4, RFC 792.
pub const ICMP: u8 = 1;
/// RFC 9293.
pub const TCP: u8 = 6;
/// RFC 768.
pub const UDP: u8 = 17;
/// ICMP for IPv6, RFC 4443.
pub const ICMPV6: u8 = 58;

/// What a rule says of a connection. A verdict is never [`Pass`](Self::Pass).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    Allow,
    Deny,
    /// Leaves the rule's tier: the next one decides.
    Pass,
}

/// An action with the rule that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub action: Action,
    pub rule: u32,
}

/// The answer to a query, with the rule that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub action: Action,
    /// A user's rule, or a built-in one.
    pub rule: u32,
    /// The deciding rule asks for an event.
    pub log: bool,
    /// Allowed, and a later policy leaves the connection alone.
    pub keep: bool,
    /// What it would be if staged policies were enforced, where that differs.
    pub staged: Option<Outcome>,
}

impl Verdict {
    /// Nothing matched.
    pub const DEFAULT: Verdict = Answer::DEFAULT.verdict();

    /// The verdict without what staged policies would say.
    pub const fn outcome(&self) -> Outcome {
        Outcome {
            action: self.action,
            rule: self.rule,
        }
    }
}

/// An outcome with the options of its rule, in one number: cheap to hand on where registers are
/// few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer(u64);

impl Answer {
    const DENY: u64 = 1 << 32;
    const LOG: u64 = 1 << 33;
    const KEEP: u64 = 1 << 34;

    /// Allow, by the default rule.
    pub(super) const DEFAULT: Answer = Answer(RULE_DEFAULT as u64);

    /// A built-in denial.
    #[inline(always)]
    pub(super) const fn deny(rule: u32) -> Answer {
        Answer(Self::DENY | rule as u64)
    }

    #[inline(always)]
    const fn outcome(self) -> Outcome {
        let action = if self.0 & Self::DENY == 0 {
            Action::Allow
        } else {
            Action::Deny
        };
        Outcome {
            action,
            rule: self.0 as u32,
        }
    }

    /// The verdict where no policy is staged.
    #[inline(always)]
    pub(super) const fn verdict(self) -> Verdict {
        let Outcome { action, rule } = self.outcome();
        Verdict {
            action,
            rule,
            log: self.0 & Self::LOG != 0,
            keep: self.0 & Self::KEEP != 0,
            staged: None,
        }
    }

    /// The verdict where staged policies gave the second answer.
    #[inline(always)]
    pub(super) const fn verdict_with(self, staged: Answer) -> Verdict {
        const OUTCOME: u64 = Answer::DENY | u32::MAX as u64;
        let mut verdict = self.verdict();
        if self.0 & OUTCOME != staged.0 & OUTCOME {
            verdict.staged = Some(staged.outcome());
        }
        verdict
    }
}

/// What one tier says: a decision, and in its free bits what else a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Ruling(pub u64);

impl Ruling {
    /// No rules at all.
    pub const NONE: Ruling = Ruling(0);
    /// There are rules for addresses of the subject's own.
    pub const OWN: u64 = 1;
    /// There is a tier before the normal one.
    pub const ADMIN: u64 = 2;
    /// There is a tier behind the normal one.
    pub const BASELINE: u64 = 4;
    /// There are staged policies.
    pub const STAGED: u64 = 8;
    /// What nothing matches is denied.
    pub const DEFAULT_DENY: u64 = 16;

    const FLAGS: u64 = 31;

    /// From the tier's decision and its set's [`kinds`](super::RuleSet::kinds).
    #[inline(always)]
    pub const fn new(decision: Decision, kinds: u32) -> Ruling {
        // The flags of a set are in the same order.
        let flags = (kinds / super::RuleSet::OWN_ADDRESSES) as u64 & Self::FLAGS;
        Ruling(decision.0 & !Self::FLAGS | flags)
    }

    #[inline(always)]
    pub const fn decision(self) -> Decision {
        Decision(self.0 & !Self::FLAGS)
    }

    /// The greater of two decisions, with the flags of this ruling.
    #[inline(always)]
    pub(super) const fn or(self, other: Decision) -> Ruling {
        Ruling(self.decision().max(other).0 | self.0 & Self::FLAGS)
    }

    #[inline(always)]
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }
}

const _: () = {
    use super::RuleSet;
    const fn flag(kind: u32) -> u64 {
        Ruling::new(Decision::NONE, kind).0
    }
    assert!(flag(RuleSet::OWN_ADDRESSES) == Ruling::OWN);
    assert!(flag(RuleSet::ADMIN) == Ruling::ADMIN);
    assert!(flag(RuleSet::BASELINE) == Ruling::BASELINE);
    assert!(flag(RuleSet::STAGED) == Ruling::STAGED);
    assert!(flag(RuleSet::DEFAULT_DENY) == Ruling::DEFAULT_DENY);
};

/// A rule's place in the total order within its tier, with all that its verdict needs.
///
/// The greater value wins. From the highest bit down:
///
/// | bits | meaning | wins |
/// | --- | --- | --- |
/// | 63–50 | order of the policy | the higher |
/// | 49–42 | the rule's priority | the higher |
/// | 41–40 | the action: 1 allow, 2 pass, 3 deny | deny, then pass |
/// | 39–8 | the rule's number, all bits inverted | the smaller number |
/// | 7–6 | options: log, keep | nothing: numbers are unique |
/// | 3–0 | in a protocol's entry: which [blocks](super::Selector::block) its profile has | nothing |
///
/// It depends on the rule alone, never on its neighbours: a rule that comes or
/// goes leaves the decisions of all others as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Decision(pub u64);

impl Decision {
    /// No rule matched; loses against every rule.
    pub const NONE: Decision = Decision(0);
    /// The highest order that a policy can have.
    pub const MAX_ORDER: u16 = (1 << 14) - 1;

    const ACTION: u32 = 40;
    const LOG: u64 = 1 << 7;
    const KEEP: u64 = 1 << 6;
    const BLOCKS: u64 = 15;

    /// The decision of the rule with this number; `order` is at most [`MAX_ORDER`](Self::MAX_ORDER).
    #[inline(always)]
    pub const fn new(order: u16, priority: u8, action: Action, rule: u32) -> Decision {
        let action: u64 = match action {
            Action::Allow => 1,
            Action::Pass => 2,
            Action::Deny => 3,
        };
        Decision(
            (order as u64) << 50
                | (priority as u64) << 42
                | action << Self::ACTION
                | (!rule as u64) << 8,
        )
    }

    /// The same decision, of a rule that asks for events.
    pub const fn logged(self) -> Decision {
        Decision(self.0 | Self::LOG)
    }

    /// The same decision, of an allowing rule whose connections a later policy leaves alone.
    pub const fn kept(self) -> Decision {
        Decision(self.0 | Self::KEEP)
    }

    /// The same decision, as the entry of a protocol with blocks of these sizes.
    pub const fn with_blocks(self, blocks: u32) -> Decision {
        Decision(self.0 | blocks as u64 & Self::BLOCKS)
    }

    /// The sizes of blocks that a protocol's entry announces, a bit each.
    #[inline(always)]
    pub const fn blocks(self) -> u32 {
        (self.0 & Self::BLOCKS) as u32
    }

    /// Without the sizes of blocks.
    #[inline(always)]
    pub const fn without_blocks(self) -> Decision {
        Decision(self.0 & !Self::BLOCKS)
    }

    /// Whether a rule allows or denies; neither for none nor for one that passes.
    #[inline(always)]
    pub const fn decides(self) -> bool {
        // Allow and deny are the odd ones.
        self.0 >> Self::ACTION & 1 != 0
    }

    /// The greater of two; `Ord::max` would do the same, without the promise to be inlined.
    #[inline(always)]
    pub const fn max(self, other: Decision) -> Decision {
        if self.0 >= other.0 { self } else { other }
    }

    /// What the rule says, when it [decides](Self::decides).
    #[inline(always)]
    pub(super) const fn answer(self) -> Answer {
        let mut answer = !(self.0 >> 8) as u32 as u64;
        if self.0 >> Self::ACTION & 2 != 0 {
            answer |= Answer::DENY;
        }
        if self.0 & Self::LOG != 0 {
            answer |= Answer::LOG;
        }
        if self.0 & Self::KEEP != 0 {
            answer |= Answer::KEEP;
        }
        Answer(answer)
    }

    /// The rule's number; without meaning for [`NONE`](Self::NONE).
    pub const fn rule(self) -> u32 {
        !(self.0 >> 8) as u32
    }
}

const _: () = assert!(size_of::<Decision>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_gives_back_its_rule() {
        for action in [Action::Allow, Action::Deny] {
            for rule in [FIRST_RULE, 77, u32::MAX] {
                let decision = Decision::new(3, 100, action, rule).with_blocks(15);
                assert!(decision.decides());
                assert_eq!(decision.blocks(), 15);
                assert_eq!(decision.rule(), rule);
                assert_eq!(
                    decision.answer().verdict().outcome(),
                    Outcome { action, rule }
                );
                assert!(decision > Decision::NONE);
                let kept = decision.logged().kept().answer().verdict();
                assert!(kept.log && kept.keep && kept.rule == rule);
            }
        }
        assert!(!Decision::NONE.decides());
        assert!(!Decision::NONE.with_blocks(15).decides());
        assert!(!Decision::new(0, 1, Action::Pass, 20).decides());
    }

    #[test]
    fn order_then_priority_then_deny_then_the_smaller_number_wins() {
        let ascending = [
            Decision::new(0, 1, Action::Allow, 20).logged(),
            Decision::new(0, 1, Action::Allow, 19),
            Decision::new(0, 1, Action::Pass, 30),
            Decision::new(0, 1, Action::Deny, 21),
            Decision::new(0, 2, Action::Allow, 40),
            Decision::new(1, 0, Action::Allow, 50),
            Decision::new(Decision::MAX_ORDER, 0, Action::Allow, 50),
        ];
        assert!(ascending.is_sorted());
        assert_eq!(ascending[1].max(ascending[4]), ascending[4]);
    }

    #[test]
    fn a_staged_answer_is_told_where_it_differs() {
        let allow = Answer::DEFAULT;
        assert_eq!(allow.verdict_with(Answer::DEFAULT), Verdict::DEFAULT);
        let deny = allow.verdict_with(Answer::deny(77));
        assert_eq!(
            deny.staged,
            Some(Outcome {
                action: Action::Deny,
                rule: 77
            })
        );
        assert_eq!(deny.outcome(), Verdict::DEFAULT.outcome());
    }
}
