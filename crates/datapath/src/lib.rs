//! The data plane of one host, as user space sees it.
//!
//! [`Plane`] is level-triggered: given what should be ([`spec::Desired`]), it looks at
//! what the kernel has and applies the difference, so that start, restart and upgrade
//! are all the same. It keeps nothing of its own: rows of maps and aliases of links
//! say all that a later agent must know, and are pinned while none runs.
//!
//! - [`program`]: the programs, and how they get into the kernel.
//! - `pins`, `attach`: where they are kept, and how they come to links.
//! - `handover`: from an older layout of the maps to this one.
//! - `endpoints`, `tenants`, `policies`, `host_addresses`: what fills the maps.
//! - `overlay`: the tunnel, other hosts and their endpoints.
//! - `flows`: what leaves them.
//! - `events`: what programs tell.
//! - `guard`: what others take away, and how it comes back.
//! - `sandbox`: a new end for a container that has lost its own.
//! - `inspect`, `hail`: how the host is, and its ways to the others.
//! - `trace`: what the tables say about a connection, for people who ask.
//! - `door`, `private`, `firewall`, `sysctl`, `taken`: the host's own side.
//! - `netlink`, `bpf`: the kernel's calls.
//!
//! If the private subnet is taken on a host, the next of [`STAND_INS`] takes its place.

mod address;
mod attach;
mod bpf;
mod cleanup;
mod door;
mod endpoints;
mod error;
mod events;
mod firewall;
mod flows;
mod footholds;
mod guard;
mod hail;
mod handover;
mod host_addresses;
mod inspect;
mod life;
mod names;
mod netlink;
mod overlay;
mod pins;
mod plane;
mod policies;
mod private;
pub mod program;
mod sandbox;
mod shortfall;
pub mod spec;
mod sysctl;
mod taken;
mod tenants;
mod totals;
mod trace;
mod uncut;

pub use cleanup::cleanup;
pub use error::Error;
pub use events::{EventReader, event};
pub use guard::{Lost, Repair};
pub use hail::{Hail, HailKind, Hailer};
pub use inspect::{DropRule, Foreign, Hook, Inspection, KernelFacts, PathFacts, UnderlayFacts};
pub use plane::{Attach, EndpointFacts, Options, Plane};
pub use private::STAND_INS;
pub use sandbox::ContainerEnd;
pub use shortfall::{Cause, Shortfall, Subject};
pub use taken::Taken;
pub use totals::{FlowUse, RuleTotals, Tally};
pub use trace::{Connection, Finding, Holder, Kernel};
