//! (contents follow)
fn main() {}
