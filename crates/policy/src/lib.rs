//! Rules as plain values, and the two ways to a verdict that are held to each other.
//!
//! - [`TenantPolicy`] is all that a verdict depends on: groups with their
//!   policies, and rules with their names resolved.
//! - [`evaluate_reference`] answers by walking every rule: obvious by reading,
//!   and what everything else is tested against.
//! - [`compile`] turns a tenant's policy into rule sets and profiles, and refuses,
//!   naming the rule, what would exceed the tenant's share.
//! - [`HostTables`] numbers them by content and says which [`Rows`] a new build
//!   adds to a host's tables, and which ones are to go with an old build.
//! - [`Rows`] can be asked in user space by the function that the kernel runs,
//!   `contiv_datapath_abi::policy::evaluate`.
//!
//! No clock, no I/O, no order that depends on hashing. The model with worked
//! examples is in `docs/policy.md`, the reasons in `docs/adr/0002-policy-tables.md`.

#[cfg(test)]
mod agreement;
mod compile;
mod compiled;
mod error;
mod host_tables;
mod interner;
mod prefix;
mod reference;
mod rows;
#[cfg(any(test, feature = "strategies"))]
pub mod strategies;
mod tenant;

pub use compile::{compile, compile_within};
pub use compiled::{CompiledPolicy, CompiledSet, GroupRules, Profile};
pub use error::{Limits, PolicyError};
pub use host_tables::HostTables;
pub use prefix::{Prefix, prefixes_of};
pub use reference::evaluate_reference;
pub use rows::Rows;
pub use tenant::{PolicyRule, TenantPolicy};

/// The types that queries and verdicts are made of, shared with the kernel.
pub use contiv_datapath_abi::policy::{Action, Direction, Query, Verdict, evaluate};
