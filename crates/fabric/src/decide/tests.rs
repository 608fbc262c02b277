#![allow(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod apply;
mod changes;
mod depth;
mod footholds;
pub(crate) mod given;
mod grants;
mod identity;
mod life_cycle;
mod objects;
mod races;
mod reference;
mod refusals;
mod room;
mod scale;
mod swarm;
