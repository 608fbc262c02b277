#![allow(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod changes;
mod given;
mod life_cycle;
mod objects;
mod races;
mod reference;
mod refusals;
mod scale;
