//! One module per noun: its flags, and what they do.

pub(crate) mod apply;
pub(crate) mod completion;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod endpoint;
pub(crate) mod events;
pub(crate) mod global;
pub(crate) mod group;
pub(crate) mod host;
pub(crate) mod ipam;
pub(crate) mod join_token;
pub(crate) mod login;
pub(crate) mod network;
pub(crate) mod packets;
pub(crate) mod policy;
pub(crate) mod rule;
pub(crate) mod scope;
pub(crate) mod tenant;
pub(crate) mod trace;
pub(crate) mod version;
pub(crate) mod wait;
