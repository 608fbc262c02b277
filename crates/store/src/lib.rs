//! (contents follow)

mod transaction;

pub use transaction::{Compare, Entry, Outcome, Transaction, Write};
