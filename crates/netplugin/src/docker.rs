//! The Docker engine of this host, seen from behind: Contiv's networks and groups
//! appear in it as Docker networks, and its containers give endpoints their names.
//!
//! [`plan`] decides from what the mirror and the engine say, [`Follower`] does it.
//! No call of the driver protocol waits for anything here.

mod client;
mod collect;
mod containers;
mod follow;
mod labels;
mod lasting;
mod lost;
mod plan;
mod severed;

pub use client::EngineClient;
pub use containers::ContainerFacts;
pub use follow::{Follower, Observed};
pub use lost::{Held, Lost};
