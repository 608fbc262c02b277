//! The real `netctl` binary, by what it prints and how it exits.

#![allow(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs fails there"
)]

mod run;
mod usage;
