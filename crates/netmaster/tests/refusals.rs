//! What netmaster refuses, and what it does not, through REST and through netctl.
//!
//! One table per noun; each row is sent both ways. A refusal has the right status, names the
//! field, and changes nothing; netctl names the flag.

#![allow(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs fails there"
)]

#[path = "refusals/deletion.rs"]
mod deletion;
#[path = "refusals/global.rs"]
mod global;
#[path = "refusals/groups.rs"]
mod groups;
#[path = "refusals/master.rs"]
mod master;
#[path = "refusals/networks.rs"]
mod networks;
#[path = "refusals/noun.rs"]
mod noun;
#[path = "refusals/rules.rs"]
mod rules;
#[path = "refusals/tenants.rs"]
mod tenants;
