//! Verdicts, and the one total order that makes the deciding rule unique.

/// No rule: the packet was not judged by policy.
pub const RULE_NONE: u32 = 0;
/// The built-in rule of a packet that nothing matched: allow.
pub const RULE_DEFAULT: u32 = 1;
/// The built-in rule of what the fabric itself answers: ARP, neighbours, the gateway.
pub const RULE_FABRIC: u32 = 2;
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

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    Allow,
    Deny,
}

/// The answer to a query, with the rule that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub action: Action,
    /// A user's rule, or [`RULE_DEFAULT`].
    pub rule: u32,
}

impl Verdict {
    /// Nothing matched.
    pub const DEFAULT: Verdict = Verdict {
        action: Action::Allow,
        rule: RULE_DEFAULT,
    };
}

/// A rule's place in the total order, with all that its verdict needs.
///
/// The greater value wins. From the highest bit down:
///
/// | bits | meaning | wins |
/// | --- | --- | --- |
/// | 63–48 | order of tier and policy | the higher |
/// | 47–40 | the rule's priority | the higher |
/// | 39–38 | the action: 1 allow, 3 deny | deny |
/// | 37–32 | 0, for options of rules | |
/// | 31–0 | the rule's number, all bits inverted | the smaller number |
///
/// It depends on the rule alone, never on its neighbours: a rule that comes or
/// goes leaves the decisions of all others as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Decision(pub u64);

impl Decision {
    /// No rule matched; loses against every rule.
    pub const NONE: Decision = Decision(0);

    const ALLOW: u64 = 1 << 38;
    const DENY: u64 = 3 << 38;

    /// The decision of the rule with this number.
    #[inline(always)]
    pub const fn new(order: u16, priority: u8, action: Action, rule: u32) -> Decision {
        let action = match action {
            Action::Allow => Self::ALLOW,
            Action::Deny => Self::DENY,
        };
        Decision((order as u64) << 48 | (priority as u64) << 40 | action | !rule as u64)
    }

    /// The greater of two; `Ord::max` would do the same, without the promise to be inlined.
    #[inline(always)]
    pub const fn max(self, other: Decision) -> Decision {
        if self.0 >= other.0 { self } else { other }
    }

    /// What the rule says; [`Verdict::DEFAULT`] for none.
    #[inline(always)]
    pub const fn verdict(self) -> Verdict {
        if self.0 == 0 {
            return Verdict::DEFAULT;
        }
        let action = if self.0 & Self::DENY == Self::DENY {
            Action::Deny
        } else {
            Action::Allow
        };
        Verdict {
            action,
            rule: !(self.0 as u32),
        }
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
                let decision = Decision::new(3, 100, action, rule);
                assert_eq!(decision.verdict(), Verdict { action, rule });
                assert!(decision > Decision::NONE);
            }
        }
        assert_eq!(Decision::NONE.verdict(), Verdict::DEFAULT);
    }

    #[test]
    fn order_then_priority_then_deny_then_the_smaller_number_wins() {
        let ascending = [
            Decision::new(0, 1, Action::Allow, 20),
            Decision::new(0, 1, Action::Allow, 19),
            Decision::new(0, 1, Action::Deny, 21),
            Decision::new(0, 2, Action::Allow, 40),
            Decision::new(1, 0, Action::Allow, 50),
        ];
        assert!(ascending.is_sorted());
        assert_eq!(ascending[1].max(ascending[3]), ascending[3]);
    }
}
