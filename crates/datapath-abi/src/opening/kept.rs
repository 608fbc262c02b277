//! Connections that a later policy leaves alone.

use crate::flow::Flow;
use crate::policy::{Action, Verdict};

/// What rules that keep connections have promised to one that is judged again.
///
/// The promise was made to two endpoints in their groups: it holds for no others in their place, and
/// ends when one of them comes into another group, in which the rule would not have been asked.
/// Networks, routing and the state of endpoints are no policy, and are looked at as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Kept {
    /// [`Flow::KEPT_BY_OPENER`], [`Flow::KEPT_BY_ACCEPTER`], added up.
    pub sides: u32,
    pub opener: u32,
    pub opener_group: u32,
    pub opener_rule: u32,
    pub accepter: u32,
    pub accepter_group: u32,
    pub accepter_rule: u32,
}

impl Kept {
    /// A connection that begins.
    pub const NONE: Kept = Kept {
        sides: 0,
        opener: 0,
        opener_group: 0,
        opener_rule: 0,
        accepter: 0,
        accepter_group: 0,
        accepter_rule: 0,
    };

    /// What was promised to a connection.
    #[inline(always)]
    pub const fn of(flow: &Flow) -> Kept {
        Kept {
            sides: (flow.flags & (Flow::KEPT_BY_OPENER | Flow::KEPT_BY_ACCEPTER)) as u32,
            opener: flow.forward.sender,
            opener_group: flow.opener_group,
            opener_rule: flow.opener_rule,
            accepter: flow.forward.target,
            accepter_group: flow.accepter_group,
            accepter_rule: flow.accepter_rule,
        }
    }

    /// The verdict of a side that is not asked again.
    #[inline(always)]
    pub(super) const fn verdict(&self, flow: &Flow, side: u8) -> Option<Verdict> {
        if self.sides & side as u32 == 0
            || self.opener != flow.forward.sender
            || self.accepter != flow.forward.target
            || self.opener_group != flow.opener_group
            || self.accepter_group != flow.accepter_group
        {
            return None;
        }
        let rule = match side {
            Flow::KEPT_BY_OPENER => self.opener_rule,
            _ => self.accepter_rule,
        };
        Some(Verdict {
            action: Action::Allow,
            rule,
            log: false,
            keep: true,
            staged: None,
        })
    }
}
