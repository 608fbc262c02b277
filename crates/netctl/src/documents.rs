//! Files of declared objects: YAML, any number of documents in each.
//!
//! A document is an object with its `kind` beside the fields of the REST API. Whatever is
//! wrong with one is said with its file, line, document and field, also what netmaster finds
//! wrong later.

mod files;
mod yaml;

pub use files::{Source, read_sources};
pub(crate) use yaml::written;
pub use yaml::{Document, Wrong, read};

#[cfg(test)]
mod tests;
