//! What rules have decided about, counted, and how full the table of connections is.

use std::collections::BTreeMap;

/// Packets, their bytes, and connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As the kernel handles them: what a device cuts into pieces later counts once.
    pub packets: u64,
    /// From the IP header on.
    pub bytes: u64,
    /// Connections, when the rule first decided about them.
    pub connections: u64,
}

/// What a rule has decided about since its host was set up.
///
/// A rule that allows counts all packets of its connections, answers included; one that denies
/// counts what was dropped. Both sides' rules count a packet; a receiver that is not asked, because
/// the sender's policy has denied already, has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTotals {
    /// What the rule has decided.
    pub enforced: Tally,
    /// What staged policies would have it allow or deny, and another rule denies or allows.
    pub staged: Tally,
}

/// How full the table of connections is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowUse {
    /// Rows that there are, used or not.
    pub rows: u32,
    /// Rows of one tenant, at most.
    pub share: u32,
    /// Rows that are used, by tenant; those with none are left out.
    pub used: BTreeMap<u32, u32>,
    /// Openings since the host was set up for which a tenant had no row left, and which got one
    /// that the next such opening may take away; by tenant.
    pub crowded: BTreeMap<u32, u64>,
}
