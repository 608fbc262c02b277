//! What is told of a connection beside its verdict.

use crate::event::Event;
use crate::policy::{Action, Direction, Verdict};

/// What policy says of a connection beside its verdict. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Remarks {
    /// [`LOG`](Self::LOG), and how staged rules would decide, as in [`Event::flags`].
    pub flags: u32,
    /// The rule by which staged policies would decide otherwise for the opener; 0 for none.
    pub staged_opener_rule: u32,
    /// As above, for the accepter.
    pub staged_accepter_rule: u32,
}

impl Remarks {
    /// A rule that decided asks for an event.
    pub const LOG: u32 = 1;

    /// Nothing to tell.
    pub const NONE: Remarks = Remarks {
        flags: 0,
        staged_opener_rule: 0,
        staged_accepter_rule: 0,
    };

    /// Whether staged policies would decide otherwise.
    #[inline(always)]
    pub const fn is_staged(&self) -> bool {
        self.staged_opener_rule | self.staged_accepter_rule != 0
    }

    #[inline(always)]
    pub(super) fn note(&mut self, verdict: &Verdict, direction: Direction) {
        if verdict.log {
            self.flags |= Self::LOG;
        }
        let Some(staged) = verdict.staged else {
            return;
        };
        let denies = matches!(staged.action, Action::Deny);
        // The same by another rule is nothing else for the connection.
        if denies == matches!(verdict.action, Action::Deny) {
            return;
        }
        let (rule, flag) = match direction {
            Direction::Out => (&mut self.staged_opener_rule, Event::STAGED_OPENER_DENIES),
            Direction::In => (
                &mut self.staged_accepter_rule,
                Event::STAGED_ACCEPTER_DENIES,
            ),
        };
        *rule = staged.rule;
        if denies {
            self.flags |= flag as u32;
        }
    }
}
