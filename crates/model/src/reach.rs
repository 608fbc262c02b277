//! Who may reach whom: what operators ask, and what masters answer.

mod diff;
mod matrix;
mod packets;
mod trace;

pub use diff::{DiffChange, DiffTenant, PolicyDiff};
pub use matrix::{MatrixCell, MatrixEntry, MatrixRequest, PolicyMatrix};
pub use packets::Packets;
pub use trace::{
    Pair, Party, TableSays, Trace, TraceCase, TraceOutcome, TracePolicy, TraceRequest, TraceRule,
    TraceSide, TraceTier, Unanswered,
};

/// The word for a connection that is open, in all answers.
pub const ALLOW: &str = "allow";
/// Policy says no.
pub const DENY: &str = "deny";
/// Packets do not arrive, whatever policies say.
pub const UNREACHABLE: &str = "unreachable";
/// Not one answer for all addresses.
pub const DEPENDS: &str = "depends";
