//! The agent of one host: Docker network and address driver on an eBPF data plane.
//!
//! It keeps no state of record. What should be comes from the masters
//! ([`Mirror`], a pure state machine, shared as [`Replica`]); what is, is in the
//! kernel ([`DataPlane`]). [`Driver`] answers the engine's calls, [`Reconciler`]
//! fills the kernel, a [`Relay`] brings each master what [`Reporter`], [`Counter`] and
//! [`EventLog`] have to say, a [`Respondent`] answers what it asks, [`Follower`] keeps Docker's networks in step, and
//! [`Departures`] sees to it that what is to go does go. [`Agent`] is
//! all of that but the engine, the kernel and the doors around it. Start reading at [`App`].

mod agent;
mod app;
mod cnm;
mod config;
mod counters;
mod data_plane;
mod departures;
mod docker;
mod doctor;
mod error;
mod events;
mod kernel;
mod lock;
mod membership;
mod metrics;
mod mirror;
mod notify;
mod orphans;
mod questions;
mod reconcile;
mod replica;
mod underlay;
mod upstream;

pub use agent::{Agent, Ground, MASTER_CALL};
pub use app::{App, BadOption};
pub use cnm::{Driver, PluginSocket, Scope, automatic_name, router};
pub use config::{Attach, Command, Config};
pub use counters::{Counted, Counter};
pub use data_plane::{Attachment, Counts, DataPlane, EndpointFacts, SharedPlane};
pub use departures::Departures;
pub use docker::{ContainerFacts, EngineClient, Follower, Held, Lost, Observed};
pub use doctor::Doctor;
pub use error::Error;
pub use events::EventLog;
pub use kernel::{Kernel, cleanup};
pub use lock::{HostLock, NotAlone};
pub use metrics::Metrics;
pub use mirror::Mirror;
pub use orphans::Orphans;
pub use questions::Respondent;
pub use reconcile::{Outcome, Reconciler};
pub use replica::Replica;
pub use underlay::Underlay;
pub use upstream::{Introduction, Listener, Relay, Reporter};
