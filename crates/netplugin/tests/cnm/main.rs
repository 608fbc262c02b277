//! Conformance of the driver socket: every call of the engine, good and bad, against a real
//! netmaster and a data plane of memory.
#![allow(clippy::unwrap_used, reason = "a test")]

mod cut_off;
mod faults;
mod fields;
mod handshake;
mod life;
mod plane;
mod pools;
mod repeats;
mod restarts;
mod restores;
mod rig;
mod silent;
mod swarm;
mod way;
