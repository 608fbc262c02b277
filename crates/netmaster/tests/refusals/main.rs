//! What netmaster refuses, and what it does not, through REST and through netctl.
//!
//! One table per noun; each row is sent both ways. A refusal has the right status, names the
//! field, and changes nothing; netctl names the flag.

#![allow(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs fails there"
)]

mod deletion;
mod global;
mod groups;
mod master;
mod names;
mod networks;
mod noun;
mod rivals;
mod rules;
mod tenants;
