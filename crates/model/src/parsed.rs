//! Objects whose every field is known to be good, as typed values.
//!
//! Each object of [`crate::object`] has a `parse` that gives its twin here or the first
//! field that is wrong. Later code works on these and never looks at text again. What
//! needs another object to judge (does the network exist?) is not decided here; what
//! needs two parsed objects at hand (do their addresses overlap?) is.

mod addresses;
mod choice;
mod global;
mod group;
mod list;
mod network;
mod policy;
mod ports;
mod rule;
mod subnet;
mod tenant;

pub use addresses::Ipv4Range;
pub use global::{ArpMode, InfraType, ParsedGlobal, TagRange};
pub use group::ParsedGroup;
pub use network::{NetworkType, ParsedNetwork, is_automatic};
pub use policy::ParsedPolicy;
pub use ports::Ports;
pub use rule::{Addresses, ParsedRule, protocol};
pub use subnet::Subnet;
pub use tenant::ParsedTenant;
