//! (contents follow)

pub mod program;
pub mod spec;
