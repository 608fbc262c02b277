//! The kernel's programs, and how they get there.

mod object;
mod row;

pub use object::{OBJECT, ProgramError, Programs};
pub use row::{Row, Trie};
