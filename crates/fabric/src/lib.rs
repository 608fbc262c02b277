//! The state of the fabric as records, and every decision about it, in pure code.
//!
//! - [`record`] and [`Key`] say what is stored, and where.
//! - [`Image`] is all of it as typed values, loaded once and kept current by
//!   [`Image::apply`].
//! - A *decision* looks at an image and answers a request with a [`Decision`], the
//!   transaction to commit and the answer to give afterwards, or a [`Refusal`].
//!   There is one file per noun, and a function per verb: [`put_network`],
//!   [`delete_network`], [`request_address`], [`put_endpoint`] …
//! - [`snapshot`] is what a host is to know, [`change`] the difference that commits
//!   make to it: `snapshot(before) + change = snapshot(after)`.
//! - [`oper`] is what inspect documents say, from the image and from [`HostReports`].
//! - [`reach`] is who may reach whom, and why; [`doctor`] what is not well.
//!
//! No clock, no chance, no I/O: uids, times and what hosts report are arguments. A
//! transaction compares every key that its decision relied on, so a decision on an
//! old image is never committed; it is decided again on the newer one. Requests that
//! take the lowest free address meet there, so deciding one after the other, each on
//! the image with the commit before it, spares them the race; masters that meet each
//! other look in a [`Lane`] of their own first.

mod decide;
mod decision;
pub mod doctor;
mod error;
pub mod identity;
mod image;
mod key;
pub mod oper;
pub mod reach;
pub mod record;
mod refusal;
mod reports;
mod view;
#[cfg(test)]
mod world;

pub use contiv_ipam::Lane;
pub use decide::{
    Join, Presets, adopted, adoption, apply, bootstrap, collect_boots, collect_host, collect_rest,
    delete_docker_network, delete_endpoint, delete_global, delete_group, delete_network,
    delete_policy, delete_rule, delete_tenant, drop_lease, end_adoption, expel, expire, fence,
    forsake, found_admin, found_authority, give_foothold, grants, hear_host, hold_lease, join,
    lacking_footholds, mend, put_docker_network, put_endpoint, put_global, put_group, put_network,
    put_policy, put_rule, put_tenant, put_token, register_host, release_address, request_address,
    rotate_admin, settle,
};
pub use decision::{Decided, Decision};
pub use error::Error;
pub use image::{
    AddressOwner, Applied, Before, DEFAULT_TENANT, Image, Known, KnownGlobal, KnownGroup,
    KnownNetwork, KnownPolicy, KnownRule,
};
pub use key::{Key, Numbered, order_addresses};
pub use refusal::{Kind, Refusal};
pub use reports::{HostReport, HostReports};
pub use view::{
    Audience, Delta, HostChange, change, common, known_tenants, of_tenant, own, snapshot,
};
