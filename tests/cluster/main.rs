//! Stories of a cluster: three hosts with an engine, a member of etcd, a master and an agent each,
//! joined over the network.
//!
//! One file is one story or a family of them. A story is given a [`stage::Stage`] and leaves it as
//! it found it: [`stage::story`] removes what the story made and fails when an address, a link, a
//! pin or a network is left over on any host. A stage on which a story failed is thrown away.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../stories/actor.rs"]
#[allow(dead_code, reason = "stories of one host use all of it")]
mod actor;
mod chance;
mod stage;
mod strike;
mod traffic;

mod at_once;
mod failing;
mod infra;
mod killed;
mod policy;
mod reaching;
mod rebooting;
mod telling;
mod triggers;
