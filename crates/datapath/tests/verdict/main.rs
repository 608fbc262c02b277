//! The loaded programs, asked packet by packet through `BPF_PROG_TEST_RUN`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod agreement;
mod connections;
mod errors;
mod events;
mod frames;
mod host;
mod length;
mod local;
mod neighbours;
mod pressure;
mod revocation;
mod rig;
mod routing;
mod stack;
