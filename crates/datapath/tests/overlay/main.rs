//! Two hosts and the tunnel between them, in namespaces of this test.
//!
//! Each story is told twice: with programs attached by tcx, and by clsact.
//!
//! ```text
//!   container ── cv…  host a  eth0 ── underlay (198.51.100.0/24, fd99::/64) ── eth0  host b  cv… ── container
//! ```
#![allow(clippy::unwrap_used, reason = "a test")]

mod flood;
mod foothold;
mod guard;
mod hail;
mod life;
mod pair;
mod path;
mod reach;
mod scale;
#[allow(dead_code, reason = "stories of one host use the rest")]
#[path = "../plane/site.rs"]
mod site;

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
