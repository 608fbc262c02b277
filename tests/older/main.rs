//! Stories of versions that meet: programs of this tree, and programs that an earlier state of it
//! builds.
//!
//! `cargo xtask older` builds the earlier ones, whose commits stand in `crates/xtask/src/older.rs`.
//! So this is a suite of its own, which `make test-all` runs.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../stories/actor.rs"]
#[allow(dead_code, reason = "stories of one version use all of it")]
mod actor;
mod scene;

mod beside;
mod commands;
mod rolling;
mod upgrade;
