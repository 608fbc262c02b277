//! (contents follow)

pub mod spec;
