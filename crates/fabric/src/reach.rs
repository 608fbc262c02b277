//! Who may reach whom, told from the image: why ([`trace`]), all pairs ([`matrix`]), and what a
//! change would open or close ([`diff`]).
//!
//! What policies say is the explainer's answer over the same values that hosts compile, and the
//! way of packets is found by the function that the kernel runs, over a [`picture`] of the
//! tenant. What hosts' tables hold is compared with it by [`Tracing::compare`].

mod diff;
mod matrix;
mod party;
mod path;
mod picture;
mod said;
mod side;
mod trace;

pub use diff::diff;
pub use matrix::matrix;
pub use trace::{Ask, Heard, Tracing, trace};

use crate::image::{DEFAULT_TENANT, Image};
use crate::refusal::Refusal;
use said::Said;

/// The tenant that a request is about, and what its policies say.
fn said<'a>(image: &Image, tenant: &'a str) -> Result<(&'a str, Said), Refusal> {
    let tenant = match tenant {
        "" => DEFAULT_TENANT,
        named => named,
    };
    image.required_tenant(tenant)?;
    Ok((tenant, Said::of(image, tenant)))
}
