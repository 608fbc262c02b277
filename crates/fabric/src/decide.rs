//! Decisions: a request and an image in, a transaction or a refusal out.

mod address;
mod adopt;
mod apply;
mod bootstrap;
mod claim;
mod docker_network;
mod endpoint;
mod expected;
mod foothold;
mod global;
mod group;
mod host;
mod identity;
mod lease;
mod mend;
mod network;
mod policy;
mod prefixes;
mod room;
mod rule;
mod settle;
mod tenant;

pub use address::{release_address, request_address};
pub use adopt::{adopted, adoption, end_adoption, grants};
pub use apply::apply;
pub use bootstrap::{Presets, bootstrap};
pub use docker_network::{delete_docker_network, put_docker_network};
pub use endpoint::{delete_endpoint, put_endpoint};
pub use foothold::{give_foothold, lacking_footholds};
pub use global::{delete_global, put_global};
pub use group::{delete_group, put_group};
pub use host::{collect_boots, collect_host, collect_rest, hear_host, register_host};
pub use identity::{Join, expel, found_admin, found_authority, join, put_token, rotate_admin};
pub use lease::{drop_lease, fence, hold_lease};
pub use mend::mend;
pub use network::{delete_network, put_network};
pub use policy::{delete_policy, put_policy};
pub use rule::{delete_rule, put_rule};
pub use settle::{expire, forsake, settle};
pub use tenant::{delete_tenant, put_tenant};

#[cfg(test)]
pub(crate) mod tests;
