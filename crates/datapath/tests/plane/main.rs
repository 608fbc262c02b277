//! The data plane of a real kernel, in hosts that are namespaces of this test.
//!
//! Each story is told twice: with programs attached by tcx, and by clsact.
//!
//! ```text
//!   world (198.51.100.1) ── eth0  host  contiv0 ─ contiv1   cv… ── cc… container
//! ```
#![allow(clippy::unwrap_used, reason = "a test")]

mod changes;
mod converge;
mod counts;
mod foothold;
mod guard;
mod host;
mod isolation;
mod layouts;
mod life;
mod policy;
mod reach;
mod site;
mod takeover;
mod trace;

/// Makes two tests of a function that takes the way of attaching.
macro_rules! both_ways {
    ($($story:ident),+ $(,)?) => {
        mod tcx {
            $(#[test]
            fn $story() {
                if crate::site::has_tcx() {
                    super::$story(contiv_datapath::Attach::Tcx);
                }
            })+
        }
        mod clsact {
            $(#[test]
            fn $story() {
                super::$story(contiv_datapath::Attach::Clsact);
            })+
        }
    };
}
pub(crate) use both_ways;
