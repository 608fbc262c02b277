//! Rules as plain values, and the two ways to a verdict that are held to each other.
//!
//! - [`TenantPolicy`] is all that a verdict depends on: groups with their policies and defaults,
//!   policies with their places, and rules with their names resolved.
//! - [`evaluate_reference`] answers by walking every rule: obvious by reading,
//!   and what everything else is tested against.
//! - [`HostTables`] compiles a tenant's policy, keeps what it has compiled, and says which
//!   [`Rows`] a change writes and deletes. It refuses, naming the rule, what would exceed the
//!   tenant's share; [`Weights`] says of most policies that they do not, much faster.
//! - [`Rows`] can be asked in user space by the function that the kernel runs,
//!   `contiv_datapath_abi::policy::evaluate`.
//!
//! - [`explain`] says why, step by step, from rules and from tables; [`matrix`] says who may
//!   reach whom on a port, and [`diff`] what a change would open or close. [`Course`] is the way that
//!   the kernel would let a connection take, with what both policies say.
//!
//! No clock, no I/O, no order that depends on hashing. The model with worked
//! examples is in `docs/policy.md`, the reasons in `docs/adr/0002-policy-tables.md` and
//! `docs/adr/0010-policy-to-full-depth.md`.

#[cfg(test)]
mod agreement;
mod cases;
#[cfg(test)]
mod compared;
mod course;
mod diff;
mod error;
mod explain;
mod heights;
mod host_tables;
mod lineage;
mod matrix;
mod numbers;
mod prefix;
mod prefix_table;
mod profile;
mod reference;
mod rows;
mod rule_set;
mod sided;
mod space;
#[cfg(any(test, feature = "strategies"))]
pub mod strategies;
mod table;
mod tenant;
mod terms;
mod weights;
mod writer;

pub use cases::{Case, End, cases};
pub use course::{Beginning, Course, Way};
pub use diff::{Change, Cut, Diff, diff};
pub use error::{Limits, PolicyError};
pub use explain::{
    Explanation, Miss, Names, Part, Party, PolicyExplained, Question, RuleExplained, SideExplained,
    TierExplained, explain, explain_hosts, explain_side,
};
pub use host_tables::{Build, HostTables, Settling, compile, compile_within};
pub use matrix::{Answer, Cell, Matrix, MatrixQuestion, matrix};
pub use prefix::{Prefix, prefixes_of};
pub use reference::evaluate_reference;
pub use rows::Rows;
pub use tenant::{Defaults, IcmpMessage, Placement, PolicyRule, PortRange, TenantPolicy, Tier};
pub use weights::Weights;

/// The types that queries and verdicts are made of, shared with the kernel.
pub use contiv_datapath_abi::policy::{
    Action, Direction, Outcome, Query, Root, Sides, Verdict, evaluate,
};
