#![allow(clippy::unwrap_used, reason = "a test")]

mod life_cycle;

mod races;
mod reference;
