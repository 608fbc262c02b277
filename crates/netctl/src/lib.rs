//! Contiv's command line: a pure client of netmaster's REST API.
//!
//! One file of `command` per noun holds the flags and what they do; `output`
//! prints, `failure` knows the exit codes, `argv` reads the single-dash flags
//! that old scripts use, `settle` waits for hosts, and [`documents`] reads files of
//! declared objects. [`main`] is all that the
//! binary calls.

mod access;
mod argv;
mod cli;
mod command;
mod conditions;
pub mod documents;
mod failure;
mod output;
mod session;
mod settle;
mod usage;

pub use cli::main;
