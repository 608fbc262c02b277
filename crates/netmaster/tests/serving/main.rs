//! The netmaster binary, as its clients and its hosts see it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod apply;
mod door;
mod full_disk;
mod hosts;
mod life_cycle;
mod master;
mod moves;
mod preconditions;
mod reach;
mod restart;
mod shutdown;
mod streams;
mod told;
mod watch;
mod went_back;
